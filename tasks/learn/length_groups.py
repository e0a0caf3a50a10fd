"""Order of rows by length: a batch of rows that are about as long as one another has little padding."""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
from torch.utils.data import Sampler

Lengths = npt.NDArray[np.int64]
STRETCH = 50
"""Batches whose rows are sorted together: more mean less padding, fewer mean batches that are mixed better."""


def grouped_order(lengths: Lengths, size: int, seed: int, epoch: int) -> list[int]:
    """Every row once, by number, in batches of `size` rows of similar length; a function of the arguments alone.

    Shuffled rows are cut into stretches of STRETCH batches, each is sorted by length, the longest first, and the
    batches are shuffled across all stretches, so that the longest may be anywhere. Rows that fill no batch are drawn
    from all and come last.
    """
    draw = np.random.default_rng((seed, epoch))
    rows = draw.permutation(len(lengths))
    whole = len(rows) - len(rows) % size
    stretches = [rows[start : min(start + STRETCH * size, whole)] for start in range(0, whole, STRETCH * size)]
    batches = np.concatenate([_longest_first(some, lengths) for some in stretches] or [rows[:0]]).reshape(-1, size)
    return [*draw.permutation(batches).ravel().tolist(), *_longest_first(rows[whole:], lengths).tolist()]


def _longest_first(rows: Lengths, lengths: Lengths) -> Lengths:
    return rows[np.argsort(-lengths[rows], kind="stable")]


class LengthGroups(Sampler[int]):
    """Rows in `grouped_order` of the epoch that `begin_epoch` names, counted from 0.

    `size`: rows of one optimiser step, so that batches and as many accumulated smaller ones hold the same rows.
    """

    def __init__(self, lengths: Lengths, size: int, seed: int) -> None:
        self.lengths, self.size, self.seed, self.epoch = lengths, size, seed, 0

    def begin_epoch(self, epoch: int) -> None:
        """Before its first row is asked for."""
        self.epoch = epoch

    def __iter__(self) -> Iterator[int]:
        return iter(grouped_order(self.lengths, self.size, self.seed, self.epoch))

    def __len__(self) -> int:
        return len(self.lengths)
