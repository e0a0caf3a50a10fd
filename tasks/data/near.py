"""Nearly equal texts: texts in, pairs with the exact Jaccard index of their character shingles out.

Candidates come from MinHash (Broder, "On the resemblance and containment of documents", 1997) with locality-sensitive
hashing, through rensa; each candidate is then compared exactly, so that no dissimilar pair is reported. Two texts whose
index is the threshold itself are missed with a probability below 0.004, more similar ones more rarely.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

SHINGLE = 3
"""Characters in a shingle, case and runs of white space aside; a shorter text is one shingle."""
PERMUTATIONS = 256
SEED = 1
BLOCK = 50_000
"""Rows, or pairs, that are worked on at once: bounds the memory."""
CROWD = 32
"""In a larger group of candidates, each is compared with the first and with its neighbours only."""

Ints = npt.NDArray[np.int64]
Hashes = npt.NDArray[np.uint64]


@dataclass(frozen=True)
class Shingles:
    """Shingle hashes of all texts, one after the other; those of text i lie at offsets[i]:offsets[i + 1]."""

    hashes: Hashes
    offsets: Ints

    def take(self, rows: Ints) -> "Shingles":
        """Those of some texts."""
        counts = self.offsets[rows + 1] - self.offsets[rows]
        offsets = np.concatenate([[0], np.cumsum(counts)])
        at = np.arange(offsets[-1]) + np.repeat(self.offsets[rows] - offsets[:-1], counts)
        return Shingles(self.hashes[at], offsets)


def near_pairs(texts: pd.Series, similarity: float) -> pd.DataFrame:
    """Pairs of positions in `texts` (no missing ones) whose Jaccard index is at least `similarity`.

    Returns columns first, second (first < second), similarity; sorted.
    """
    shingles = shingle(texts)
    suspects = np.flatnonzero(_digests(shingles, _bands(similarity))[1])
    if not len(suspects):
        return pd.DataFrame({"first": [], "second": [], "similarity": []}).astype({"first": int, "second": int})
    among = shingles.take(suspects)
    first, second = _candidates(among, _bands(similarity))
    index = jaccard(among, first, second)
    kept = index >= similarity
    pairs = {"first": suspects[first[kept]], "second": suspects[second[kept]], "similarity": index[kept]}
    return pd.DataFrame(pairs).sort_values(["first", "second"], ignore_index=True)


def representatives(count: int, pairs: pd.DataFrame) -> Ints:
    """Per position the earlier one that stands for it, or itself: taken in order, a text is stood for by the first
    kept text that it nearly equals."""
    stands = np.arange(count)
    for first, second in zip(pairs["first"].tolist(), pairs["second"].tolist(), strict=True):
        if stands[first] == first and stands[second] == second:
            stands[second] = first
    return stands


def shingle(texts: pd.Series) -> Shingles:
    """Distinct shingle hashes of each text, sorted within the text."""
    blocks = [_shingle_block(texts.iloc[start : start + BLOCK]) for start in range(0, len(texts), BLOCK)]
    counts = np.concatenate([np.diff(block.offsets) for block in blocks] or [np.zeros(0, np.int64)])
    hashes = np.concatenate([block.hashes for block in blocks] or [np.zeros(0, np.uint64)])
    return Shingles(hashes, np.concatenate([[0], np.cumsum(counts)]))


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


def _bands(similarity: float) -> int:
    """The fewest bands of equal width with which a pair at the threshold is missed with a probability below 0.004."""
    for width in (16, 8, 4, 2):
        bands = PERMUTATIONS // width
        if (1 - similarity**width) ** bands < 0.004:
            return bands
    return PERMUTATIONS


def _digests(shingles: Shingles, bands: int) -> tuple[Any, npt.NDArray[np.bool_]]:
    """The MinHash matrix, and which texts share a band with another one."""
    from rensa import RMinHash, RMinHashLSH

    offsets = shingles.offsets.astype(np.uint64)
    matrix = RMinHash.digest_matrix_from_flat_token_hashes(shingles.hashes, offsets, PERMUTATIONS, SEED)
    lsh = RMinHashLSH(threshold=0.5, num_perm=PERMUTATIONS, num_bands=bands)
    return matrix, np.asarray(lsh.query_duplicate_flags_matrix_one_shot(matrix), bool)


def _candidates(shingles: Shingles, bands: int) -> tuple[Ints, Ints]:
    """Pairs that share a band, each once."""
    blocks = []
    for start in range(0, len(shingles.offsets) - 1, BLOCK):
        rows = np.arange(start, min(start + BLOCK, len(shingles.offsets) - 1))
        blocks.append(np.array(_digests(shingles.take(rows), bands)[0].to_rows(), np.uint32))
    digests = np.concatenate(blocks).reshape(-1, bands, PERMUTATIONS // bands)
    pairs = [_pairs_of(_number_of(digests[:, band])) for band in range(bands)]
    both = np.unique(np.concatenate(pairs), axis=0)
    return both[:, 0], both[:, 1]


def _number_of(digests: npt.NDArray[np.uint32]) -> Hashes:
    """One number per row of a band."""
    mixed = np.zeros(len(digests), np.uint64)
    for column in digests.T.astype(np.uint64):
        mixed = (mixed ^ column) * np.uint64(0x9E3779B97F4A7C15)
        mixed ^= mixed >> np.uint64(31)
    return mixed


def _pairs_of(keys: Hashes) -> Ints:
    """Positions with equal keys, as pairs (n x 2, smaller one first)."""
    order = np.argsort(keys, kind="stable")
    ranked = keys[order]
    start = np.flatnonzero(np.concatenate([[True], ranked[1:] != ranked[:-1]]))
    size = np.diff(np.append(start, len(keys)))
    place = np.arange(len(keys)) - np.repeat(start, size)
    found = [np.zeros((0, 2), np.int64)]
    for gap in range(1, min(int(size.max(initial=1)), CROWD)):
        later = np.flatnonzero(place >= gap)
        found.append(np.stack([order[later - gap], order[later]], 1))
    crowded = np.flatnonzero(place >= CROWD)
    firsts = order[np.repeat(start, size)[crowded]]
    return np.concatenate([*found, np.stack([firsts, order[crowded]], 1)])


def jaccard(shingles: Shingles, first: Ints, second: Ints) -> npt.NDArray[np.float64]:
    """The exact Jaccard index of pairs of texts."""
    found = [np.zeros(0)]
    for start in range(0, len(first), BLOCK):
        here = slice(start, start + BLOCK)
        left, right = shingles.take(first[here]), shingles.take(second[here])
        sizes = np.diff(left.offsets), np.diff(right.offsets)
        pair = np.concatenate([np.repeat(np.arange(len(size)), size) for size in sizes])
        hashes = np.concatenate([left.hashes, right.hashes])
        order = np.lexsort((hashes, pair))
        same = (pair[order][1:] == pair[order][:-1]) & (hashes[order][1:] == hashes[order][:-1])
        common = np.bincount(pair[order][1:][same], minlength=len(sizes[0]))
        found.append(common / (sizes[0] + sizes[1] - common))
    return np.concatenate(found)
