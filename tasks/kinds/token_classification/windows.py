"""Words as pieces -> windows of a bounded length, in which each word is predicted once."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ...text.segments import Encoded

Ints = npt.NDArray[np.int64]


class Window(NamedTuple):
    """Words from `start` to before `stop` are shown, of which those from `first` to before `last` are predicted."""

    start: int
    stop: int
    first: int
    last: int


@dataclass(frozen=True)
class Windows:
    """Sentences as rows of tokens. encoded: a row per window; rows: the sentence of each window [windows]; window,
    place: where the first piece of each word is predicted, words in the order of sentences [words]; words: how many
    each sentence has [sentences]."""

    encoded: Encoded
    rows: Ints
    window: Ints
    place: Ints
    words: Ints


def lay_out(sizes: Sequence[int], budget: int, overlap: int) -> list[Window]:
    """Windows over words of so many pieces each (at most `budget`), as few as hold them.

    Two that follow one another share words of up to `overlap` pieces; of these the first half is predicted in the
    earlier window and the rest in the later one, so that a word has context on both sides.
    """
    if not sizes:
        return []
    before = [0, *accumulate(sizes)]  # pieces before each word
    shown = [(0, _reach(before, 0, budget))]
    while shown[-1][1] < len(sizes):
        start, stop = shown[-1]
        back = stop
        room = min(overlap, budget - before[stop + 1] + before[stop])  # the next word must fit behind what is shared
        while back - 1 > start and before[stop] - before[back - 1] <= room:
            back -= 1
        shown.append((back, _reach(before, back, budget)))
    borders = [0, *((late[0] + early[1] + 1) // 2 for early, late in pairwise(shown)), len(sizes)]
    return [
        Window(*shown_part, first, last) for shown_part, first, last in zip(shown, borders, borders[1:], strict=False)
    ]


def _reach(before: Sequence[int], start: int, budget: int) -> int:
    """Up to which word a window that begins with `start` can be filled."""
    stop = start + 1
    while stop < len(before) - 1 and before[stop + 1] - before[start] <= budget:
        stop += 1
    return stop
