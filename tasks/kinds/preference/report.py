"""A model trained on preferences and its test pairs -> reward accuracy and margin, next to its reference and length."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd
from pydantic import TypeAdapter

from configs.preference_encodings import PreferenceEncode
from configs.reference import reference_of
from configs.schema import Evaluate, Train

from ...artifact import Artifact, read_manifest
from ...data.dialogues.messages import Message, dump_messages, transcript
from ...data.errors import DataError
from ...data.rows import read_rows
from ...learn.evaluation_report import (
    Judged,
    Subject,
    cell,
    chosen_baselines,
    describe,
    encoded_otherwise,
    save,
    state,
)
from ...learn.resampling import Resampling, estimate, ratio
from ...text.chat.samples import sample_turns
from ...text.parts import Part, read_part
from ..classification_report import paired_test
from ..spec import StageOutput
from .log_probabilities import Batches, Floats, log_probabilities
from .metrics import Compared, score_pairs
from .predictor import Predictor
from .reference import reference_model
from .reply_pairs import Pair, encode_pairs
from .rows import read_rows_of

KIND = "preference"
SAMPLES = 4
"""Prompts to which the registered model must reply as here."""


def evaluate(out: StageOutput, section: Evaluate, folder: Path, encoded: Artifact, splits: Artifact) -> tuple[int, str]:
    """Score the model in `folder` once on the test pairs and write the report: pairs scored, and a page.

    Raises DataError where inference encodes a pair otherwise than training did.
    """
    part = read_part(encoded.file("test.parquet"))
    test = read_rows(splits.file("test.parquet")).set_index("id").loc[part.ids[0::2]].reset_index()
    pairs, _ = read_rows_of(test)
    predictor = cast(Predictor, Predictor.load(folder))
    _require_alike(predictor, pairs, part)
    train = held_to(folder)

    def scored(model: Any, what: str) -> Floats:
        batches = Batches(part.encoded, predictor.encoding.pad_id, 2 * section.batch_size)
        return log_probabilities(model, batches, done=lambda done, of: out.progress(done, of, what))

    model = _differences(scored(predictor.model, "scoring"))
    reference = _differences(scored(reference_model(reference_of(train), folder), "scoring the reference"))
    judged = judge(test, pairs, Compared(model, reference, train.beta, train.label_smoothing), part, section)
    histories = ((row, dialogue[:-1]) for row, (dialogue, _) in zip(test["id"], pairs, strict=True))
    judged.samples.extend(sample_turns(predictor, histories, SAMPLES))
    save(judged, out.data, out.records)
    return len(test), describe(judged, f"{KIND}, {len(test):,} test pairs", "test pairs")


def held_to(folder: Path) -> Train:
    """The section that a trained model's manifest states. Raises DataError where its folder is not the store's."""
    try:
        section = read_manifest(folder.parent)["section"]
    except ValueError as error:
        raise DataError(f"{folder}: what the model was held to is not known ({error}); train it again") from None
    return TypeAdapter(Train).validate_python(section)


def _differences(values: Floats) -> Floats:
    return values[0::2] - values[1::2]


def _require_alike(predictor: Predictor, pairs: Sequence[Pair], part: Part) -> None:
    now = encode_pairs(predictor.encoding, predictor.tokenizer, pairs)
    same = (
        np.array_equal(now.encoded.encoded.offsets, part.encoded.offsets)
        and np.array_equal(now.encoded.encoded.ids, part.encoded.ids)
        and np.array_equal(now.encoded.encoded.labels, part.encoded.labels)
    )
    if not same:
        raise encoded_otherwise(part.ids[0])


def judge(test: pd.DataFrame, pairs: Sequence[Pair], compared: Compared, part: Part, section: Evaluate) -> Judged:
    """The report on test rows (id, rejected) and their pairs; samples are added by the caller. Raises DataError."""
    traits, how = PreferenceEncode.traits, Resampling(section.bootstrap, section.confidence, section.seed)
    longer = _differences(part.encoded.supervised().astype(np.float64))
    prefers = {"reference": compared.reference_log_ratio > 0, "longer": longer > 0}
    chosen = chosen_baselines(KIND, traits, section)
    baselines: dict[str, Mapping[str, Any]] = {
        name: estimate([prefers[name].astype(float), np.ones(len(test))], ratio, how).facts("reward_accuracy")
        for name in chosen
    }
    scores = score_pairs(compared, how)
    shown = ("reward_accuracy", "reward_margin")
    facts = state(Subject(KIND, traits, len(test)), scores, section, shown=shown, baselines=baselines)
    facts["against"] = {name: paired_test(compared.margin > 0, prefers[name], None) for name in chosen}
    facts["beta"] = compared.beta
    answers = pd.DataFrame(
        {
            "id": test["id"].to_numpy(),
            "rejected": test["rejected"].to_numpy(),
            "preferred": "chosen",
            "log_ratio": compared.log_ratio,
            "reference_log_ratio": compared.reference_log_ratio,
            "beta": compared.beta,
            "label_smoothing": compared.smoothing,
        }
    )
    return Judged(facts, answers, [], _worst(test["id"].tolist(), pairs, compared.margin, section.worst))


def _worst(ids: Sequence[str], pairs: Sequence[Pair], margin: Floats, worst: int) -> list[str]:
    """The pairs of which the rejected reply is preferred by most, as Markdown."""
    order = [at for at in np.argsort(margin, kind="stable")[:worst] if margin[at] <= 0]
    lines = [
        "",
        "Most preferred of the rejected replies:",
        "",
        "| row | asked | chosen | rejected | margin |",
        "|---|---|---|---|---:|",
    ]
    for at in order:
        dialogue, rejected = pairs[at]
        texts: list[list[Message]] = [list(dialogue[-2:-1]), list(dialogue[-1:]), [rejected]]
        shown = " | ".join(cell(transcript(dialogue) or dump_messages(dialogue)) for dialogue in texts)
        lines.append(f"| {ids[at]} | {shown} | {margin[at]:+.3f} |")
    return lines if order else []


def predict_row(folder: Path, row: pd.DataFrame, images: Path) -> dict[str, Any]:
    """Nothing: pairs are compared in `evaluate`, and turns are written by `temper chat`."""
    return {}
