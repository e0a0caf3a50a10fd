"""What kinds that read texts share in `evaluate`: the rows that were encoded, and the check that inference encodes them
alike."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd

from ..artifact import Artifact
from ..data.errors import DataError
from ..data.rows import read_rows
from ..learn.metrics import Ids
from .parts import Part, read_part
from .segments import Encoded


@dataclass(frozen=True)
class EncodedTables:
    """Raw training and test rows in the order in which they are encoded, and the test part."""

    train: pd.DataFrame
    test: pd.DataFrame
    part: Part


def open_tables(encoded: Artifact, splits: Artifact) -> EncodedTables:
    """The raw rows of what was encoded."""
    parts = {name: read_part(encoded.file(f"{name}.parquet")) for name in ("train", "test")}
    train, test = (read_rows(splits.file(f"{name}.parquet")).set_index("id").loc[part.ids].reset_index()
                   for name, part in parts.items())  # fmt: skip
    return EncodedTables(train, test, parts["test"])


def rows_encoded_otherwise(now: Encoded, then: Encoded, tail: int = 0) -> Ids:
    """Rows whose tokens are not the same, the last `tail` of each of `then` left out."""
    pairs = zip(pairwise(now.offsets), pairwise(then.offsets), strict=True)
    return np.flatnonzero([not np.array_equal(now.ids[a:b], then.ids[c : d - tail]) for (a, b), (c, d) in pairs])


def require_same(odd: Ids, rows: pd.DataFrame) -> None:
    """Raise DataError where inference encodes some rows otherwise than training did."""
    if len(odd):
        raise DataError(f"row {rows['id'].iloc[odd[0]]} is encoded otherwise at inference than in training")


def first_answer(load: Callable[[Any], Any], folder: Any, row: pd.DataFrame) -> dict[str, Any]:
    """What the predictor of a model folder predicts for a table's only row, by column."""
    answer: dict[str, Any] = load(folder).frame([str(row["text"].iloc[0])]).iloc[0].to_dict()
    return answer
