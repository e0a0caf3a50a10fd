"""Encoded rows -> the net's outputs for each, batched by length: the one loop of all predictors that score texts."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..runtime.net import Arrays, Net
from .collation import Matrix, pad_rows, rows_by_length
from .segments import Encoded

Progress = Callable[[int, int], None]
Outputs = tuple[npt.NDArray[Any], ...]


def score_batches(
    net: Net, encoded: Encoded, pad_id: int, batch_size: int, progress: Progress
) -> Iterator[tuple[Matrix, Outputs]]:
    """Of each batch the rows' numbers and the net's outputs for them; every row once, the shortest first."""
    done = 0
    for rows in rows_by_length(encoded.lengths, batch_size):
        yield rows, net(pad_rows(encoded, rows, pad_id))
        progress(done := done + len(rows), len(encoded))


def score_rows(batches: Iterator[tuple[Matrix, Outputs]], shape: tuple[int, int]) -> npt.NDArray[np.float64]:
    """The net's first output for every row of `score_batches`; shape: rows and outputs of a row."""
    scores = np.empty(shape)
    for rows, outputs in batches:
        scores[rows] = outputs[0]
    return scores


def load_head(folder: Path, auto: str = "AutoModelForSequenceClassification") -> Any:
    """The module of a folder with the weights of a model with a head, by transformers' class of this name; torch and
    transformers are loaded here alone."""
    import transformers

    from .loading import read_weights
    from .scorers import Head

    return Head(read_weights(getattr(transformers, auto), folder))


def one_batch(encoded: Encoded, pad_id: int) -> Arrays:
    """All rows as one batch."""
    return pad_rows(encoded, range(len(encoded)), pad_id)
