"""True and predicted numbers -> RMSE, MAE, R², Pearson's and Spearman's correlation, with intervals over rows."""

import numpy as np

from ...learn.metrics import Floats, Ids
from ...learn.resampling import Estimate, Measures, Resampling, divide, estimate, ratio


def score_numbers(truth: Floats, predicted: Floats, how: Resampling) -> Measures:
    """Scores of predictions [rows], each with its `_interval`; rmse and mae in the target's unit.

    r2: 1 - squared error / squared deviation of the truth from its mean, below 0 for what is worse than that mean;
    None where the truth is one number. pearson: linear correlation; spearman: correlation of ranks, ties at their mean
    rank; both None where either side is one number. Raises ValueError for different lengths, and for what is not a
    finite number.
    """
    if truth.shape != predicted.shape or truth.ndim != 1:
        raise ValueError(f"truth {truth.shape} and predictions {predicted.shape} must both be [rows]")
    for name, values in (("truth", truth), ("prediction", predicted)):
        if not np.isfinite(values).all():
            row = int(np.flatnonzero(~np.isfinite(values))[0])
            raise ValueError(f"the {name} of row {row} is {values[row]}; it must be a finite number")
    ones, errors = np.ones(len(truth)), predicted - truth
    centred = truth - truth.mean() if len(truth) else truth  # far from 0 the sums of squares would lose their digits
    return {
        "rows": len(truth),
        **estimate([errors**2, ones], root_mean, how).facts("rmse"),
        **estimate([np.abs(errors), ones], ratio, how).facts("mae"),
        **estimate([errors**2, centred**2, centred, ones], r2, how).facts("r2"),
        **estimate(moments(truth, predicted), pearson, how).facts("pearson"),
        **_spearman(truth, predicted, how).facts("spearman"),
    }


def root_mean(sums: Floats) -> Floats:
    """Root of the first sum over the second, [..., 2] to [...]."""
    return np.sqrt(ratio(sums))


def r2(sums: Floats) -> Floats:
    """Coefficient of determination of the sums of squared errors, squared truths, truths and ones, [..., 4]."""
    squares, count = sums[..., 1], sums[..., 3]
    spread = squares - divide(sums[..., 2] ** 2, count)
    return 1 - divide(sums[..., 0], np.where(spread > 1e-12 * squares, spread, 0))


def moments(truth: Floats, predicted: Floats) -> list[Floats]:
    """What Pearson's correlation is a function of, row by row; both sides less their mean, which keeps digits."""
    x, y = (values - values.mean() if len(values) else values for values in (truth, predicted))
    return [x * y, x * x, y * y, x, y, np.ones(len(truth))]


def pearson(sums: Floats) -> Floats:
    """Pearson's correlation of the sums of `moments`, [..., 6] to [...]; NaN where a side is one number."""
    xy, xx, yy, x, y, count = (sums[..., place] for place in range(6))
    a, b = xx - divide(x * x, count), yy - divide(y * y, count)
    fine = (a > 1e-12 * xx) & (b > 1e-12 * yy)
    return divide(xy - divide(x * y, count), np.where(fine, np.sqrt(np.abs(a * b)), 0))


def _spearman(truth: Floats, predicted: Floats, how: Resampling) -> Estimate:
    if len(truth) < 2:
        return Estimate(None, None)
    value = float(spearman(truth, predicted, np.ones((1, len(truth)), np.int64))[0])
    if np.isnan(value):
        return Estimate(None, None)
    drawn = [spearman(truth, predicted, counts) for counts in how.counts(len(truth))]
    return Estimate(value, how.interval(np.concatenate(drawn)))


def spearman(truth: Floats, predicted: Floats, counts: Ids) -> Floats:
    """Spearman's correlation [samples] of samples that have row r `counts[sample, r]` times; NaN without spread."""
    a, b = (_ranks(values, counts) for values in (truth, predicted))
    rows = counts.sum(1, keepdims=True)
    a, b = a - (a * counts).sum(1, keepdims=True) / rows, b - (b * counts).sum(1, keepdims=True) / rows
    spread = np.sqrt((a * a * counts).sum(1) * (b * b * counts).sum(1))
    return divide((a * b * counts).sum(1), spread)


def _ranks(values: Floats, counts: Ids) -> Floats:
    """Rank of each row's value in each sample, [samples, rows]; ties have the mean of their ranks."""
    _, places = np.unique(values, return_inverse=True)
    order = np.argsort(places, kind="stable")
    starts = np.flatnonzero(np.diff(places[order], prepend=-1))
    tied = np.add.reduceat(counts[:, order], starts, axis=1)
    ranks = np.cumsum(tied, axis=1) - (tied - 1) / 2
    return np.asarray(ranks[:, places])
