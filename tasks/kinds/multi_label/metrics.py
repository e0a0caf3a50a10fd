"""True and predicted labels [rows, labels], and their probabilities -> scores with bootstrap intervals over rows."""

from typing import Any

import numpy as np

from ...learn.metrics import Floats, Ids
from ...learn.resampling import Estimate, Resampling, divide, estimate, estimate_each, ratio
from ..class_outcomes import macro_f1
from .thresholds import Truth

CELLS = 2**22
"""Counts of resampled rows that are summed at once."""


def score_labels(truth: Truth, predicted: Truth, probabilities: Floats, how: Resampling) -> dict[str, Any]:
    """Scores, each with its `_interval`.

    micro_f1: over all pairs of row and label; macro_f1: unweighted mean over labels, 0 for one that is neither true
    nor predicted; average_precision: area below precision by recall, mean over labels that a row has;
    subset_accuracy: share of rows with exactly their labels.
    """
    both = truth & predicted
    sums = [labels.sum(1).astype(float) for labels in (both, truth, predicted)]
    columns = [*both.T.astype(float), *truth.T.astype(float), *predicted.T.astype(float)]
    exact = (truth == predicted).all(1).astype(float)
    return {
        **estimate(sums, micro_f1, how).facts("micro_f1"),
        **estimate(columns, macro_f1, how).facts("macro_f1"),
        **_average_precision(truth, probabilities, how).facts("average_precision"),
        **estimate([exact, np.ones(len(truth))], ratio, how).facts("subset_accuracy"),
    }


def micro_f1(sums: Floats) -> Floats:
    """F1 of sums [..., 3]: rightly predicted, true, predicted; 0 where nothing is true or predicted."""
    right, true, predicted = (sums[..., place] for place in range(3))
    return np.asarray(2 * right / np.maximum(true + predicted, 1))


def score_each(labels: tuple[str, ...], truth: Truth, predicted: Truth, how: Resampling) -> list[dict[str, Any]]:
    """Of each label its F1 with interval, precision and recall (None where undefined), rows that have and get it."""
    sums = np.stack([truth & predicted, truth, predicted], axis=-1).astype(float)
    table = []
    for at, (label, f1) in enumerate(zip(labels, estimate_each(sums, _f1, how), strict=True)):
        right, due, given = sums[:, at].sum(0)
        table.append(
            {
                "label": label,
                **f1.facts("f1"),
                "precision": float(right / given) if given else None,
                "recall": float(right / due) if due else None,
                "true": int(due),
                "predicted": int(given),
            }
        )
    return table


def _f1(sums: Floats) -> Floats:
    return divide(2 * sums[..., 0], sums[..., 1] + sums[..., 2])


def _average_precision(truth: Truth, probabilities: Floats, how: Resampling) -> Estimate:
    value = float(average_precision(truth, probabilities, np.ones((1, len(truth)), np.int64))[0])
    if np.isnan(value):
        return Estimate(None, None)
    size = max(1, CELLS // len(truth))
    drawn = [
        average_precision(truth, probabilities, counts[start : start + size])
        for counts in how.counts(len(truth))
        for start in range(0, len(counts), size)
    ]
    return Estimate(value, how.interval(np.concatenate(drawn)))


def average_precision(truth: Truth, probabilities: Floats, counts: Ids) -> Floats:
    """Mean average precision [samples] over labels that a row has, of samples that have row r `counts[sample, r]`
    times; rows of equal probability are ranked together, as scikit-learn does. NaN where no row has a label."""
    total, known = np.zeros(len(counts)), np.zeros(len(counts))
    drawn = np.ascontiguousarray(counts.T, dtype=np.float32)  # whole numbers, exact below 2**24 rows
    for at in np.flatnonzero(truth.any(0)):
        order = np.argsort(-probabilities[:, at], kind="stable")
        right = truth[order, at]
        last = _last_of_ties(probabilities[order, at])[np.flatnonzero(right)]
        ends, groups = np.unique(last, return_inverse=True)  # ranks at which a true row is gained
        every = np.cumsum(np.add.reduceat(drawn[order[: ends[-1] + 1]], np.append(0, ends[:-1] + 1), axis=0), axis=0)
        starts = np.flatnonzero(np.diff(groups, prepend=-1))
        gained = np.add.reduceat(drawn[order[right]], starts, axis=0)
        right_so_far = np.cumsum(gained, axis=0)
        area = (gained * np.divide(right_so_far, every, out=np.zeros_like(right_so_far), where=every > 0)).sum(0)
        total += np.where(right_so_far[-1] > 0, area / np.maximum(right_so_far[-1], 1), 0)
        known += right_so_far[-1] > 0
    return divide(total, known)


def _last_of_ties(ranked: Floats) -> Ids:
    """For each rank the last one of equal probability [rows]."""
    ends = np.flatnonzero(np.append(ranked[:-1] != ranked[1:], True))
    return ends[np.searchsorted(ends, np.arange(len(ranked)))]
