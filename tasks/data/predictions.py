"""A model's predictions for rows: probabilities in; labels and a table out."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd


@dataclass(frozen=True)
class Predictions:
    """probabilities: float64 [rows, classes], the softmax over the label words or classes alone.

    on_label: bool [rows], whether the likeliest of all tokens is a label word (always true for class heads).
    """

    probabilities: npt.NDArray[np.float64]
    on_label: npt.NDArray[np.bool_]

    def frame(self, labels: Sequence[str]) -> pd.DataFrame:
        """Columns label, probability (of that label), and `probability of X` for each label X."""
        probabilities, names = self.probabilities, np.array(labels, dtype=object)
        best = probabilities.argmax(1) if len(probabilities) else np.empty(0, int)
        best_ones = {"label": names[best].astype(str), "probability": probabilities[np.arange(len(best)), best]}
        return pd.DataFrame(
            best_ones | {f"probability of {label}": probabilities[:, at] for at, label in enumerate(labels)}
        )


def from_logits(logits: npt.NDArray[np.float64], on_label: npt.NDArray[np.bool_] | None = None) -> Predictions:
    """Softmax over the columns of logits [rows, classes]."""
    shifted = np.exp(logits - logits.max(1, keepdims=True, initial=-np.inf))
    known = np.ones(len(logits), bool) if on_label is None else on_label
    return Predictions(shifted / shifted.sum(1, keepdims=True), known)
