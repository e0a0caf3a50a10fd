"""Encoded parts -> what the Trainer takes: rows by number, padded batches as tensors."""

from collections.abc import Callable

import torch
from torch.utils.data import Dataset

from .collation import pad_rows
from .encoding import Encoding
from .parts import Part

Row = tuple[Part, int]


class Rows(Dataset[Row]):
    """Rows of one part; an item is the part and the row's number, so that batches are cut out in one go."""

    def __init__(self, part: Part) -> None:
        self.part = part

    def __len__(self) -> int:
        return len(self.part)

    def __getitem__(self, row: int) -> Row:
        return self.part, row


def collate_rows(encoding: Encoding) -> Callable[[list[Row]], dict[str, torch.Tensor]]:
    """A function from rows to a batch: input_ids, attention_mask [batch, length] and labels.

    labels: [batch, length], -100 where not supervised (generative), or class ids [batch] (classifier).
    """
    width = encoding.max_length if encoding.padding == "max_length" else None

    def collate(rows: list[Row]) -> dict[str, torch.Tensor]:
        part, numbers = rows[0][0], [row for _, row in rows]
        batch = {
            name: torch.from_numpy(v) for name, v in pad_rows(part.encoded, numbers, encoding.pad_id, width).items()
        }
        if encoding.kind == "classifier":
            batch["labels"] = torch.from_numpy(part.class_ids[numbers])
        return batch

    return collate
