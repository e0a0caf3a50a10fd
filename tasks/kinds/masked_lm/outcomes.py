"""Predicted hidden tokens as a paired test compares them."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from ...learn.metrics import Floats
from ...learn.resampling import ratio
from ..outcomes import Columns
from .metrics import perplexity

KEYS = ("id",)
TRUTH = "tokens"
ANSWER = "right"


def quality(table: pd.DataFrame) -> Floats:
    """Tokens predicted right [rows]."""
    return np.asarray(table["right"], float)


def statistics(table: pd.DataFrame, score: str, labels: Sequence[str]) -> Columns | None:
    """What a score is a function of; None where no paired test of it is known."""
    known: dict[str, Columns] = {
        "accuracy": ([table["right"], table["tokens"]], ratio),
        "loss": ([table["loss"], table["tokens"]], ratio),
        "perplexity": ([table["loss"], table["tokens"]], perplexity),
    }
    return known.get(score)
