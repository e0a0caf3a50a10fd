"""Encoded pairs with what the reference model finds of them -> what the Trainer takes."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch.utils.data import Dataset

from ...text.collation import pad_rows
from ...text.feed import Padded
from ...text.parts import Part
from .log_probabilities import Floats

CHOSEN = 1
"""The class of the chosen side, since where both rewards are equal the first counts as preferred."""


@dataclass(frozen=True)
class ComparedPart(Part):
    """A part with the reference model's log-probabilities of its sequences [sequences]."""

    reference: Floats | None = None


class Pairs(Dataset[tuple[ComparedPart, int]]):
    """Pairs of one part; an item is the part and the pair's number."""

    def __init__(self, part: ComparedPart) -> None:
        self.part = part

    def __len__(self) -> int:
        return len(self.part) // 2

    @property
    def lengths(self) -> npt.NDArray[np.int64]:
        """Tokens of each pair's longer side."""
        return np.asarray(self.part.encoded.lengths.reshape(-1, 2).max(1))

    def __getitem__(self, pair: int) -> tuple[ComparedPart, int]:
        return self.part, pair


def collate_pairs(encoding: Padded) -> Callable[[list[tuple[ComparedPart, int]]], dict[str, torch.Tensor]]:
    """A function from pairs to a batch, as the forward takes it: the rejected side of each pair first."""
    width = encoding.max_length if encoding.padding == "max_length" else None

    def collate(rows: list[tuple[ComparedPart, int]]) -> dict[str, torch.Tensor]:
        part = rows[0][0]
        sequences = np.array([side for _, pair in rows for side in (2 * pair + 1, 2 * pair)])
        padded = pad_rows(part.encoded, sequences, encoding.pad_id, width)
        batch = {name: torch.from_numpy(values).view(len(rows), 2, -1) for name, values in padded.items()}
        assert part.reference is not None
        return {
            "input_ids": batch["input_ids"],
            "attention_mask": batch["attention_mask"],
            "targets": batch["labels"],
            "reference": torch.from_numpy(part.reference[sequences]).view(-1, 2).float(),
            "labels": torch.full((len(rows),), CHOSEN),
        }

    return collate
