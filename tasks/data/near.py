"""Nearly equal texts: texts in, the exact Jaccard index of their character shingles out.

Candidates come from MinHash (Broder, "On the resemblance and containment of documents", 1997) with locality-sensitive
hashing, through rensa. Those of which the low bytes of the signatures already tell that they differ (Li and König,
"b-Bit Minwise Hashing", 2010) are passed over; the others are compared exactly, so that no dissimilar pair is reported.
Two texts whose index is the threshold itself are missed with a probability below 0.004, more similar ones more rarely.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

SHINGLE = 3
"""Characters in a shingle, case and runs of white space aside; a shorter text is one shingle."""
PERMUTATIONS = 256
SEED = 1
ROWS = 4_096
"""Signatures that rensa hands over as Python numbers at once."""
BLOCK = 2**23
"""Letters, shingles or bytes that are worked on at once: bounds the memory however long the texts are."""
DEVIATIONS = 4.0
"""Standard errors by which the agreement of two signatures may fall short of the threshold."""

Ints = npt.NDArray[np.int64]
Hashes = npt.NDArray[np.uint64]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Shingles:
    """Shingle hashes of all texts, one after the other; those of text i lie at offsets[i]:offsets[i + 1]."""

    hashes: Hashes
    offsets: Ints

    @property
    def sizes(self) -> Ints:
        """Distinct shingles of each text."""
        return np.diff(self.offsets)

    def take(self, rows: Ints) -> "Shingles":
        """Those of some texts."""
        counts = self.offsets[rows + 1] - self.offsets[rows]
        offsets = np.concatenate([[0], np.cumsum(counts)])
        at = np.arange(offsets[-1]) + np.repeat(self.offsets[rows] - offsets[:-1], counts)
        return Shingles(self.hashes[at], offsets)


@dataclass(frozen=True)
class Candidates:
    """Texts and the buckets that they share with others: entry i says that text rows[i] lies in buckets[i]; sorted by
    bucket, then by text. `low` holds the low byte of each MinHash value, texts x PERMUTATIONS."""

    shingles: Shingles
    rows: Ints
    buckets: Ints
    low: npt.NDArray[np.uint8]
    similarity: float

    def compare(self, first: Ints, second: Ints) -> Floats:
        """The exact Jaccard index of pairs of texts; 0 where it is certainly below the threshold."""
        spread = np.sqrt(self.similarity * (1 - self.similarity) / PERMUTATIONS)
        least = (self.similarity - DEVIATIONS * spread) * PERMUTATIONS
        index, step = np.zeros(len(first)), BLOCK // PERMUTATIONS
        for start in range(0, len(first), step):
            here = slice(start, start + step)
            equal = (self.low[first[here]] == self.low[second[here]]).sum(1)
            close = start + np.flatnonzero(equal >= least)
            index[close] = jaccard(self.shingles, first[close], second[close])
        return index


def shingle(texts: pd.Series) -> Shingles:
    """Distinct shingle hashes of each text (none may be missing), sorted within the text."""
    lengths = texts.str.len().to_numpy(np.int64)
    blocks = [_shingle_block(texts.iloc[here]) for here in blocks_of(lengths)]
    counts = np.concatenate([block.sizes for block in blocks] or [np.zeros(0, np.int64)])
    hashes = np.concatenate([block.hashes for block in blocks] or [np.zeros(0, np.uint64)])
    return Shingles(hashes, np.concatenate([[0], np.cumsum(counts)]))


def blocks_of(weights: Ints) -> Iterator[slice]:
    """Slices of consecutive items that weigh about BLOCK together, one item at least."""
    at = np.flatnonzero(np.diff(np.cumsum(weights) // BLOCK, prepend=-1))
    for start, stop in pairwise([*at, len(weights)]):
        yield slice(int(start), int(stop))


def _shingle_block(texts: pd.Series) -> Shingles:
    plain = texts.str.casefold().str.replace(r"\s+", " ", regex=True).str.strip().str.pad(SHINGLE, "right", "\x01")
    lengths = plain.str.len().to_numpy(np.int64)
    letters = np.frombuffer("".join(plain).encode("utf-32-le", "surrogatepass"), np.uint32)
    windows = max(len(letters) - SHINGLE + 1, 0)
    hashed = np.full(windows, 0xCBF29CE484222325, np.uint64)  # FNV-1a's constants over whole letters, then mixed
    for step in range(SHINGLE):
        hashed ^= letters[step : step + windows]
        hashed *= np.uint64(0x100000001B3)
        hashed ^= hashed >> np.uint64(29)
    rows = np.repeat(np.arange(len(lengths)), lengths)[:windows]
    ends = np.cumsum(lengths)
    inside = np.arange(windows) + SHINGLE <= ends[rows]
    rows, hashed = rows[inside], hashed[inside]
    order = np.lexsort((hashed, rows))
    rows, hashed = rows[order], hashed[order]
    new = np.ones(len(rows), bool)
    new[1:] = (rows[1:] != rows[:-1]) | (hashed[1:] != hashed[:-1])
    counts = np.bincount(rows[new], minlength=len(lengths))
    return Shingles(hashed[new], np.concatenate([[0], np.cumsum(counts)]))


def same_shingles(shingles: Shingles) -> Ints:
    """Per text the first text that has the same shingles."""
    starts = shingles.offsets[:-1]
    mixed = (shingles.hashes ^ (shingles.hashes >> np.uint64(32))) * np.uint64(0x9E3779B97F4A7C15)
    sums = [np.add.reduceat(hashes, starts) if len(starts) else hashes for hashes in (shingles.hashes, mixed)]
    table = pd.DataFrame({"one": sums[0], "other": sums[1], "size": shingles.sizes, "at": np.arange(len(starts))})
    return table.groupby(["one", "other", "size"], sort=False)["at"].transform("first").to_numpy(np.int64)


def find_candidates(shingles: Shingles, similarity: float) -> Candidates:
    """Texts that share a band of their signatures with another one; their numbers are those in `shingles`."""
    bands = _bands(similarity)
    suspects = np.flatnonzero(_sharing(shingles, bands))
    keys = np.empty((bands, len(suspects)), np.uint64)
    low = np.zeros((len(shingles.sizes), PERMUTATIONS), np.uint8)  # pages that are never written take no memory
    for start in range(0, len(suspects), ROWS):
        here = suspects[start : start + ROWS]
        digests = np.array(_digests(shingles.take(here)).to_rows(), np.uint32)
        low[here] = digests.astype(np.uint8)
        for band, columns in enumerate(np.split(digests, bands, axis=1)):
            keys[band, start : start + ROWS] = _number_of(columns)
    entries = [_shared(band) for band in keys]
    sizes = np.concatenate([sizes for _, sizes in entries])
    rows = suspects[np.concatenate([rows for rows, _ in entries])]
    return Candidates(shingles, *_different(rows, sizes), low, similarity)


def _bands(similarity: float) -> int:
    """The fewest bands of equal width with which a pair at the threshold is missed with a probability below 0.004."""
    for width in (16, 8, 4, 2):
        bands = PERMUTATIONS // width
        if (1 - similarity**width) ** bands < 0.004:
            return bands
    return PERMUTATIONS


def _digests(shingles: Shingles) -> Any:
    from rensa import RMinHash

    offsets = shingles.offsets.astype(np.uint64)
    return RMinHash.digest_matrix_from_flat_token_hashes(shingles.hashes, offsets, PERMUTATIONS, SEED)


def _sharing(shingles: Shingles, bands: int) -> npt.NDArray[np.bool_]:
    """Which texts share a band with another one."""
    from rensa import RMinHashLSH

    lsh = RMinHashLSH(threshold=0.5, num_perm=PERMUTATIONS, num_bands=bands)
    return np.asarray(lsh.query_duplicate_flags_matrix_one_shot(_digests(shingles)), bool)


def _number_of(digests: npt.NDArray[np.uint32]) -> Hashes:
    """One number per row of a band."""
    mixed = np.zeros(len(digests), np.uint64)
    for column in digests.T.astype(np.uint64):
        mixed = (mixed ^ column) * np.uint64(0x9E3779B97F4A7C15)
        mixed ^= mixed >> np.uint64(31)
    return mixed


def _shared(keys: Hashes) -> tuple[Ints, Ints]:
    """Positions whose key another one has, by key, and how many positions have each of these keys."""
    order = np.argsort(keys, kind="stable")
    ranked = keys[order]
    start = np.flatnonzero(np.concatenate([[True], ranked[1:] != ranked[:-1]]))[: len(keys)]
    size = np.diff(np.append(start, len(keys)))
    return order[np.repeat(size, size) > 1], size[size > 1]


def _different(rows: Ints, sizes: Ints) -> tuple[Ints, Ints]:
    """The entries (text, bucket) without buckets of the same texts as an earlier one: near texts share many bands."""
    if not len(sizes):
        return rows, rows
    mixed = (rows.astype(np.uint64) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(31))) * np.uint64(0xBF58476D1CE4E5B9)
    sums = np.add.reduceat(mixed, np.cumsum(sizes) - sizes)
    new = np.zeros(len(sizes), bool)
    new[np.unique(sums, return_index=True)[1]] = True
    return rows[np.repeat(new, sizes)], np.repeat(np.arange(new.sum()), sizes[new])


def jaccard(shingles: Shingles, first: Ints, second: Ints) -> Floats:
    """The exact Jaccard index of pairs of texts."""
    index = np.zeros(len(first))
    for here in blocks_of(shingles.sizes[first] + shingles.sizes[second]):
        left, right = shingles.take(first[here]), shingles.take(second[here])
        pair = [np.repeat(np.arange(len(side.sizes)), side.sizes) for side in (left, right)]
        hashes = [side.hashes + at.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)  # apart from those of other pairs
                  for side, at in zip((left, right), pair, strict=True)]  # fmt: skip
        order = np.argsort(np.concatenate(hashes))
        ranked, of = np.concatenate(hashes)[order], np.concatenate(pair)[order]
        common = np.bincount(of[1:][ranked[1:] == ranked[:-1]], minlength=len(left.sizes))
        index[here] = common / (left.sizes + right.sizes - common)
    return index
