"""Which texts copy which: texts in; per text the kept one that it nearly equals, or the held-out one, out.

Texts of the same shingles are one text here. Of the others only those are compared that share a bucket of MinHash
signatures, and not those that are settled already: templates of a million rows take a million comparisons.
"""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pandas as pd

from ..errors import DataError
from .minhash import Candidates, Floats, Ints, find_candidates, same_shingles, shingle

CROWD = 32
"""Of a copy so many held-out texts of a bucket are inspected for the most similar one; beyond that any is enough."""
PAIRS = 2_000_000
"""Pairs that are listed at once: bounds the memory."""
MOST = 300_000_000
"""Comparisons, of minutes, after which the search is given up."""

Mask = npt.NDArray[np.bool_]


class Copies:
    """Texts (none missing) among which copies are searched for: pairs whose Jaccard index is at least `similarity`."""

    def __init__(self, texts: pd.Series, similarity: float) -> None:
        shingles = shingle(texts)
        self.first = same_shingles(shingles)
        """Per text the first one of the same shingles, which stands for all of them below."""
        distinct = self.first == np.arange(len(texts))
        self.candidates: Candidates = find_candidates(shingles, similarity, distinct)
        self.compared = 0

    def first_kept(self) -> Ints:
        """Per text the earlier kept one that it nearly equals, or itself: taken in order, a text is kept where it
        nearly equals none that is kept.

        A text is settled as kept once no earlier one that shares a bucket is open (the parallel greedy of Blelloch,
        Fineman and Shun, "Greedy sequential maximal independent set and matching are parallel on average", 2012).
        Raises DataError where too many texts resemble one another.
        """
        rows, buckets = self.candidates.rows, self.candidates.buckets
        stands = np.arange(len(self.first))
        while len(rows):
            starts, sizes = _runs(buckets)
            firsts = rows[starts]
            settled = (np.bincount(firsts, minlength=len(stands)) == np.bincount(rows, minlength=len(stands)))[firsts]
            later = np.repeat(settled, sizes)
            later[starts] = False
            first, second, _ = self._near(np.repeat(firsts, sizes)[later], rows[later])
            np.minimum.at(stands, second, first)
            open_ = stands[rows] == rows
            open_[starts[settled]] = False
            rows, buckets = _crowded(rows[open_], buckets[open_])
        return stands[self.first]

    def nearest(self, held: Mask, seeking: Mask) -> pd.DataFrame:
        """Of each seeking text that nearly equals a held one the most similar held one, in a crowd one that is similar
        enough; masks over the texts. Columns row, other, similarity. Raises DataError as `first_kept` does."""
        place = np.full(len(self.first), len(held))
        np.minimum.at(place, self.first[held], np.flatnonzero(held))  # the first held text of the same shingles
        has, seeks = place < len(held), np.zeros(len(place), bool)
        seeks[self.first[seeking]] = True
        equal = np.flatnonzero(has & seeks)
        pairs = [(equal, equal, np.ones(len(equal)))]
        pairs += self._search(has, seeks & ~has)
        seeker, other, index = (np.concatenate(parts) for parts in zip(*pairs, strict=True))
        order = np.lexsort((place[other], -index, seeker))
        best = order[np.flatnonzero(np.diff(seeker[order], prepend=-1))]
        at = np.full(len(self.first), -1)
        at[seeker[best]] = best
        row = np.flatnonzero(seeking & (at[self.first] >= 0))
        mine = at[self.first[row]]
        return pd.DataFrame({"row": row, "other": place[other[mine]], "similarity": index[mine]})

    def _search(self, held: Mask, seeks: Mask) -> Iterator[tuple[Ints, Ints, Floats]]:
        """Pairs (seeking, held) of texts, each seeking one with the held ones of its buckets, until it is settled."""
        some = held[self.candidates.rows]
        owners, buckets = self.candidates.rows[some], self.candidates.buckets[some]
        count = np.bincount(buckets, minlength=int(self.candidates.buckets.max(initial=0)) + 1)
        start = np.cumsum(count) - count
        some = seeks[self.candidates.rows]
        rows, buckets = self.candidates.rows[some], self.candidates.buckets[some]
        settled, done = np.zeros(len(seeks), bool), 0
        while True:
            waits = (count[buckets] > done) & ~(settled[rows] & (done >= CROWD))
            rows, buckets = rows[waits], buckets[waits]
            if not len(rows):
                return
            width = max(PAIRS // len(rows), 1)
            sizes = np.minimum(count[buckets] - done, width)
            at = np.repeat(start[buckets] + done - (np.cumsum(sizes) - sizes), sizes) + np.arange(sizes.sum())
            other, seeker, index = self._near(owners[at], np.repeat(rows, sizes))
            settled[seeker] = True
            done += width
            yield seeker, other, index

    def _near(self, first: Ints, second: Ints) -> tuple[Ints, Ints, Floats]:
        """Those of the pairs that are similar enough, each once, with their index."""
        codes = np.unique(first * len(self.first) + second)
        first, second = np.divmod(codes, len(self.first))
        self.compared += len(codes)
        if self.compared > MOST:
            raise DataError(
                f"more than {MOST:,} pairs of texts resemble one another and would be compared one by one; take out "
                "what they share (a template, a signature, a quotation) with the step `replace`, raise `similarity`, "
                "or do without near_duplicates (split: `near_copies: keep`)"
            )
        index = self.candidates.compare(first, second)
        near = index >= self.candidates.similarity
        return first[near], second[near], index[near]


def _runs(buckets: Ints) -> tuple[Ints, Ints]:
    """Where each bucket begins and how many entries it has."""
    starts = np.flatnonzero(np.append(True, buckets[1:] != buckets[:-1]))
    return starts, np.diff(np.append(starts, len(buckets)))


def _crowded(rows: Ints, buckets: Ints) -> tuple[Ints, Ints]:
    """The entries without those that are alone in their bucket."""
    if not len(rows):
        return rows, buckets
    sizes = _runs(buckets)[1]
    several = np.repeat(sizes, sizes) > 1
    return rows[several], buckets[several]
