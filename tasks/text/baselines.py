"""What a model of texts is compared with: TF-IDF with a regression, the most similar text."""

from typing import Any

import numpy as np
import numpy.typing as npt

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


def tfidf(train_texts: list[str], train_labels: Labels, test_texts: list[str]) -> Labels:
    """Word and word-pair TF-IDF with L2-regularised logistic regression, scikit-learn's defaults otherwise.

    Everything is fitted on training rows. Texts without any word at all get the commonest label. Where a
    regression of MANY classes would have more than WEIGHTS weights, of which its solver keeps a few dozen copies, the
    label is that of the class whose mean vector is most like the text (cosine; Rocchio 1971).
    """
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression

    vectorizer = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, token_pattern=WORD)
    try:
        features = vectorizer.fit_transform(train_texts)
    except ValueError:  # an empty vocabulary: no word in any training text
        return majority(train_labels, len(test_texts))
    if (classes := len(np.unique(train_labels))) > MANY and classes * features.shape[1] > WEIGHTS:
        return _nearest_class(features, train_labels, vectorizer.transform(test_texts))
    model = LogisticRegression(max_iter=1000).fit(features, train_labels)
    return np.asarray(model.predict(vectorizer.transform(test_texts)), np.int64)


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
    train_texts: list[str], values: npt.NDArray[np.float64], test_texts: list[str]
) -> npt.NDArray[np.float64]:
    """Word and word-pair TF-IDF with ridge regression, scikit-learn's defaults otherwise; numbers [test texts].

    Everything is fitted on training rows. Texts without any word at all get their mean.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import Ridge

    vectorizer = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, token_pattern=WORD)
    try:
        features = vectorizer.fit_transform(train_texts)
    except ValueError:  # an empty vocabulary: no word in any training text
        return np.full(len(test_texts), values.mean())
    return np.asarray(Ridge().fit(features, values).predict(vectorizer.transform(test_texts)), np.float64)
