"""Encoded dialogues -> packed rows of several, as tensors."""

from collections.abc import Callable

import torch
from torch.utils.data import Dataset

from ..parts import Part
from .encoding import DialogueEncoding
from .packing import pack_rows, pad_packed


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
