"""Words and characters of many texts as counts: a column of texts in, sparse matrices of hashed features out."""

from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from .minhash import MIX, Hashes, Ints, blocks_of

LENGTHS = (2, 3, 4)
"""Characters in a piece of a word, white space at its ends counted as one character."""
PRIME = np.uint64(0x100000001B3)

Mask = npt.NDArray[np.bool_]


def count_words(texts: pd.Series, features: int) -> Any:
    """How often each word, and each pair of neighbouring words, stands in a text: rows x features (CSR, float32).

    Words are runs of letters, digits and underscores, case aside.
    """
    return _stack(texts, features, _words)


def count_pieces(texts: pd.Series, features: int) -> Any:
    """How often each run of 2 to 4 characters within a word stands in a text: rows x features (CSR, float32).

    The white space on either side of a word is a character of it, as in scikit-learn's analyzer `char_wb`.
    """
    return _stack(texts, features, _pieces)


def _stack(texts: pd.Series, features: int, hashed: Any) -> Any:
    from scipy.sparse import csr_array, vstack

    blocks = [csr_array((0, features), dtype=np.float32)]
    lengths = np.asarray(texts.str.len(), np.int64) + 2
    for here in blocks_of(lengths * len(LENGTHS)):
        letters, of = _letters(texts.iloc[here])
        rows, hashes = hashed(letters, of)
        codes, counts = np.unique(rows * features + (hashes % np.uint64(features)).astype(np.int64), return_counts=True)
        rows, columns = np.divmod(codes, features)
        count = here.stop - here.start
        at = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=count))]).astype(np.int32)
        shape = (count, features)
        blocks.append(csr_array((counts.astype(np.float32), columns.astype(np.int32), at), shape=shape))
    return vstack(blocks, format="csr")


def _letters(texts: pd.Series) -> tuple[npt.NDArray[np.uint32], Ints]:
    """All letters in lower case, a blank before and behind each text, and the text of each letter."""
    plain = " " + texts.str.lower().str.replace(r"\s+", " ", regex=True).str.strip() + " "
    lengths = plain.str.len().to_numpy(np.int64)
    letters = np.frombuffer("".join(plain).encode("utf-32-le", "surrogatepass"), np.uint32)
    return letters, np.repeat(np.arange(len(lengths)), lengths)


def _pieces(letters: npt.NDArray[np.uint32], of: Ints) -> tuple[Ints, Hashes]:
    """Text and hash of each piece: no blank inside it, nor nothing but a blank and the next text's."""
    blank, pieces = letters == ord(" "), []
    for length in LENGTHS:
        windows = max(len(letters) - length + 1, 0)
        fits = of[:windows] == of[length - 1 :][:windows]
        hashed = np.full(windows, length, np.uint64)
        for step in range(length):
            if 0 < step < length - 1:
                fits &= ~blank[step : step + windows]
            hashed = (hashed ^ letters[step : step + windows]) * PRIME
            hashed ^= hashed >> np.uint64(29)
        pieces.append((of[:windows][fits], hashed[fits] * MIX >> np.uint64(20)))
    rows, hashes = zip(*pieces, strict=True)
    return np.concatenate(rows), np.concatenate(hashes)


def _words(letters: npt.NDArray[np.uint32], of: Ints) -> tuple[Ints, Hashes]:
    """Text and hash of each word and of each pair: a word's is the sum of its letters times powers of a prime."""
    inside = _is_word()[letters]
    edges = np.diff(inside.astype(np.int8), prepend=0, append=0)  # a blank lies between the words of two texts
    start, stop = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)
    size = stop - start
    place = np.arange(size.sum()) - np.repeat(np.cumsum(size) - size, size)
    powers = np.cumprod(np.full(int(size.max(initial=0)), PRIME))
    each = (letters[inside] + MIX) * powers[place]
    words = np.add.reduceat(each, np.cumsum(size) - size) if len(size) else each
    words = (words ^ (words >> np.uint64(29))) * MIX
    rows = of[start]
    pair = rows[1:] == rows[:-1]
    pairs = (words[:-1] * PRIME + words[1:])[pair] * MIX
    return np.concatenate([rows, rows[1:][pair]]), np.concatenate([words, pairs]) >> np.uint64(20)


@cache
def _is_word() -> Mask:
    r"""Which code points Python's \w takes."""
    return np.array([c == "_" or c.isalnum() for c in map(chr, range(0x110000))])
