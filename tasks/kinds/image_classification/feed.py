"""Encoded parts -> what the Trainer takes: batches of bytes, cut out (or decoded) in one go."""

from dataclasses import dataclass

import torch
from torch.utils.data import Dataset

from ...vision.parts import Part


@dataclass(frozen=True)
class Chosen:
    """Some rows of a part."""

    part: Part
    rows: list[int]


class Rows(Dataset[Chosen]):
    """Rows of one part, fetched a batch at a time: the loader calls `__getitems__` where there is one."""

    def __init__(self, part: Part) -> None:
        self.part = part

    def __len__(self) -> int:
        return len(self.part)

    def __getitems__(self, rows: list[int]) -> Chosen:
        return Chosen(self.part, rows)

    def __getitem__(self, row: int) -> Chosen:
        return Chosen(self.part, [row])


def collate(chosen: Chosen) -> dict[str, torch.Tensor]:
    """A batch: pixel_values uint8 [rows, channels, height, width], labels [rows], and the logits of teachers, where
    there are, [rows, teachers, classes]."""
    part, rows = chosen.part, chosen.rows
    taught = {} if part.teachers is None else {"teachers": torch.from_numpy(part.teachers[rows])}
    return {
        "pixel_values": torch.from_numpy(part.pixels[rows]),
        "labels": torch.from_numpy(part.class_ids[rows]),
        **taught,
    }
