"""Encoded texts and their labels -> padded batches."""

from collections.abc import Sequence
from typing import Any

import numpy.typing as npt
import torch

from ...text.collation import pad_rows
from ...text.feed import Collate, Row
from ...text.parts import Part
from .encoding import LabelSetEncoding

Arrays = dict[str, npt.NDArray[Any]]


def label_sets(part: Part) -> tuple[tuple[int, ...], ...]:
    """Of each row the ids of its labels. Raises ValueError for a part of another kind."""
    if part.sets is None:
        raise ValueError("these encoded rows have no sets of labels; encode them with encode.kind multi_label")
    return part.sets


def pad_labels(encoding: LabelSetEncoding, part: Part, rows: Sequence[int]) -> Arrays:
    """input_ids and attention_mask, int64 [len(rows), length], and labels, float32 [len(rows), labels], 0 or 1."""
    width = encoding.max_length if encoding.padding == "max_length" else None
    batch = pad_rows(part.encoded, rows, encoding.pad_id, width)
    sets = label_sets(part)
    return {**batch, "labels": encoding.targets([sets[row] for row in rows])}


def collate_labels(encoding: LabelSetEncoding) -> Collate:
    """A function from rows to a batch as tensors; see `pad_labels`."""

    def collate(rows: list[Row]) -> dict[str, torch.Tensor]:
        batch = pad_labels(encoding, rows[0][0], [row for _, row in rows])
        return {name: torch.from_numpy(values) for name, values in batch.items()}

    return collate
