"""Numbers that texts are to foretell -> what the model learns, and its answers back to numbers."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .collation import pad_rows
from .encoding import Encoding
from .segments import IGNORE_INDEX, Encoded

Floats = npt.NDArray[np.float64]
NUMBER = re.compile(r"\s*[+-]?([0-9]+(?:\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?\s*")


@dataclass(frozen=True)
class RegressionEncoding(Encoding):
    """The tokenizer's own form for one text, and the mean and standard deviation of the training rows' numbers."""

    mean: float
    sd: float

    def normalise(self, values: Floats) -> npt.NDArray[np.float32]:
        """Numbers as the model learns them, float32 [rows]: training rows have mean 0 and standard deviation 1."""
        normal = ((values - self.mean) / self.sd).astype(np.float32)
        # the Trainer takes a label of exactly -100 for one that does not count
        normal[normal == IGNORE_INDEX] = np.nextafter(np.float32(IGNORE_INDEX), np.float32(0))
        return normal

    def restore(self, outputs: Floats) -> Floats:
        """The model's outputs in the numbers' own unit."""
        return outputs * self.sd + self.mean


def read_numbers(texts: Sequence[str]) -> Floats:
    """The number that each text is, float64 [rows]; NaN where it is none, or not a finite one."""
    values = np.array([float(text) if NUMBER.fullmatch(text) else np.nan for text in texts], np.float64)
    return np.where(np.isfinite(values), values, np.nan)


def pad_numbers(encoding: RegressionEncoding, encoded: Encoded, values: Floats, rows: Sequence[int]) -> dict[str, Any]:
    """input_ids and attention_mask, int64 [len(rows), length], and labels, float32 [len(rows)], normalised."""
    width = encoding.max_length if encoding.padding == "max_length" else None
    batch: dict[str, Any] = {**pad_rows(encoded, rows, encoding.pad_id, width)}
    return batch | {"labels": encoding.normalise(values[np.asarray(rows, np.int64)])}
