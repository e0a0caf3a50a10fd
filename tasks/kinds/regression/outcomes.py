"""Predicted numbers as a paired test compares them."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from ...learn.metrics import Floats
from ...learn.resampling import ratio
from ..outcomes import Columns
from .metrics import moments, pearson, r2, root_mean

KEYS = ("id",)
TRUTH = "true"
ANSWER = "value"


def quality(table: pd.DataFrame) -> Floats:
    """The error, negated [rows]."""
    return np.asarray(-np.abs(table["value"].to_numpy(float) - table["true"].to_numpy(float)))


def statistics(table: pd.DataFrame, score: str, labels: Sequence[str]) -> Columns | None:
    """What a score is a function of; None where no paired test of it is known."""
    truth, ones = table["true"].to_numpy(float), np.ones(len(table))
    errors = table["value"].to_numpy(float) - truth
    centred = truth - truth.mean()
    known: dict[str, Columns] = {
        "rmse": ([errors**2, ones], root_mean),
        "mae": ([np.abs(errors), ones], ratio),
        "r2": ([errors**2, centred**2, centred, ones], r2),
        "pearson": (list(moments(truth, table["value"].to_numpy(float))), pearson),
    }
    return known.get(score)
