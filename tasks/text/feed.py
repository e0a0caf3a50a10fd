"""Encoded parts -> what the Trainer takes: rows by number, padded batches as tensors."""

from collections.abc import Callable

import torch
from torch.utils.data import Dataset

from .collation import pad_rows
from .dialogue import DialogueEncoding
from .encoding import Encoding
from .packing import pack_rows, pad_packed
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


class Packs(Dataset[tuple[Part, list[int]]]):
    """Rows of several sequences of one part; an item is the part and the sequences' numbers."""

    def __init__(self, part: Part, width: int) -> None:
        self.part, self.packs = part, pack_rows(part.encoded.lengths, width)

    def __len__(self) -> int:
        return len(self.packs)

    def __getitem__(self, row: int) -> tuple[Part, list[int]]:
        return self.part, self.packs[row]


def collate_packs(encoding: DialogueEncoding) -> Callable[[list[tuple[Part, list[int]]]], dict[str, torch.Tensor]]:
    """A function from rows of several sequences to a batch: input_ids, labels, position_ids [batch, length]."""
    width = encoding.max_length if encoding.padding == "max_length" else None

    def collate(rows: list[tuple[Part, list[int]]]) -> dict[str, torch.Tensor]:
        packed = pad_packed(rows[0][0].encoded, [numbers for _, numbers in rows], encoding.pad_id, width)
        return {name: torch.from_numpy(values) for name, values in packed.items()}

    return collate


def collate_rows(encoding: Encoding | DialogueEncoding) -> Callable[[list[Row]], dict[str, torch.Tensor]]:
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
