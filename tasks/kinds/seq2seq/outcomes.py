"""Written texts as a paired test compares them."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from ...learn.metrics import Floats
from ...learn.resampling import ratio
from ...text.text_scores import text_statistics
from ..outcomes import Columns

KEYS = ("id",)
TRUTH = "true"
ANSWER = "written"


def quality(table: pd.DataFrame) -> Floats:
    """Exactly the target or not, blanks at both ends aside [rows]."""
    return np.asarray(table["written"].str.strip() == table["true"].str.strip(), float)


def statistics(table: pd.DataFrame, score: str, labels: Sequence[str]) -> Columns | None:
    """What a score is a function of; None where no paired test of it is known."""
    if score == "exact":
        return [quality(table), np.ones(len(table))], ratio
    return text_statistics(score, table["true"].tolist(), table["written"].tolist())
