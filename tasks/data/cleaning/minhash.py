"""Nearly equal texts: texts in, the exact Jaccard index of their character shingles out.

Candidates come from MinHash (Broder, "On the resemblance and containment of documents", 1997) with locality-sensitive
hashing, through rensa. Those of which the low bytes of the signatures already show that they differ (Li and König,
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
ROW_BITS = 16
"""Of the 64 bits of a number that holds a text's place in a block and a hash."""
MIX = np.uint64(0x9E3779B97F4A7C15)
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
    """Distinct shingle hashes (of 48 bits) of each text (none may be missing), sorted within the text."""
    lengths = texts.str.len().to_numpy(np.int64)
    hashes = np.empty(int(np.maximum(lengths, SHINGLE).sum()), np.uint64)
    counts, filled = np.zeros(len(texts), np.int64), 0
    for here in blocks_of(np.maximum(lengths, BLOCK >> ROW_BITS)):
        shingles, counts[here] = _shingle_block(texts.iloc[here])
        if filled + len(shingles) > len(hashes):  # folding case makes some letters two or three
            hashes = np.concatenate([hashes[:filled], np.empty(len(hashes) // 2 + len(shingles), np.uint64)])
        hashes[filled : filled + len(shingles)] = shingles
        filled += len(shingles)
    return Shingles(hashes[:filled], np.concatenate([[0], np.cumsum(counts)]))


def blocks_of(weights: Ints, limit: int | None = None) -> Iterator[slice]:
    """Slices of consecutive items that weigh about BLOCK (or `limit`) together, one item at least."""
    at = np.flatnonzero(np.diff(np.cumsum(weights) // (limit or BLOCK), prepend=-1))
    for start, stop in pairwise([*at, len(weights)]):
        yield slice(int(start), int(stop))


def _shingle_block(texts: pd.Series) -> tuple[Hashes, Ints]:
    """The hashes of up to 2 to the power of ROW_BITS texts, and how many each has."""
    plain = texts.str.casefold().str.replace(r"\s+", " ", regex=True).str.strip().str.pad(SHINGLE, "right", "\x01")
    lengths = plain.str.len().to_numpy(np.int64)
    letters = np.frombuffer("".join(plain).encode("utf-32-le", "surrogatepass"), np.uint32)
    windows = max(len(letters) - SHINGLE + 1, 0)
    hashed = np.full(windows, 0xCBF29CE484222325, np.uint64)  # FNV-1a's constants over whole letters, then mixed
    for step in range(SHINGLE):
        hashed ^= letters[step : step + windows]
        hashed *= np.uint64(0x100000001B3)
        hashed ^= hashed >> np.uint64(29)
    rows = np.repeat(np.arange(len(lengths)), lengths)
    inside = rows[:windows] == rows[SHINGLE - 1 :][:windows]
    ranked = np.sort(_joined(rows[:windows][inside], hashed[inside]))
    ranked = ranked[np.concatenate([[True], ranked[1:] != ranked[:-1]])[: len(ranked)]]
    return ranked << np.uint64(ROW_BITS), np.bincount(_row_of(ranked), minlength=len(lengths))


def _joined(rows: Ints, hashes: Hashes) -> Hashes:
    """One number, the row in front, so that sorting it sorts both; the last ROW_BITS bits of the hash are lost."""
    return rows.astype(np.uint64) << np.uint64(64 - ROW_BITS) | hashes >> np.uint64(ROW_BITS)


def _row_of(joined: Hashes) -> Ints:
    return (joined >> np.uint64(64 - ROW_BITS)).astype(np.int64)


def same_shingles(shingles: Shingles) -> Ints:
    """Per text the first text that has the same shingles."""
    count = len(shingles.sizes)
    sums = np.zeros((2, count), np.uint64)
    for here in blocks_of(shingles.sizes):
        start = shingles.offsets[here.start : here.stop + 1]
        hashes = shingles.hashes[start[0] : start[-1]]
        for number, mixed in enumerate((hashes, (hashes ^ (hashes >> np.uint64(32))) * MIX)):
            sums[number, here] = np.add.reduceat(mixed, start[:-1] - start[0])
    table = pd.DataFrame({"one": sums[0], "other": sums[1], "size": shingles.sizes, "at": np.arange(count)})
    return table.groupby(["one", "other", "size"], sort=False)["at"].transform("first").to_numpy(np.int64)


def find_candidates(shingles: Shingles, similarity: float, among: npt.NDArray[np.bool_]) -> Candidates:
    """Texts that share a band of their signatures with another one, both among those of the mask."""
    bands = _bands(similarity)
    suspects = np.flatnonzero(_sharing(shingles, bands) & among)
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
        mixed = (mixed ^ column) * MIX
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
    mixed = (rows.astype(np.uint64) + np.uint64(1)) * MIX
    mixed = (mixed ^ (mixed >> np.uint64(31))) * np.uint64(0xBF58476D1CE4E5B9)
    sums = np.add.reduceat(mixed, np.cumsum(sizes) - sizes)
    new = np.zeros(len(sizes), bool)
    new[np.unique(sums, return_index=True)[1]] = True
    return rows[np.repeat(new, sizes)], np.repeat(np.arange(new.sum()), sizes[new])


def jaccard(shingles: Shingles, first: Ints, second: Ints) -> Floats:
    """The exact Jaccard index of pairs of texts."""
    index, sizes = np.zeros(len(first)), shingles.sizes
    for here in blocks_of(np.maximum(sizes[first] + sizes[second], BLOCK >> ROW_BITS)):
        sides = [shingles.take(first[here]), shingles.take(second[here])]
        pairs = [_joined(np.repeat(np.arange(len(side.sizes)), side.sizes), side.hashes) for side in sides]
        ranked = np.sort(np.concatenate(pairs))
        common = np.bincount(_row_of(ranked[1:][ranked[1:] == ranked[:-1]]), minlength=len(first[here]))
        index[here] = common / (sizes[first[here]] + sizes[second[here]] - common)
    return index
