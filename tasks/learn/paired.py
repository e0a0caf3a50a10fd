"""Which rows the trainings of two recipes got right -> by how much they differ, and whether by more than chance."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy.signal import fftconvolve
from scipy.stats import binom
from scipy.stats import t as student

from .metrics import Floats, Ids

Right = npt.NDArray[np.bool_]
"""[trainings, rows]: whether the training of each seed predicted each test row correctly; of a model that stands, a
registered one, [1, rows]."""
Verdict = Literal["helped", "hurt", "undecided"]


@dataclass(frozen=True)
class Interval:
    """A mean over trainings and rows, and the ends of its confidence interval."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True)
class Pair:
    """How one recipe does against another on the same rows.

    difference: of the mean accuracies, above 0 where it is better. p: of the sign-flip test; p_holm: the same after
    Holm's correction. gained, lost: rows that it predicts correctly in more, or in fewer, of its trainings.
    """

    difference: Interval
    p: float
    p_holm: float
    gained: int
    lost: int
    verdict: Verdict


def compare(pairs: Sequence[tuple[Right, Right]], groups: Ids, confidence: float) -> list[Pair]:
    """Compare each pair (the recipe, what it is compared with); groups: [rows], the number of each row's group.

    `helped` or `hurt` needs both: an interval without 0 (of trainings and rows like these), and a sign-flip test (of
    these trainings) that rejects at 1 - confidence. Several pairs share the error: the intervals are Bonferroni's,
    the p-values Holm's (1979), so that any false verdict at all is as rare as with one pair. Rows of one group (one
    writer, say) are one unit. A side of one training is taken as a model that stands, in whose training chance has no
    part. Raises ValueError for fewer than two groups.
    """
    level = 1 - (1 - confidence) / len(pairs)
    grouped = [(_by_group(new, groups), _by_group(old, groups)) for new, old in pairs]
    p_values = [sign_flip(_more_often(new, old)) for new, old in grouped]
    comparisons = []
    for (new, old), sums, p, p_holm in zip(pairs, grouped, p_values, holm(p_values), strict=True):
        scale = sums[0].shape[1] / new.shape[1]
        difference = interval(sums[0] * scale, level, minus=sums[1] * scale)
        each = _more_often(new, old)
        verdict = _judge(difference, p_holm, 1 - confidence)
        comparisons.append(Pair(difference, p, p_holm, int((each > 0).sum()), int((each < 0).sum()), verdict))
    return comparisons


def _more_often(new: Ids | Right, old: Ids | Right) -> Ids:
    """Per column, in how many more trainings `new` is right; of sides with unequal numbers in as many of each."""
    common = np.lcm(len(new), len(old))
    each: Ids = new.sum(0) * (common // len(new)) - old.sum(0) * (common // len(old))
    return each


def _judge(difference: Interval, p: float, alpha: float) -> Verdict:
    if difference.low <= 0 <= difference.high or p > alpha:
        return "undecided"
    return "helped" if difference.mean > 0 else "hurt"


def accuracy(right: Right, groups: Ids, confidence: float) -> Interval:
    """Accuracy over trainings and rows, with its interval."""
    sums = _by_group(right, groups)
    estimate = interval(sums * (sums.shape[1] / right.shape[1]), confidence)
    return Interval(estimate.mean, max(estimate.low, 0.0), min(estimate.high, 1.0))


def _by_group(right: Right, groups: Ids) -> Ids:
    """Correct predictions [trainings, groups]."""
    return np.stack([np.bincount(groups, row).astype(np.int64) for row in right])


def interval(values: Floats, confidence: float, *, minus: Floats | None = None) -> Interval:
    """Mean of values [trainings, units], less that of `minus`, and its interval for other seeds and other units.

    A side of one training is a model that stands: chance has no part in it but by the units.

    Every training is scored on the same units, as every reader reads the same cases in a reader study, so the variance
    has a part of the trainings and one of the units, from the mean squares of that design (Obuchowski and Rockette
    1995; Hillis 2007). The units of the two sides are paired, their trainings are not: a seed in common makes two nets
    no more alike. Each part has Student's factor of its own degrees of freedom (Welch's for the trainings), and the two
    are added in quadrature (Zou and Donner 2008), which keeps the level where one factor on their sum does not. Nor
    does a bootstrap over trainings and rows: with so few trainings it is far too narrow (`tests/test_paired.py`).
    Raises ValueError for fewer than two units.
    """
    units = values.shape[1]
    if units < 2:
        raise ValueError(f"{units} independent rows or groups; two are needed")
    by_unit = values.mean(0) if minus is None else values.mean(0) - minus.mean(0)
    drawn = [side for side in (values, minus) if side is not None and len(side) > 1]
    parts = np.array([side.mean(1).var(ddof=1) / len(side) for side in drawn])
    of_trainings, squares = (
        float(parts.sum()),
        sum(part**2 / (len(side) - 1) for part, side in zip(parts, drawn, strict=True)),
    )
    of_units = max(float(by_unit.var(ddof=1)) - sum(_noise(side) / len(side) for side in drawn), 0.0) / units
    freedom = of_trainings**2 / squares if of_trainings else 1.0
    t_trainings, t_units = student.ppf((1 + confidence) / 2, [freedom, units - 1])
    half = float(np.sqrt(t_trainings**2 * of_trainings + t_units**2 * of_units))
    mean = float(by_unit.mean())
    return Interval(mean, mean - half, mean + half)


def _noise(values: Floats) -> float:
    """Mean square of what neither the training nor the unit explains."""
    rest = values - values.mean(1, keepdims=True) - values.mean(0) + values.mean()
    freedom = (values.shape[0] - 1) * (values.shape[1] - 1)
    return float((rest**2).sum() / freedom)


def sign_flip(differences: Ids) -> float:
    """Two-sided p of a sum of differences [units] if each could as well have the other sign; exact.

    Fisher's randomisation test (1935); McNemar's exact test where all differences are -1, 0 or 1. The distribution of
    the sum is the convolution of one binomial distribution per size of difference.
    """
    sizes, counts = np.unique(np.abs(differences[differences != 0]), return_counts=True)
    chances = np.ones(1)  # of the sum over the units with a plus sign
    for size, count in zip(sizes, counts, strict=True):
        chances_of_size = np.zeros(size * count + 1)
        chances_of_size[::size] = binom.pmf(np.arange(count + 1), count, 0.5)
        chances = fftconvolve(chances, chances_of_size)
    total, most = abs(int(differences.sum())), len(chances) - 1
    tail = chances[(most + total) // 2 :].sum()
    return float(np.clip(2 * tail, np.finfo(float).tiny, 1.0))


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjusted p-values of tests that are made together, in their order (Holm 1979)."""
    order = np.argsort(p_values)
    scaled = np.asarray(p_values)[order] * np.arange(len(p_values), 0, -1)
    adjusted = np.empty(len(p_values))
    adjusted[order] = np.minimum(np.maximum.accumulate(scaled), 1.0)
    return [float(value) for value in adjusted]
