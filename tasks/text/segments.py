"""Segments -> input ids and labels: the one place where the -100 mask is made."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from ..learn.labels import IGNORE_INDEX

Ints = npt.NDArray[np.int32]
Tokenize = Callable[[list[str]], list[list[int]]]
"""Texts to token ids, without special tokens."""


class Segment(NamedTuple):
    """A stretch of one row: a text still to be tokenised, or ids as they are."""

    text: str | None
    ids: tuple[int, ...] = ()
    supervised: bool = False


@dataclass(frozen=True)
class Encoded:
    """Rows of tokens, flat: row i is [offsets[i], offsets[i + 1]).

    ids, labels: int32 [tokens]; offsets: int64 [rows + 1]; cut: int32 [rows], tokens that truncation removed. types:
    token types of pairs of texts, int32 [tokens]; None where a row is one text.
    """

    ids: Ints
    labels: Ints
    offsets: npt.NDArray[np.int64]
    cut: Ints
    types: Ints | None = None

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def lengths(self) -> npt.NDArray[np.int64]:
        """Tokens per row."""
        return np.diff(self.offsets)

    def supervised(self) -> npt.NDArray[np.int64]:
        """Tokens per row that carry loss: the first of a row never does, since models shift labels by one."""
        counted = self.labels != IGNORE_INDEX
        counted[self.offsets[:-1][self.lengths > 0]] = False
        sums = np.concatenate([[0], np.cumsum(counted)])
        return np.asarray(sums[self.offsets[1:]] - sums[self.offsets[:-1]])


def encode_segments(
    rows: Sequence[Sequence[Segment]], tokenize: Tokenize, budget: int, *, keep: Literal["first", "last"]
) -> Encoded:
    """Tokenise every text of every row at once and lay rows out flat, labels unshifted.

    A row longer than `budget` tokens loses tokens of its unsupervised texts: their end goes with keep="first",
    their beginning with keep="last". Fixed ids and supervised texts are never cut.
    """
    segments = list(chain.from_iterable(rows))
    texts = [segment.text for segment in segments if segment.text is not None]
    pieces = iter(tokenize(texts)) if texts else iter(())
    tokens = [segment.ids if segment.text is None else next(pieces) for segment in segments]
    sizes = np.fromiter(map(len, tokens), np.int64, len(tokens))
    ids = np.fromiter(chain.from_iterable(tokens), np.int32, int(sizes.sum()))
    supervised = np.fromiter((segment.supervised for segment in segments), bool, len(segments))
    loose = np.fromiter((s.text is not None and not s.supervised for s in segments), bool, len(segments))
    row_of = np.repeat(np.arange(len(rows)), np.fromiter(map(len, rows), np.int64, len(rows)))
    excess = np.maximum(np.bincount(row_of, sizes, len(rows)).astype(np.int64) - budget, 0)
    kept, cut = _truncate(sizes, loose, row_of, excess, keep=keep)
    labels = np.where(np.repeat(supervised, sizes), ids, IGNORE_INDEX).astype(np.int32)
    lengths = np.bincount(row_of, sizes, len(rows)).astype(np.int64) - cut
    return Encoded(ids[kept], labels[kept], np.concatenate([[0], np.cumsum(lengths)]), cut.astype(np.int32))


def _truncate(
    sizes: npt.NDArray[np.int64],
    loose: npt.NDArray[np.bool_],
    row_of: npt.NDArray[np.int64],
    excess: npt.NDArray[np.int64],
    *,
    keep: Literal["first", "last"],
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.int64]]:
    """Which tokens stay, and how many each row lost; excess: tokens that each row has too many."""
    rows = len(excess)
    spare = np.where(loose, sizes, 0)
    before = np.cumsum(spare) - spare if keep == "last" else np.cumsum(spare[::-1])[::-1] - spare
    per_row = np.bincount(row_of, spare, rows).astype(np.int64)
    passed = np.cumsum(per_row) - per_row if keep == "last" else np.cumsum(per_row[::-1])[::-1] - per_row
    lost = np.clip(excess[row_of] - (before - passed[row_of]), 0, spare)
    within = np.arange(int(sizes.sum())) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    kept = within >= np.repeat(lost, sizes) if keep == "last" else within < np.repeat(sizes - lost, sizes)
    return kept, np.bincount(row_of, lost, rows).astype(np.int64)
