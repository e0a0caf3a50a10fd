"""Written turns as a paired test compares them."""

import json
from collections.abc import Sequence

import numpy as np
import pandas as pd

from ...learn.metrics import Floats
from ..outcomes import Columns
from .metrics import Turn, turn_statistics

KEYS = ("id", "turn")
TRUTH = "true"
ANSWER = "written"


def quality(table: pd.DataFrame) -> Floats:
    """The true message or not [turns]."""
    return np.array(
        [json.loads(a) == json.loads(b) for a, b in zip(table["true"], table["written"], strict=True)], float
    )


def statistics(table: pd.DataFrame, score: str, labels: Sequence[str]) -> Columns | None:
    """What a score is a function of; None where no paired test of it is known."""
    given = zip(table["id"], table["turn"], table["true"], table["written"], table["ended"], strict=True)
    turns = [
        Turn(row, int(place), json.loads(true), json.loads(written), bool(ended))
        for row, place, true, written, ended in given
    ]
    return turn_statistics(turns, score)
