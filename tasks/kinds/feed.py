"""Encoded parts -> what the Trainer takes: rows by number, padded batches as tensors."""

from collections.abc import Callable

import torch
from torch.utils.data import Dataset

from ..text.chat.encoding import DialogueEncoding
from ..text.chat.packing import pack_rows, pad_packed
from ..text.collation import pad_rows
from ..text.encoding import Encoding
from ..text.parts import Part
from .masked_lm.encoding import FIXED, MaskedEncoding, pad_masked
from .regression.encoding import RegressionEncoding, pad_numbers
from .seq2seq.encoding import Seq2SeqEncoding, pad_pairs

Row = tuple[Part, int]
Collate = Callable[[list[Row]], dict[str, torch.Tensor]]


class Rows(Dataset[Row]):
    """Rows of one part; an item is the part and the row's number, so that batches are cut out in one go."""

    def __init__(self, part: Part) -> None:
        self.part = part

    def __len__(self) -> int:
        return len(self.part)

    def __getitem__(self, row: int) -> Row:
        return self.part, row


class FixedRows(Dataset[tuple[Part, int, int]]):
    """Rows of one part whose tokens are hidden once and for all; an item is the part, the row's number, the epoch."""

    def __init__(self, part: Part) -> None:
        self.part, self.epoch = part, FIXED

    def __len__(self) -> int:
        return len(self.part)

    def __getitem__(self, row: int) -> tuple[Part, int, int]:
        return self.part, row, self.epoch


class ChangingRows(FixedRows):
    """Rows of one part of which each epoch hides other tokens; the trainer says which epoch begins."""

    def begin_epoch(self, epoch: int) -> None:
        """Epochs count from 0."""
        self.epoch = epoch


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


def collate_rows(encoding: Encoding | DialogueEncoding) -> Collate:
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


def collate_pairs(encoding: Seq2SeqEncoding) -> Collate:
    """A function from rows to a batch: input_ids, attention_mask [batch, source length], labels [batch, target
    length]."""

    def collate(rows: list[Row]) -> dict[str, torch.Tensor]:
        batch = pad_pairs(encoding, rows[0][0].encoded, [row for _, row in rows])
        return {name: torch.from_numpy(values) for name, values in batch.items()}

    return collate


def collate_numbers(encoding: RegressionEncoding) -> Collate:
    """A function from rows to a batch: input_ids, attention_mask [batch, length], labels float32 [batch]."""

    def collate(rows: list[Row]) -> dict[str, torch.Tensor]:
        part = rows[0][0]
        assert part.values is not None
        batch = pad_numbers(encoding, part.encoded, part.values, [row for _, row in rows])
        return {name: torch.from_numpy(values) for name, values in batch.items()}

    return collate


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
