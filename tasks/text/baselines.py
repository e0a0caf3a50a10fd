"""What a model of texts is compared with: TF-IDF with a regression, the most similar text."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ..data.pairs import TEXT, TEXT_PAIR, Content
from ..learn.metrics import majority

UNSPACED = r"\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff"
"""Letters of scripts without spaces between words (Thai, Lao, Burmese, Khmer, Japanese, Chinese)."""
WORD = rf"(?u)[{UNSPACED}]|[^\W{UNSPACED}]+"
"""A word; in a script without spaces a letter, so that pairs of words are pairs of letters there."""
Labels = npt.NDArray[np.int64]
MANY, WEIGHTS = 100, 4_000_000
"""Of more classes than MANY the logistic regression has at most so many weights: 32 MB a copy."""
BLOCK = 256
"""Texts that are compared with all known ones at a time."""


def nearest(known: list[str], asked: list[str]) -> Labels:
    """Per asked text the number of the known one that is most like it, by the cosine of their TF-IDF vectors (the
    first on a tie)."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    vectorizer = TfidfVectorizer(sublinear_tf=True, token_pattern=WORD)
    try:
        features = vectorizer.fit_transform(known)
    except ValueError:  # an empty vocabulary
        return np.zeros(len(asked), np.int64)
    blocks = [
        (vectorizer.transform(asked[start : start + BLOCK]) @ features.T).toarray().argmax(1)
        for start in range(0, len(asked), BLOCK)
    ]
    return np.concatenate(blocks) if blocks else np.empty(0, np.int64)


def tfidf(train_texts: Sequence[Content], train_labels: Labels, test_texts: Sequence[Content]) -> Labels:
    """Word and word-pair TF-IDF with L2-regularised logistic regression, scikit-learn's defaults otherwise; of pairs of
    texts as `tfidf_features` has it.

    Everything is fitted on training rows. Texts without any word at all get the commonest label. Where a
    regression of MANY classes would have more than WEIGHTS weights, of which its solver keeps a few dozen copies, the
    label is that of the class whose mean vector is most like the text (cosine; Rocchio 1971).
    """
    from sklearn.linear_model import LogisticRegression

    vectors = tfidf_features(train_texts, test_texts)
    if vectors is None:
        return majority(train_labels, len(test_texts))
    features, asked = vectors
    if (classes := len(np.unique(train_labels))) > MANY and classes * features.shape[1] > WEIGHTS:
        return _nearest_class(features, train_labels, asked)
    model = LogisticRegression(max_iter=1000).fit(features, train_labels)
    return np.asarray(model.predict(asked), np.int64)


def _nearest_class(features: Any, labels: Labels, asked: Any) -> Labels:
    """Per row of `asked` the class whose mean row of `features` (both sparse) is most like it by the cosine; the
    commonest class for a row without any feature."""
    from scipy.sparse import csr_matrix
    from sklearn.preprocessing import normalize

    classes, places = np.unique(labels, return_inverse=True)
    members = csr_matrix((np.ones(len(labels)), (places, np.arange(len(labels)))), (len(classes), len(labels)))
    means = normalize(members @ features).T.tocsr()
    blocks = [(asked[start : start + BLOCK] @ means).toarray() for start in range(0, asked.shape[0], BLOCK)]
    best = [np.where(like.any(1), classes[like.argmax(1)], np.bincount(labels).argmax()) for like in blocks]
    return np.concatenate([np.zeros(0, np.int64), *best])


def tfidf_ridge(
    train_texts: Sequence[Content], values: npt.NDArray[np.float64], test_texts: Sequence[Content]
) -> npt.NDArray[np.float64]:
    """Word and word-pair TF-IDF (see `tfidf_features`) with ridge regression, scikit-learn's defaults otherwise;
    numbers [test texts].

    Everything is fitted on training rows. Texts without any word at all get their mean.
    """
    from sklearn.linear_model import Ridge

    vectors = tfidf_features(train_texts, test_texts)
    if vectors is None:
        return np.full(len(test_texts), values.mean())
    features, asked = vectors
    return np.asarray(Ridge().fit(features, values).predict(asked), np.float64)


def tfidf_features(known: Sequence[Any], asked: Sequence[Any]) -> tuple[Any, Any] | None:
    """TF-IDF of words and word pairs of known texts, on which alone it is fitted, and of asked ones: sparse matrices;
    None where no known text has a word.

    Of pairs of texts the sum of both vectors, their product entry by entry, and its sum, the cosine of both.
    """
    from scipy.sparse import csr_matrix, hstack
    from sklearn.feature_extraction.text import TfidfVectorizer

    vectorizer = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, token_pattern=WORD)
    pairs = len(known) > 0 and not isinstance(known[0], str)
    try:
        vectorizer.fit([pair[side] for pair in known for side in (TEXT, TEXT_PAIR)] if pairs else known)
    except ValueError:  # an empty vocabulary: no word in any training text
        return None

    def features(texts: Sequence[Any]) -> Any:
        if not pairs:
            return vectorizer.transform(texts)
        first, second = (vectorizer.transform([pair[side] for pair in texts]) for side in (TEXT, TEXT_PAIR))
        shared = first.multiply(second)
        return hstack([first + second, shared, csr_matrix(shared.sum(axis=1))], format="csr")

    return features(known), features(asked)
