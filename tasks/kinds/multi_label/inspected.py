"""One row of a model that predicts any number of labels: the probability of each, next to those that it has."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from ...data.label_sets import LABELS, read_sets
from ...learn.pictures import MOST_BARS
from ...learn.row_answers import Bar, RowAnswer
from .outcomes import quality
from .predictor import Predictor


def answer_row(folder: Path, row: pd.DataFrame) -> RowAnswer:
    """What the model in `folder` makes of a table's only row: all labels, of many those that it has or gets and the
    likeliest."""
    predictor, text = Predictor.load(folder), str(row["text"].iloc[0])
    (true,), probabilities = read_sets(row[LABELS]), predictor.predict([text])[0]
    (predicted,) = read_sets(predictor.chosen(probabilities[None]))
    bars = [
        Bar(label, float(probability), label in true, label in predicted)
        for label, probability in zip(predictor.encoding.labels, probabilities, strict=True)
    ]
    if len(bars) <= MOST_BARS:
        return RowAnswer(text, bars)
    ordered = sorted(bars, key=lambda bar: (not (bar.true or bar.predicted), -float(bar.probability or 0)))
    shown = ordered[: max(MOST_BARS // 2, sum(bar.true or bar.predicted for bar in bars))]
    return RowAnswer(text, shown, len(bars) - len(shown))


def mistakes(answers: pd.DataFrame) -> npt.NDArray[np.bool_]:
    """Which predictions of test rows are not exactly the labels that the rows have."""
    return quality(answers) < 1
