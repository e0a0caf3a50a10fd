"""A plain folder asked by transformers alone, in a process of its own -> named checks, and what it wrote."""

import json
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NotRequired, TypedDict

import numpy as np
import torch
from torch import Tensor

from ...data.errors import DataError
from ...kinds.spec import Kind
from ...text.token_types import TYPE_IDS
from ...tracking.fresh import WITHOUT_TEMPER, environment
from ..gate import Check, apart
from . import program
from .questions import Question

OFFLINE = {"HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}


class Answer(TypedDict):
    """As program.py gives it."""

    input_ids: list[int]
    token_type_ids: NotRequired[list[int]]
    outputs: NotRequired[Tensor]
    written: NotRequired[list[int]]


Answers = list[Answer]
"""One for each question."""


def answer(kind: Kind, folder: Path, questions: Sequence[Question], written: int) -> Answers:
    """What transformers makes of questions; of writers the first `written` are answered, the others turned to ids.

    Raises DataError where it cannot read the folder or a question.
    """
    source = WITHOUT_TEMPER + Path(program.__file__).read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory() as scratch:
        asked, answers = Path(scratch) / "asked.json", Path(scratch) / "answers.pt"
        given = [{**question.given, "written": at < written} for at, question in enumerate(questions)]
        asked.write_text(json.dumps(given, ensure_ascii=False), encoding="utf-8")
        command = [sys.executable, "-c", source, str(folder), kind.plain, str(asked), str(answers)]
        done = subprocess.run(command, capture_output=True, text=True, cwd=scratch, env=environment() | OFFLINE)
        if done.returncode:
            raise DataError(f"transformers cannot use it: {''.join(done.stderr.strip().splitlines()[-1:])}")
        answered: Answers = torch.load(answers, weights_only=True)
    return answered


def same_tokens(questions: Sequence[Question], answers: Answers, ids: Sequence[str], left: Counter[str]) -> Check:
    """Whether transformers' tokenizer and template give each row the ids, and token types, that Temper gives it.

    ids: of the rows; left: how many rows were not asked, by reason.
    """
    odd = [
        row
        for row, question, answered in zip(ids, questions, answers, strict=True)
        if question.ids != answered["input_ids"]
        or (question.types is not None and question.types != answered.get(TYPE_IDS))
    ]
    apart_from = "".join(f"; {count:,} not asked, {why}" for why, count in left.items())
    seen = f"{len(questions):,} rows have the ids that Temper gives the model{apart_from}"
    if odd:
        seen = f"{len(odd):,} of {len(questions):,} rows have other ids, the first is {odd[0]}{apart_from}"
    return Check("tokens", bool(questions) and not odd, seen)


def same_outputs(predictor: Any, questions: Sequence[Question], answers: Answers, tolerance: float) -> Check:
    """Whether the net in transformers gives what the registered model's own gives for the same ids."""
    farthest, count = 0.0, 0
    for question, answered in zip(questions, answers, strict=True):
        if "outputs" not in answered:
            continue
        batch = {"input_ids": np.array([question.ids]), "attention_mask": np.ones((1, len(question.ids)), np.int64)}
        if question.types is not None:
            batch[TYPE_IDS] = np.array([question.types])
        farthest = max(farthest, apart(predictor.net(batch)[0][0], answered["outputs"].numpy()))
        count += 1
    return Check("transformers", farthest <= tolerance, f"outputs of {count} rows, at most {farthest:.2g} apart")
