"""Predicted labels as a paired test compares them."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from ...data.label_sets import read_sets
from ...learn.metrics import Floats
from ...learn.resampling import ratio
from ..class_outcomes import macro_f1
from ..outcomes import Columns
from .metrics import micro_f1

KEYS = ("id",)
TRUTH = "true"
ANSWER = "predicted"


def quality(table: pd.DataFrame) -> Floats:
    """Labels that a row has and gets, as a share of those that it has or gets (Jaccard); 1 where it is none [rows]."""
    pairs = zip(*_sides(table), strict=True)
    return np.array([len(true & predicted) / len(true | predicted) if true | predicted else 1.0
                     for true, predicted in pairs])  # fmt: skip


def statistics(table: pd.DataFrame, score: str, labels: Sequence[str]) -> Columns | None:
    """What a score is a function of; None where no paired test of it is known."""
    true, predicted = _sides(table)
    if score == "subset_accuracy":
        return [np.array([a == b for a, b in zip(true, predicted, strict=True)], float), np.ones(len(table))], ratio
    if score == "micro_f1":
        both = [a & b for a, b in zip(true, predicted, strict=True)]
        return [np.array([len(labels) for labels in side], float) for side in (both, true, predicted)], micro_f1
    if score != "macro_f1":
        return None
    has, gets = (
        np.array([[label in row_labels for label in labels] for row_labels in side], bool) for side in (true, predicted)
    )
    return [*(has & gets).T, *has.T, *gets.T], macro_f1


def _sides(table: pd.DataFrame) -> list[list[set[str]]]:
    return [[{*labels} for labels in read_sets(table[column])] for column in (TRUTH, ANSWER)]
