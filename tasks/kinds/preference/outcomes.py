"""Compared replies as a paired test compares them. A champion that is scored again is held to the challenger's
reference and beta; of one whose own test is taken these are its own."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from ...learn.metrics import Floats
from ..outcomes import Columns
from .metrics import Compared, pair_statistics

KEYS = ("id", "rejected")
TRUTH = "preferred"
ANSWER = "log_ratio"
SCORES = ("reward_accuracy", "reward_margin", "loss")


def _compared(table: pd.DataFrame) -> Compared:
    names = ("log_ratio", "reference_log_ratio", "beta", "label_smoothing")
    return Compared(*(table[name].to_numpy(np.float64) for name in names))


def quality(table: pd.DataFrame) -> Floats:
    """Whether the chosen reply has the higher reward [pairs]."""
    return (_compared(table).margin > 0).astype(np.float64)


def statistics(table: pd.DataFrame, score: str, labels: Sequence[str]) -> Columns | None:
    """What a score is a function of; None where no paired test of it is known."""
    return pair_statistics(_compared(table), score) if score in SCORES else None
