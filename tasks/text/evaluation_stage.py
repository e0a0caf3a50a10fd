"""What kinds that read texts share in `evaluate`: whether inference encodes them alike, and one row's prediction."""

from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd

from ..data.pairs import contents
from ..learn.metrics import Ids
from .segments import Encoded


def rows_encoded_otherwise(now: Encoded, then: Encoded, tail: int = 0) -> Ids:
    """Rows whose tokens are not the same, the last `tail` of each of `then` left out."""
    pairs = zip(pairwise(now.offsets), pairwise(then.offsets), strict=True)
    return np.flatnonzero([not np.array_equal(now.ids[a:b], then.ids[c : d - tail]) for (a, b), (c, d) in pairs])


def first_answer(load: Callable[[Any], Any], folder: Any, row: pd.DataFrame) -> Mapping[str, object]:
    """What the predictor of a model folder predicts for a table's only row, by column."""
    answer: Mapping[str, object] = load(folder).frame(contents(row)).iloc[0].to_dict()
    return answer
