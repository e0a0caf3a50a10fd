"""Probabilities and labels of validation rows -> the threshold from which on each label is predicted."""

import numpy as np
import numpy.typing as npt

FILE = "thresholds.json"
HALF = 0.5
Truth = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]


def choose_thresholds(truth: Truth, probabilities: Floats, how: str) -> Floats:
    """One threshold per label [labels], from validation rows [rows, labels] alone.

    how: `one` for all labels, with the best micro-F1; `per_label` with the best F1 of each label, 0.5 for one that no
    row has; `half` is 0.5, as all are where there are no rows.
    """
    labels = truth.shape[1]
    if how == "half" or not len(truth):
        return np.full(labels, HALF)
    if how == "one":
        return np.full(labels, best_threshold(truth.ravel(), probabilities.ravel()))
    return np.array([best_threshold(truth[:, at], probabilities[:, at]) for at in range(labels)])


def best_threshold(truth: Truth, probabilities: Floats) -> float:
    """The threshold whose predictions (at least as probable) have the best F1, midway to the next lower probability;
    of several the one nearest to 0.5. 0.5 where nothing is true."""
    if not truth.any():
        return HALF
    order = np.argsort(-probabilities, kind="stable")
    ranked, hits = probabilities[order], np.cumsum(truth[order])
    f1 = 2 * hits / (np.arange(1, len(ranked) + 1) + truth.sum())
    ends = np.flatnonzero(np.append(ranked[:-1] > ranked[1:], True))  # equal probabilities go together
    below = np.append(ranked[1:], 0.0)[ends]
    middles = (ranked[ends] + below) / 2
    middles = np.where(middles > below, middles, ranked[ends])  # neighbours of which no number lies between
    candidates = middles[f1[ends] >= f1[ends].max() - 1e-12]
    return float(candidates[np.abs(candidates - HALF).argmin()])
