"""Metrics that are functions of sums over units (rows, dialogues) -> their values and bootstrap intervals."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .metrics import Floats, Ids

Metric = Callable[[Floats], Floats]
"""Sums [..., statistics] to values [...], NaN where the metric is undefined."""
Measures = dict[str, float | tuple[float, float] | None]
"""Scores by name, each with its `_interval`, and counts; None where one is undefined."""
BLOCK = 2**22
"""Counts drawn at once."""


@dataclass(frozen=True)
class Outcomes:
    """statistics [rows, k], and the score as a function of their sums over rows."""

    statistics: Floats
    metric: Metric

    def of(self, rows: Any) -> "Outcomes":
        """Those of some rows (a mask or positions)."""
        return Outcomes(self.statistics[rows], self.metric)


@dataclass(frozen=True)
class Resampling:
    """How intervals are made: the number of resamples, the confidence they are for, and the seed."""

    resamples: int = 1000
    confidence: float = 0.95
    seed: int = 0

    def counts(self, units: int) -> Iterator[Ids]:
        """How often each of `units` is drawn, [resamples, units] in blocks of resamples."""
        draw = np.random.default_rng(self.seed)
        size = max(1, BLOCK // units)
        for start in range(0, self.resamples, size):
            yield draw.multinomial(units, np.full(units, 1 / units), min(size, self.resamples - start))

    def interval(self, values: Floats) -> tuple[float, float] | None:
        """Percentile interval (Efron 1979) of a metric's values [resamples]; None if no resample has one."""
        known = values[~np.isnan(values)]
        if not len(known):
            return None
        low, high = np.quantile(known, [(1 - self.confidence) / 2, (1 + self.confidence) / 2])
        return float(low), float(high)


@dataclass(frozen=True)
class Estimate:
    """A metric's value, None where it is undefined, and its interval, None where one unit or none bears on it."""

    value: float | None
    interval: tuple[float, float] | None

    def facts(self, name: str) -> Measures:
        """As a report has it: `name` and `name_interval`."""
        return {name: self.value, f"{name}_interval": self.interval}


def estimate(
    statistics: Sequence[Floats], metric: Metric, how: Resampling, groups: Sequence[str] | None = None
) -> Estimate:
    """A metric of the sums of statistics (each [rows]), and its interval over resampled units.

    groups: [rows], the unit that a row belongs to, such as its dialogue (rows of one are not independent: a bootstrap
    over rows would be too narrow, Field and Welsh 2007); else each row is one. Resamples in which the metric is
    undefined do not count.
    """
    table = np.stack(statistics, axis=-1).astype(float)
    sums = table if groups is None else sum_by_group(table, groups)
    value = float(metric(sums.sum(0)))
    if np.isnan(value):
        return Estimate(None, None)
    if np.count_nonzero(sums.any(1)) < 2:
        return Estimate(value, None)
    return Estimate(value, how.interval(np.concatenate([metric(counts @ sums) for counts in how.counts(len(sums))])))


def estimate_each(statistics: Floats, metric: Metric, how: Resampling) -> list[Estimate]:
    """As `estimate` of each of statistics [rows, items, k], with one drawing of rows for all items."""
    rows, items, width = statistics.shape
    flat = statistics.reshape(rows, -1)
    drawn = [metric((counts @ flat).reshape(-1, items, width)) for counts in how.counts(rows)] if rows else []
    values, several = metric(statistics.sum(0)), statistics.any(2).sum(0) > 1
    return [
        Estimate(None, None)
        if np.isnan(values[item])
        else Estimate(
            float(values[item]),
            how.interval(np.concatenate([draws[:, item] for draws in drawn])) if several[item] else None,
        )
        for item in range(items)
    ]


def ratio(sums: Floats) -> Floats:
    """The first sum over the second; NaN where that is 0."""
    return divide(sums[..., 0], sums[..., 1])


def divide(numerator: Floats, denominator: Floats) -> Floats:
    """A quotient; NaN where the denominator is 0."""
    empty = denominator == 0
    return np.where(empty, np.nan, numerator / np.where(empty, 1, denominator))


def sum_by_group(table: Floats, groups: Sequence[str]) -> Floats:
    """Sums of rows [rows, k] over groups, [groups, k]."""
    _, numbers = np.unique(np.asarray(groups, dtype=str), return_inverse=True)
    sums = np.zeros((int(numbers.max(initial=-1)) + 1, table.shape[1]))
    np.add.at(sums, numbers, table)
    return sums
