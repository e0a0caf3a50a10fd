"""Rows of tokens -> one rectangular batch, padded on the right by length."""

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from ..learn.labels import IGNORE_INDEX
from .segments import Encoded

Matrix = npt.NDArray[np.int64]


def rows_by_length(lengths: npt.NDArray[np.int64], size: int) -> Iterator[npt.NDArray[np.int64]]:
    """Every row's number once, the shortest first, `size` at a time: batches with little padding."""
    order = np.argsort(lengths, kind="stable")
    for start in range(0, len(order), size):
        yield order[start : start + size]


def pad_rows(
    encoded: Encoded, rows: Sequence[int] | npt.NDArray[np.int64], pad_id: int, width: int | None = None
) -> dict[str, Matrix]:
    """input_ids, attention_mask and labels, int64 [len(rows), width]; width defaults to the longest row. Of pairs of
    texts token_type_ids too.

    Pads have attention 0 and label -100 because of where they stand, whatever their id.
    """
    chosen = np.asarray(rows, np.int64)
    starts, lengths = encoded.offsets[chosen], encoded.lengths[chosen]
    width = int(lengths.max(initial=1)) if width is None else width
    column = np.arange(width)
    real = column < lengths[:, None]
    source = np.minimum(starts[:, None] + column, len(encoded.ids) - 1)
    types = {} if encoded.types is None else {"token_type_ids": np.where(real, encoded.types[source], 0)}
    return {
        "input_ids": np.where(real, encoded.ids[source], pad_id).astype(np.int64),
        "attention_mask": real.astype(np.int64),
        "labels": np.where(real, encoded.labels[source], IGNORE_INDEX).astype(np.int64),
        **{name: values.astype(np.int64) for name, values in types.items()},
    }
