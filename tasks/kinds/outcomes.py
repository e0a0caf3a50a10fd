"""Predictions of test rows, as `evaluate` keeps them -> what a score is a function of, row by row; each kind's own part
lies in its module `outcomes`."""

import importlib
from collections.abc import Mapping, Sequence
from typing import Any, Protocol, cast

import numpy as np
import pandas as pd

from ..data.errors import DataError
from ..documents import Changed
from ..learn.metrics import Floats
from ..learn.resampling import Metric, Outcomes
from .spec import module_of

SHOWN = 10
"""Rows that are named of those that a challenger fixed, and of those that it broke."""
Columns = tuple[list[Any], Metric]
"""What a score is a function of: columns [rows], and the function of their sums."""


class Outcome(Protocol):
    """Module `outcomes` of a kind.

    KEYS: columns that name a scored row; TRUTH: the column of what is right; ANSWER: of what the model predicted.
    """

    KEYS: tuple[str, ...]
    TRUTH: str
    ANSWER: str

    def quality(self, table: pd.DataFrame) -> Floats:
        """How well each row was predicted [rows], more being better."""

    def statistics(self, table: pd.DataFrame, score: str, labels: Sequence[str]) -> Columns | None:
        """What `score` is a function of; None where no paired test of it is known."""


def open_outcome(kind: str) -> Outcome:
    """How predictions of a kind are compared."""
    return cast(Outcome, importlib.import_module(module_of(kind, "outcomes")))


def keys(kind: str) -> list[str]:
    """Columns that name a scored row: of a dialogue each turn is one."""
    return list(open_outcome(kind).KEYS)


def align(new: pd.DataFrame, old: pd.DataFrame, kind: str) -> pd.DataFrame:
    """Another model's predictions `old`, in the rows of `new` and in their order.

    Raises DataError where a row is missing, stands there twice, or has another truth.
    """
    outcome = open_outcome(kind)
    names, truth = list(outcome.KEYS), outcome.TRUTH
    for side in (new, old):
        absent = [name for name in (*names, truth, outcome.ANSWER) if name not in side]
        if absent:
            raise DataError(f"the predictions have no column {absent[0]!r}, only {list(side.columns)}")
        if side.duplicated(names).any():
            raise DataError(f"row {side.loc[side.duplicated(names), 'id'].iloc[0]} is predicted twice")
    merged = new[names].merge(old, on=names, how="left", indicator=True)
    missing = merged["_merge"] != "both"
    if missing.any():
        raise DataError(
            f"{int(missing.sum())} of {len(new)} test rows have no prediction, the first is "
            f"{merged.loc[missing, 'id'].iloc[0]}"
        )
    other = merged[truth].to_numpy() != new[truth].to_numpy()
    if other.any():
        at = int(np.flatnonzero(other)[0])
        values = f"{new[truth].iloc[at]} for one model and {merged[truth].iloc[at]} for the other"
        raise DataError(f"row {merged['id'][at]} has {truth!r} = {values}")
    return merged.drop(columns="_merge")


def outcomes(table: pd.DataFrame, kind: str, score: str, labels: Sequence[str] = ()) -> Outcomes:
    """What `score` is a function of. labels: the classes. Raises DataError for a score that no row has a part in."""
    statistics = open_outcome(kind).statistics(table, score, labels)
    if statistics is None:
        raise DataError(f"there is no paired test of {score} for models of encode.kind {kind}")
    columns, metric = statistics
    return Outcomes(np.stack([np.asarray(column, float) for column in columns], axis=-1), metric)


def quality(table: pd.DataFrame, kind: str) -> Floats:
    """How well each row was predicted [rows], more being better: right or not; of numbers the error, negated."""
    return open_outcome(kind).quality(table)


def changed(new: pd.DataFrame, old: pd.DataFrame, kind: str, known: Sequence[str] | None = None) -> Changed:
    """How many rows `new` predicts better and worse than `old` (aligned), and some of each: fixed, broken, examples.

    known: the classes of the old model; where every row that is fixed is of others, `unknown` lists these.
    """
    outcome = open_outcome(kind)
    gain = outcome.quality(new) - outcome.quality(old)
    order = np.argsort(-np.abs(gain), kind="stable")
    best, worst = order[gain[order] > 0], order[gain[order] < 0]
    truths = {str(label) for label in new[outcome.TRUTH].iloc[best]} if known else set()
    changes: Changed = {
        "fixed": len(best),
        "broken": len(worst),
        "examples": {
            name: [_example(new, old, outcome, int(at)) for at in places[:SHOWN]]
            for name, places in (("fixed", best), ("broken", worst))
        },
    }
    return {**changes, "unknown": sorted(truths)} if truths and not truths & set(known or ()) else changes


def _example(new: pd.DataFrame, old: pd.DataFrame, outcome: Outcome, at: int) -> Mapping[str, object]:
    named: Mapping[str, Any] = {name: new[name].iloc[at] for name in (*outcome.KEYS, outcome.TRUTH)}
    both = {**named, "challenger": new[outcome.ANSWER].iloc[at], "champion": old[outcome.ANSWER].iloc[at]}
    return {name: value.item() if hasattr(value, "item") else value for name, value in both.items()}
