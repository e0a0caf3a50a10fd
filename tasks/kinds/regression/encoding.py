"""Numbers to predict from texts -> what the model learns, and its predictions back to numbers."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ...data.numbers import NOTATIONS, Floats, read_numbers
from ...learn.labels import IGNORE_INDEX
from ...text.collation import pad_rows
from ...text.encoding import Encoding
from ...text.segments import Encoded

Arrays = dict[str, npt.NDArray[Any]]
"""A batch by name: token ids and attention, int64, and labels, float32."""


@dataclass(frozen=True)
class RegressionEncoding(Encoding):
    """The tokenizer's own form for one text, and the mean and standard deviation of the training rows' numbers."""

    mean: float
    sd: float
    thousands: str | None = None
    decimal: str = "."

    def numbers(self, texts: Sequence[str]) -> Floats:
        """The number that each target is, as the recipe says targets are written; see `read_numbers`."""
        return read_numbers(texts, self.thousands, self.decimal)

    def normalise(self, values: Floats) -> npt.NDArray[np.float32]:
        """Numbers as the model learns them, float32 [rows]: training rows have mean 0 and standard deviation 1."""
        normal = ((values - self.mean) / self.sd).astype(np.float32)
        # the Trainer takes a label of exactly -100 for one that does not count
        normal[normal == IGNORE_INDEX] = np.nextafter(np.float32(IGNORE_INDEX), np.float32(0))
        return normal

    def restore(self, outputs: Floats) -> Floats:
        """The model's outputs in the numbers' own unit."""
        return outputs * self.sd + self.mean


def other_notations(texts: Sequence[str], thousands: str | None, decimal: str) -> str:
    """What the recipe would have to say for all of these targets to be numbers, which they are not now; else empty."""
    notations = []
    for group, mark in NOTATIONS:
        if (group, mark) != (thousands, decimal) and texts and np.isfinite(read_numbers(texts, group, mark)).all():
            keys = [f"encode.thousands: {group!r}"] if group else []
            keys += [f"encode.decimal: {mark!r}"] if mark != "." else []
            notations.append(f"{' and '.join(keys)} ({texts[0]!r} is then {read_numbers(texts[:1], group, mark)[0]:g})")
    return f"; they are numbers with {' or with '.join(notations[:2])}" if notations else ""


def pad_numbers(encoding: RegressionEncoding, encoded: Encoded, values: Floats, rows: Sequence[int]) -> Arrays:
    """input_ids and attention_mask, int64 [len(rows), length], and labels, float32 [len(rows)], normalised."""
    width = encoding.max_length if encoding.padding == "max_length" else None
    labels = encoding.normalise(values[np.asarray(rows, np.int64)])
    return {**pad_rows(encoded, rows, encoding.pad_id, width), "labels": labels}
