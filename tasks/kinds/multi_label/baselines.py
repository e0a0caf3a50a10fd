"""What a model of several labels is compared with: predictions fitted on training rows alone."""

from collections.abc import Sequence

import numpy as np

from ...text.baselines import tfidf_features
from .thresholds import Floats, Truth, choose_thresholds

HELD_OUT = 0.2
"""Share of the training rows, the last ones, on which thresholds of the TF-IDF baseline are chosen."""


def predict_by(
    name: str, texts: Sequence[str], known: Truth, asked: Sequence[str], thresholds: str
) -> tuple[Truth, Floats]:
    """Predicted labels and their probabilities, both [asked, labels]; known: labels of the training texts.

    majority: the commonest set of labels, with each label's share as its probability; tfidf: a logistic regression per
    label, whose thresholds are chosen as the recipe's are (see encode.thresholds), on training rows that are held out.
    """
    if name == "majority":
        sets, counts = np.unique(known, axis=0, return_counts=True)
        return np.tile(sets[counts.argmax()], (len(asked), 1)), np.tile(known.mean(0), (len(asked), 1))
    cut = len(texts) - int(len(texts) * HELD_OUT)
    held_out = one_versus_rest(texts[:cut], known[:cut], texts[cut:])
    levels = choose_thresholds(known[cut:], held_out, thresholds)
    probabilities = one_versus_rest(texts, known, asked)
    return probabilities >= levels, probabilities


def one_versus_rest(texts: Sequence[str], known: Truth, asked: Sequence[str]) -> Floats:
    """Probabilities [asked, labels] of a logistic regression per label on TF-IDF of words and word pairs; of a label
    that all training rows have, or none, its share."""
    from sklearn.linear_model import LogisticRegression

    probabilities = np.tile(known.mean(0), (len(asked), 1))
    features = tfidf_features(texts, asked) if len(asked) else None
    if features is None:
        return probabilities
    for at in np.flatnonzero(known.any(0) & ~known.all(0)):
        model = LogisticRegression(max_iter=1000).fit(features[0], known[:, at])
        probabilities[:, at] = model.predict_proba(features[1])[:, 1]
    return probabilities
