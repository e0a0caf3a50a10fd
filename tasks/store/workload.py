"""What decides a stage's cost: its kind, a digest of the settings that do, and its work in rows or passes of rows.

One account for what is recorded (tasks/measured.py) and for what is estimated (flows/estimates/), so that both compare.
"""

import math
from collections.abc import Mapping
from typing import Any

from configs.schema import Train

from ..artifact import canonical, digest_text

FORWARD = 1 / 3
"""Share of a training pass that its forward half takes: a backward pass costs twice a forward one (Kaplan et al.,
"Scaling laws for neural language models", 2020, section 2.1)."""
COSTLY = (
    "model",
    "lora",
    "augment",
    "optimizer",
    "phases",
    "batch_size",
    "group_by_length",
    "eval_batch_size",
    "gradient_checkpointing",
    "precision",
)
"""Keys of `train` that decide what a pass of a row takes; seeds, rates, lengths and accumulation do not."""
READS = {"train": ("encode", "train"), "evaluate": ("encode", "model", "evaluate"), "register": ("model",)}
"""Sections that decide a stage's cost where it is not its own alone; `model` is train's."""


def alike(stage: str, sections: Mapping[str, Any]) -> str:
    """Digest of the settings that decide a stage's cost. sections: by stage all their values, JSON-ready."""
    parts = {name: _part(name, sections) for name in READS.get(stage, (stage,))}
    return digest_text(canonical([stage, parts]))[:16]


def _part(name: str, sections: Mapping[str, Any]) -> Any:
    if name == "model":
        return _plain(sections.get("train", {}).get("model"))
    values = sections.get(name, {})
    if name == "train":
        values = {key: values.get(key) for key in COSTLY}
    return _plain(values)


def _plain(value: Any) -> Any:
    """Without what names a version of the same thing: a branch is a commit once it is pinned."""
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items() if key not in ("revision", "version", "token")}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value


def steps(section: Train, rows: float) -> int:
    """Optimiser steps of a training over so many rows, all phases together (as learn/trainer_arguments.py)."""
    return math.ceil(math.ceil(rows / section.batch_size) / section.accumulation) * epochs(section)


def epochs(section: Train) -> int:
    """Passes over the training rows, all phases together."""
    return sum(phase.epochs for phase in section.phases) or section.epochs


def passes(section: Train, rows: float, validation: float) -> float:
    """Work of a training in passes of one row forward and back; a validation is a forward pass of all its rows."""
    return epochs(section) * rows + FORWARD * validations(section, rows) * validation


def validations(section: Train, rows: float) -> int:
    """How often a training validates, and keeps a checkpoint."""
    return steps(section, rows) // section.eval_steps
