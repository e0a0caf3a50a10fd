"""Languages of many texts at once: a column of texts and py3langid's identifier in, the likeliest language of each out.

The identifier counts features of a text by an automaton over its bytes and adds up their weights (Lui and Baldwin,
"langid.py: an off-the-shelf language identification tool", 2012). Here the automaton goes through a block of texts side
by side.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from .minhash import blocks_of

CHARACTERS = 5_000
"""Characters of a text that are read."""
NO_LANGUAGE = "zxx"
"""A text in which the identifier knows no feature."""


def tell_languages(texts: pd.Series, identifier: Any) -> pd.Series:
    """The language code of each text (none missing); as `identifier.classify` gives it."""
    read = texts.str.slice(0, CHARACTERS)
    read = read.mask(read.str.isupper(), read.str.lower()).str.normalize("NFC")
    encoded = pd.Series([text.encode("utf-8", "surrogatepass") for text in read], dtype=object)
    sizes = encoded.map(len).to_numpy(np.int64)
    order = np.argsort(-sizes, kind="stable")
    model = _Model(identifier)
    languages = np.full(len(texts), NO_LANGUAGE, dtype=object)
    for here in blocks_of(sizes[order]):
        languages[order[here]] = model.tell(encoded.to_numpy()[order[here]].tolist())
    return pd.Series(languages, index=texts.index, dtype="str")


class _Model:
    """The identifier's tables as arrays."""

    def __init__(self, identifier: Any) -> None:
        self.next = np.asarray(identifier.tk_nextmove, np.int64)
        self.row = np.asarray(identifier.tk_row, np.int64) << 8
        self.feature = np.asarray(identifier.tk_output, np.int64)
        self.weights = np.asarray(identifier.nb_ptc, np.float32)
        self.prior = np.asarray(identifier.nb_pc, np.float32)
        self.names = np.array(identifier.nb_classes, dtype=object)

    def tell(self, texts: list[bytes]) -> npt.NDArray[np.object_]:
        """The language of each of some texts, the longest first."""
        from scipy.sparse import csr_array

        of, feature, counts = self._features(texts)
        at = np.concatenate([[0], np.cumsum(np.bincount(of, minlength=len(texts)))])
        seen = csr_array((np.log1p(counts.astype(np.float32)), feature, at), shape=(len(texts), len(self.weights)))
        best = np.asarray(seen @ self.weights + self.prior).argmax(1)
        return np.where(np.diff(at) > 0, self.names[best], NO_LANGUAGE)

    def _features(self, texts: list[bytes]) -> tuple[npt.NDArray[np.int64], ...]:
        """Text, feature and how often it occurs there."""
        letters = np.frombuffer(b"".join(texts), np.uint8)
        sizes = np.array(list(map(len, texts)), np.int64)
        start, state = np.cumsum(sizes) - sizes, np.zeros(len(texts), np.int64)
        features = [np.zeros(0, np.int64)]
        for place in range(int(sizes.max(initial=0))):
            reach = int(np.searchsorted(-sizes, -place))  # texts that have this byte
            state = self.next[self.row[state[:reach]] + letters[start[:reach] + place]]
            feature = self.feature[state]
            has = np.flatnonzero(feature >= 0)
            features.append(has * len(self.weights) + feature[has])
        codes, counts = np.unique(np.concatenate(features), return_counts=True)
        of, feature = np.divmod(codes, len(self.weights))
        return of, feature, counts
