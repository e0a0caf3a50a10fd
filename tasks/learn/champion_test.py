"""A challenger's and the champion's outcomes on the same rows -> which is better by more than chance, and by slices."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
from scipy.optimize import brentq
from scipy.stats import norm
from scipy.stats import t as student

from ..data.errors import DataError
from .metrics import Floats
from .paired import Interval, sign_flip
from .resampling import Outcomes, Resampling, ratio, sum_by_group

FEWEST = 10
"""Units that must differ before a bootstrap over them is believed."""
POWER = 0.8
"""With how much power the further rows would decide, were the difference the one that was seen."""
Finding = Literal["better", "not worse", "worse", "undecided"]


@dataclass(frozen=True)
class Rule:
    """What is asked of a challenger.

    how: resamples, confidence and seed of the bootstrap. tolerance: None asks for better; a number for not worse by
    more than it, in the score's unit. sign: 1 where more of the score is better, -1 where less is.
    """

    how: Resampling
    tolerance: float | None = None
    sign: int = 1


@dataclass(frozen=True)
class Contest:
    """What the rows say: both scores, by how much the challenger is better (with interval), and the finding.

    p: two-sided, of McNemar's exact test (of the sign-flip test over groups); None where an interval alone decides.
    rows, units: how many were scored, and how many of them are independent. more: about how many further rows would
    decide; None where the finding is one, or where no number would.
    """

    challenger: float
    champion: float
    difference: Interval
    p: float | None
    test: str
    rows: int
    units: int
    finding: Finding
    more: int | None = None


@dataclass(frozen=True)
class Slice:
    """One value of a column (None: the rows without one): its rows, and the contest on them; None where they are too
    few to be judged."""

    column: str
    value: str | None
    rows: int
    contest: Contest | None

    @property
    def regressed(self) -> bool:
        """Whether the challenger is worse there by more than chance (and than the tolerance)."""
        return self.contest is not None and self.contest.finding == "worse"


def contest(new: Outcomes, old: Outcomes, rule: Rule, groups: Sequence[str] | None = None) -> Contest:
    """Test a challenger against the champion on the same rows.

    groups: [rows], the unit that each row belongs to; else each row is one. Shares of right rows: McNemar's exact test
    (1947) and Tango's score interval for paired shares (1998), which holds where few rows or none differ; of groups
    the exact sign-flip test and Student's interval. The rest: paired bootstrap, which draws units for both sides at
    once. Raises DataError where a score is undefined.
    """
    sides = [outcome.metric(outcome.statistics.sum(0)) for outcome in (new, old)]
    challenger, champion = (float(value) for value in sides)
    if not math.isfinite(challenger) or not math.isfinite(champion):
        raise DataError(f"the score is undefined on these rows: challenger {challenger}, champion {champion}")
    tables = [
        sum_by_group(outcomes.statistics, groups) if groups is not None else outcomes.statistics
        for outcomes in (new, old)
    ]
    mean, differing = rule.sign * (challenger - champion), int((tables[0] != tables[1]).any(1).sum())
    p, enough, confidence = None, differing >= FEWEST, rule.how.confidence
    if new.metric is ratio and all(_is_share(outcomes.statistics) for outcomes in (new, old)):
        gains = rule.sign * (tables[0][:, 0] - tables[1][:, 0])
        p = sign_flip(np.rint(gains).astype(np.int64))
        if groups is None:
            ends, error, test, enough = *tango(gains, confidence), "McNemar, exact", True
        else:
            ends, error = student_interval(gains, tables[0][:, 1], confidence)
            test, enough = "sign flips over groups, exact", error > 0
    else:
        ends, error = _bootstrap(new, tables, rule)
        test = "paired bootstrap"
    difference, rows = Interval(mean, *ends), len(new.statistics)
    finding = _find(difference, p, rule) if enough else "undecided"
    far = mean + (rule.tolerance or 0.0)
    more = _more(rows, far, error, confidence) if enough and finding == "undecided" else None
    return Contest(challenger, champion, difference, p, test, rows, len(tables[0]), finding, more)


def _is_share(statistics: Floats) -> bool:
    """Whether the rows are right or wrong, each counting once."""
    return bool((statistics[:, 1] == 1).all() and np.isin(statistics[:, 0], (0, 1)).all())


def _find(difference: Interval, p: float | None, rule: Rule) -> Finding:
    if rule.tolerance is not None:
        if difference.low > -rule.tolerance:
            return "not worse"
        return "worse" if difference.high < -rule.tolerance else "undecided"
    if difference.low <= 0 <= difference.high or (p is not None and p > 1 - rule.how.confidence):
        return "undecided"
    return "better" if difference.mean > 0 else "worse"


def tango(gains: Floats, confidence: float) -> tuple[tuple[float, float], float]:
    """Score interval of the mean of gains [rows], each -1, 0 or 1 (Tango 1998), and the mean's standard error.

    Without any row that differs it is 0 give or take z² / (rows + z²), where Wald's interval has no width.
    """
    rows, gained, lost = len(gains), int((gains > 0).sum()), int((gains < 0).sum())
    z, mean = float(norm.ppf((1 + confidence) / 2)), (gained - lost) / len(gains)

    def score(shift: float) -> float:
        b = shift * (2 * rows - gained + lost) - gained - lost
        c = -lost * shift * (1 - shift)
        wrong = (math.sqrt(max(b * b - 8 * rows * c, 0.0)) - b) / (4 * rows)
        spread = rows * (2 * wrong + shift * (1 - shift))
        return (gained - lost - rows * shift) / math.sqrt(max(spread, 1e-300))

    edge = 1 - 1e-12
    low = brentq(lambda shift: score(shift) - z, -edge, mean - 1e-12) if mean > -edge else -1.0
    high = brentq(lambda shift: score(shift) + z, mean + 1e-12, edge) if mean < edge else 1.0
    return (float(low), float(high)), math.sqrt(max((gained + lost) / rows - mean**2, 0.0) / rows)


def student_interval(gains: Floats, sizes: Floats, confidence: float) -> tuple[tuple[float, float], float]:
    """Interval of the gain per row from groups' gains and sizes [groups], and its standard error.

    Of a ratio of sums, linearised (Cochran 1977), with Student's factor for so few groups. Raises DataError for one.
    """
    count, rows = len(gains), float(sizes.sum())
    if count < 2:
        raise DataError("the test rows are of one group; a paired test needs two or more")
    mean = float(gains.sum()) / rows
    error = math.sqrt(count / (count - 1) * float(((gains - mean * sizes) ** 2).sum())) / rows
    half = float(student.ppf((1 + confidence) / 2, count - 1)) * error
    return (mean - half, mean + half), error


def _bootstrap(new: Outcomes, tables: Sequence[Floats], rule: Rule) -> tuple[tuple[float, float], float]:
    """Percentile interval of the difference (Efron 1979), and its standard error, over units drawn for both sides."""
    drawn = [
        new.metric(counts @ tables[0]) - new.metric(counts @ tables[1]) for counts in rule.how.counts(len(tables[0]))
    ]
    values = rule.sign * np.concatenate(drawn)
    ends = rule.how.interval(values)
    if ends is None:
        raise DataError("the score is undefined on every resample of these rows")
    return ends, float(np.nanstd(values))


def _more(rows: int, distance: float, error: float, confidence: float) -> int | None:
    """Further rows at which a difference this far from what decides would be found, with POWER; to two digits."""
    if abs(distance) < 1e-12 or error == 0:
        return None
    factor = float(norm.ppf((1 + confidence) / 2) + norm.ppf(POWER)) * error / abs(distance)
    wanted = max(rows * (factor**2 - 1), 1.0)
    unit = 10.0 ** max(math.floor(math.log10(wanted)) - 1, 0)
    return math.ceil(wanted / unit) * int(unit)


def slices(
    sides: tuple[Outcomes, Outcomes],
    rule: Rule,
    *,
    groups: Sequence[str] | None,
    rows: pd.DataFrame,
    smallest: Mapping[str, int],
) -> list[Slice]:
    """The contest on every value of some columns of `rows` (one per outcome), where it has enough rows.

    sides: the challenger's outcomes and the champion's. smallest: column to that number. Raises DataError for a column
    that is not there, or of which no value has enough.
    """
    tested, (new, old) = [], sides
    for column, least in smallest.items():
        if column not in rows:
            raise DataError(f"the test rows have no column {column!r} to slice by; name it in download.columns.keep")
        places = _places(rows[column])
        if (most := max(map(len, places.values()))) < least:
            raise DataError(f"no value of {column!r} has {least} test rows; the commonest has {most}")
        for value, here in places.items():
            own = None if groups is None else [groups[int(at)] for at in here]
            judged = _slice_contest(new.of(here), old.of(here), rule, own) if len(here) >= least else None
            tested.append(Slice(column, value, len(here), judged))
    return tested


def _places(column: pd.Series) -> dict[str | None, Any]:
    """The rows of each value, in the values' order, behind them those without one."""
    number = np.arange(len(column))
    there = column.notna().to_numpy()
    named = column[there].astype("str").to_numpy()
    places: dict[str | None, Any] = {str(value): number[there][named == value] for value in sorted(set(named))}
    return places if there.all() else places | {None: number[~there]}


def _slice_contest(new: Outcomes, old: Outcomes, rule: Rule, groups: Sequence[str] | None) -> Contest | None:
    """The contest on a slice; None where the score means nothing there for either (no call is due, say)."""
    if not any(math.isfinite(float(side.metric(side.statistics.sum(0)))) for side in (new, old)):
        return None
    return contest(new, old, rule, groups)
