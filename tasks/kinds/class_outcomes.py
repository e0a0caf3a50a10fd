"""Predicted classes as a paired test compares them."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from ..learn.metrics import Floats
from ..learn.resampling import ratio
from .outcomes import Columns

KEYS = ("id",)
TRUTH = "label"
ANSWER = "predicted"


def quality(table: pd.DataFrame) -> Floats:
    """Right or not [rows]."""
    return np.asarray(table["label"] == table["predicted"], float)


def statistics(table: pd.DataFrame, score: str, labels: Sequence[str]) -> Columns | None:
    """What a score is a function of; None where no paired test of it is known."""
    if score == "accuracy":
        return [quality(table), np.ones(len(table))], ratio
    if score != "macro_f1":
        return None
    true, predicted = (
        table[column].to_numpy()[:, None] == np.asarray(labels, object) for column in ("label", "predicted")
    )
    return [*(true & predicted).T, *true.T, *predicted.T], macro_f1


def macro_f1(sums: Floats) -> Floats:
    """Unweighted mean of the classes' F1, of sums [..., 3 * classes]: rightly found, true, found."""
    right, true, predicted = np.split(sums, 3, axis=-1)
    return np.asarray((2 * right / np.maximum(true + predicted, 1)).mean(-1))
