"""Encoded texts -> batches in which tokens are hidden, others in each epoch."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import torch
from torch.utils.data import Dataset

from ...text.parts import Part
from .encoding import FIXED, MaskedEncoding, pad_masked


class FixedRows(Dataset[tuple[Part, int, int]]):
    """Rows of one part whose tokens are hidden once and for all; an item is the part, the row's number, the epoch."""

    def __init__(self, part: Part) -> None:
        self.part, self.epoch = part, FIXED

    def __len__(self) -> int:
        return len(self.part)

    @property
    def lengths(self) -> npt.NDArray[np.int64]:
        """Tokens per row."""
        return self.part.encoded.lengths

    def __getitem__(self, row: int) -> tuple[Part, int, int]:
        return self.part, row, self.epoch


class ChangingRows(FixedRows):
    """Rows of one part of which each epoch hides other tokens; the trainer says which epoch begins."""

    def begin_epoch(self, epoch: int) -> None:
        """Epochs count from 0."""
        self.epoch = epoch


def collate_masked(
    encoding: MaskedEncoding, seed: int
) -> Callable[[list[tuple[Part, int, int]]], dict[str, torch.Tensor]]:
    """A function from rows to a batch: input_ids with hidden tokens, attention_mask, labels, all [batch, length].

    Validation rows are hidden alike whatever the seed, so that trainings can be compared.
    """

    def collate(rows: list[tuple[Part, int, int]]) -> dict[str, torch.Tensor]:
        part, _, epoch = rows[0]
        draw = (epoch, 0 if epoch == FIXED else seed)
        batch = pad_masked(encoding, part.encoded, part.ids, [row for _, row, _ in rows], draw)
        return {name: torch.from_numpy(values) for name, values in batch.items()}

    return collate
