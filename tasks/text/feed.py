"""Encoded parts -> what the Trainer takes: rows by number, padded batches as tensors."""

from collections.abc import Callable
from typing import Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch.utils.data import Dataset

from .collation import pad_rows
from .parts import Part

Row = tuple[Part, int]
Collate = Callable[[list[Row]], dict[str, torch.Tensor]]


class Padded(Protocol):
    """An encoding's padding."""

    @property
    def max_length(self) -> int:
        """Longest row in tokens."""

    @property
    def padding(self) -> str:
        """longest or max_length."""

    @property
    def pad_id(self) -> int:
        """Id of the padding token."""


class Rows(Dataset[Row]):
    """Rows of one part; an item is the part and the row's number, so that batches are cut out in one go."""

    def __init__(self, part: Part) -> None:
        self.part = part

    def __len__(self) -> int:
        return len(self.part)

    @property
    def lengths(self) -> npt.NDArray[np.int64]:
        """Tokens per row."""
        return self.part.encoded.lengths

    def __getitem__(self, row: int) -> Row:
        return self.part, row


def collate_rows(encoding: Padded) -> Collate:
    """A function from rows to a batch: input_ids, attention_mask and labels [batch, length], -100 where not
    supervised."""
    width = encoding.max_length if encoding.padding == "max_length" else None

    def collate(rows: list[Row]) -> dict[str, torch.Tensor]:
        part, numbers = rows[0][0], [row for _, row in rows]
        return {
            name: torch.from_numpy(v) for name, v in pad_rows(part.encoded, numbers, encoding.pad_id, width).items()
        }

    return collate
