"""Predicted entities as a paired test compares them, sentence by sentence."""

from collections.abc import Sequence

import pandas as pd

from ...learn.metrics import Floats
from ..outcomes import Columns
from .metrics import METRICS, count_entities
from .predictor import read_entities

KEYS = ("id",)
TRUTH = "true"
ANSWER = "predicted"


def _counts(table: pd.DataFrame) -> list[Floats]:
    true, predicted = (list(map(read_entities, table[name])) for name in (TRUTH, ANSWER))
    return count_entities(true, predicted)


def quality(table: pd.DataFrame) -> Floats:
    """Entities that were missed and those that are none, negated [rows]."""
    right, true, predicted = _counts(table)
    return 2 * right - true - predicted


def statistics(table: pd.DataFrame, score: str, labels: Sequence[str]) -> Columns | None:
    """What a score is a function of; None where no paired test of it is known."""
    metric = METRICS.get(score)
    return None if metric is None else (list(_counts(table)), metric)
