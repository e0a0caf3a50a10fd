"""Encoded parts -> what the Trainer takes: rows by number, batches of bytes cut out in one go."""

import numpy as np
import torch
from torch.utils.data import Dataset

from .parts import Part

Row = tuple[Part, int]


class Rows(Dataset[Row]):
    """Rows of one part; an item is the part and the row's number."""

    def __init__(self, part: Part) -> None:
        self.part = part

    def __len__(self) -> int:
        return len(self.part)

    def __getitem__(self, row: int) -> Row:
        return self.part, row


def collate(rows: list[Row]) -> dict[str, torch.Tensor]:
    """A batch: pixel_values uint8 [rows, channels, height, width], labels [rows]."""
    part, numbers = rows[0][0], np.array([row for _, row in rows])
    return {
        "pixel_values": torch.from_numpy(np.ascontiguousarray(part.pixels[numbers])),
        "labels": torch.from_numpy(part.class_ids[numbers]),
    }
