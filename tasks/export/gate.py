"""What an exported and the registered model predict for test rows -> named checks, each passed or not."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypedDict

import numpy as np
import pandas as pd

from ..artifact import digest_file
from ..data.errors import DataError
from ..data.predictions import from_logits
from ..kinds import outcomes
from ..learn import champion_test, metrics
from ..learn.metrics import Floats
from ..learn.shares import share_interval
from ..runtime.net import Arrays, Net
from .routes import Route

CALIBRATION = 0.01
"""By how much the expected calibration error of an exported classifier may be above that of its origin."""
SHOWN = 10
"""Rows whose prediction changed that a report names."""


@dataclass(frozen=True)
class Check:
    """One thing that is asked of an export: whether it holds, and what was seen, in words."""

    name: str
    passed: bool
    seen: str

    def line(self) -> "CheckLine":
        """As JSON has it."""
        return {"name": self.name, "passed": self.passed, "seen": self.seen}


@dataclass(frozen=True)
class Side:
    """What one of the two models gives for the same rows. table: as `evaluate` keeps predictions, truth included;
    scores: what its net gives, [rows or words, outputs]."""

    table: pd.DataFrame
    scores: Floats


@dataclass(frozen=True)
class Rules:
    """route: what is allowed by default. tolerance: of scores, in place of the route's. rule: the recipe's
    bootstrap, confidence and direction, and by how much `metric` may be worse. kind, labels: of the model. units:
    [rows], which rows are one independent unit; None where each is."""

    route: Route
    tolerance: float
    rule: champion_test.Rule
    kind: str
    metric: str
    labels: Sequence[str]
    units: Sequence[str] | None = None


class CheckLine(TypedDict):
    """A Check as JSON has it."""

    name: str
    passed: bool
    seen: str


class Sizes(TypedDict):
    """A number of each of the two."""

    registered: float
    exported: float


class GateReport(TypedDict, total=False):
    """What a gate came to, as JSON. rows: asked, of so many; left_out: those of them that could not be; bytes: of
    weights; cold_start: seconds; milliseconds: by rows of a batch and quantile; not_quantized: names of layers."""

    passed: bool
    checks: list[CheckLine]
    rows: int
    of: int
    left_out: int
    tolerance: float
    why: str
    bytes: Sizes
    cold_start: Sizes
    milliseconds: dict[str, dict[str, dict[str, float]]]
    changed: list[dict[str, object]]
    not_quantized: list[str]


def same_files(origin: Path, exported: Path, names: Sequence[str]) -> Check:
    """Whether the files that prepare inputs are those of the registered model, to the byte."""
    pairs = {name: (origin / name, exported / name) for name in names}
    odd = [
        name for name, (own, other) in pairs.items() if not other.is_file() or digest_file(own) != digest_file(other)
    ]
    seen = f"{odd[0]} is not the registered model's" if odd else f"{', '.join(names)} as registered"
    return Check("files", not odd, seen)


def same_origin(stated: str | None, digest: str) -> Check:
    """Whether the exported file states the digest of the model that it is to stand for."""
    if stated == digest:
        return Check("origin", True, f"made of the model with digest {digest[:16]}")
    return Check("origin", False, f"it states the digest {str(stated)[:16]}, the registered model has {digest[:16]}")


def same_inputs(read: Sequence[str], reads: Sequence[str]) -> Check:
    """Whether the exported net reads each input that the model's own net reads."""
    lacking = [name for name in reads if name not in read]
    return Check("inputs", not lacking, f"it does not read {lacking[0]}" if lacking else ", ".join(read))


def free_shapes(origin: Net, exported: Net, batches: Sequence[Arrays], tolerance: float) -> Check:
    """Whether the exported net gives what the origin's gives for batches of several numbers of rows and lengths, with
    and without padding. tolerance: by the spread of the origin's outputs."""
    shapes, farthest = [], 0.0
    for batch in batches:
        shape = "×".join(map(str, next(iter(batch.values())).shape[:2]))
        try:
            sides = origin(batch)[0], exported(batch)[0]
        except Exception as error:  # a runtime raises classes of its own where a shape is fixed
            return Check("shapes", False, f"batch of {shape}: {str(error).splitlines()[0][:200]}")
        if sides[0].shape != sides[1].shape:
            return Check("shapes", False, f"batch of {shape}: outputs {sides[1].shape}, not {sides[0].shape}")
        shapes.append(shape)
        farthest = max(farthest, apart(*sides))
    return Check("shapes", farthest <= tolerance, f"batches of {', '.join(shapes)}: at most {farthest:.2g} apart")


def apart(origin: Floats, exported: Floats) -> float:
    """The largest difference by the standard deviation of the origin's values; infinite where a value is no number."""
    if not np.isfinite(exported).all():
        return float("inf")
    spread = float(np.std(origin)) or 1.0
    return float(np.abs(exported.astype(np.float64) - origin).max(initial=0.0)) / spread


def compare(origin: Side, exported: Side, rules: Rules) -> Iterator[Check]:
    """The checks on test rows: scores, predictions, metric and, of classes, calibration and the classes predicted."""
    if origin.scores.shape != exported.scores.shape:
        yield Check("scores", False, f"{exported.scores.shape} of them, not {origin.scores.shape}")
        return
    far = apart(origin.scores, exported.scores)
    yield Check("scores", far <= rules.tolerance, f"at most {far:.2g} standard deviations apart")
    yield from compare_tables(origin.table, exported.table, rules)
    if "label" in origin.table and len(rules.labels) == origin.scores.shape[1]:
        yield _calibration(origin, exported, rules.labels)
        yield _classes(origin, exported)


def compare_tables(origin: pd.DataFrame, exported: pd.DataFrame, rules: Rules) -> Iterator[Check]:
    """The checks that need no scores: predictions and metric."""
    yield _predictions(origin, exported, rules)
    yield _metric(origin, exported, rules)


def _predictions(origin: pd.DataFrame, exported: pd.DataFrame, rules: Rules) -> Check:
    same = ~changed_rows(origin, exported, rules.kind)
    low, high = share_interval(int(same.sum()), len(same))
    rate = float(same.mean())
    seen = f"{int(same.sum()):,} of {len(same):,} stay ({rate:.2%}, 95 % interval {low:.2%} to {high:.2%})"
    return Check("predictions", rate >= rules.route.agreement, seen)


def changed_rows(origin: pd.DataFrame, exported: pd.DataFrame, kind: str) -> Any:
    """Whether the prediction of each row is another one [rows]; of numbers, by more than a thousandth of their
    spread."""
    column = outcomes.open_outcome(kind).ANSWER
    before, after = origin[column], exported[column]
    if pd.api.types.is_float_dtype(before):
        return (np.abs(after.to_numpy() - before.to_numpy())) > 1e-3 * (float(before.std(ddof=0)) or 1.0)
    return after.to_numpy() != before.to_numpy()


def _metric(origin: pd.DataFrame, exported: pd.DataFrame, rules: Rules) -> Check:
    """The metric must not be worse than the margin, by the paired test; rows that are all alike need no test."""
    metric = rules.metric
    try:
        sides = [outcomes.outcomes(table, rules.kind, metric, rules.labels) for table in (exported, origin)]
    except DataError as error:  # no paired test of it is known
        if not changed_rows(origin, exported, rules.kind).any():
            return Check("metric", True, f"{metric} has no paired test, and no prediction changed")
        return Check("metric", False, f"{metric} cannot be compared: {error}")
    if np.array_equal(sides[0].statistics, sides[1].statistics):
        return Check("metric", True, f"{metric} is the same on every row")
    try:
        fought = champion_test.contest(sides[0], sides[1], rules.rule, rules.units)
    except DataError as error:
        return Check("metric", False, f"{metric} cannot be compared: {error}")
    low, high = fought.difference.low, fought.difference.high
    seen = (
        f"{metric} {fought.challenger:.4f}, registered {fought.champion:.4f}: {fought.difference.mean:+.4f} "
        f"[{low:+.4f}, {high:+.4f}], allowed -{rules.rule.tolerance:.4g}"
    )
    return Check("metric", fought.finding == "not worse", seen)


def _calibration(origin: Side, exported: Side, labels: Sequence[str]) -> Check:
    truth = np.array([list(labels).index(label) for label in origin.table["label"]])
    before, after = (
        metrics.calibration(truth, from_logits(side.scores).probabilities)[0] for side in (origin, exported)
    )
    return Check("calibration", after - before <= CALIBRATION, f"error {after:.4f}, registered {before:.4f}")


def _classes(origin: Side, exported: Side) -> Check:
    before, after = (len(set(side.scores.argmax(1).tolist())) for side in (origin, exported))
    return Check("classes", after > 1 or before == 1, f"it predicts {after} of them, registered {before}")


def list_changes(origin: pd.DataFrame, exported: pd.DataFrame, kind: str) -> list[dict[str, object]]:
    """Some of the rows whose prediction changed, with both predictions and the truth."""
    outcome = outcomes.open_outcome(kind)
    at = np.flatnonzero(changed_rows(origin, exported, kind))[:SHOWN]
    before, after = origin.iloc[at], exported.iloc[at]
    keys = [name for name in outcome.KEYS if name in before]
    return [
        {**{key: _plain(row[key]) for key in keys}, "truth": _plain(row[outcome.TRUTH])}
        | {"registered": _plain(row[outcome.ANSWER]), "exported": _plain(other[outcome.ANSWER])}
        for (_, row), (_, other) in zip(before.iterrows(), after.iterrows(), strict=True)
    ]


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value


def conclude(report: GateReport, checks: Sequence[Check]) -> GateReport:
    """The report with its checks, and whether all of them hold."""
    return {**report, "passed": all(check.passed for check in checks), "checks": [check.line() for check in checks]}
