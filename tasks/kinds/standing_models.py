"""Files of models and the test rows of a student -> which of these they are right on, their sizes and their times."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ..data.errors import DataError
from ..data.rows import read_rows
from ..learn.comparison import Costs
from ..learn.metrics import Floats
from ..learn.paired import Right
from ..runtime.speed import measure
from .predicting import image_contents, open_predictor, text_contents
from .teaching import label_order

BATCHES = (1, 32)
"""Rows of the batches that are timed."""


def asked_contents(splits: Path, ids: pd.Index) -> tuple[list[str], list[Any]]:
    """Labels of the test rows `ids`, and what a model takes of each; splits: the folder of the artifact."""
    rows = read_rows(splits / "test.parquet").set_index("id").loc[ids]
    images = splits / "images.parquet"
    return rows["label"].tolist(), image_contents(rows, images) if "image" in rows else text_contents(rows, "text")


def teachers_right(teachers: Sequence[Path], labels: Sequence[str], contents: Sequence[Any], batch: int) -> Right:
    """Whether the likeliest label is each row's own, by the mean probability of the teachers: [1, rows].

    Raises DataError where a teacher cannot read the rows.
    """
    probabilities: list[Floats] = []
    names: list[str] = []
    for folder in teachers:
        predictor = open_predictor(folder)
        names = names or list(predictor.encoding.labels)
        try:
            predicted = np.asarray(predictor.predict(contents, batch).probabilities, float)
        except ValueError as error:  # it reads pairs, or does not
            raise DataError(f"train.teacher: the teacher cannot read the test rows: {error}") from None
        probabilities.append(predicted[:, label_order(tuple(predictor.encoding.labels), tuple(names))])
    likeliest = np.mean(probabilities, 0).argmax(1)
    return np.array([[names[at] == label for at, label in zip(likeliest, labels, strict=True)]])


def costs(models: Mapping[str, Sequence[Path]], contents: Sequence[Any]) -> dict[str, Costs]:
    """By name the bytes of a model's files, and its times from a row's content to its scores; of several models that
    are asked together their sums. All are timed in turns, on the first rows."""
    opened = {name: [open_predictor(folder) for folder in folders] for name, folders in models.items()}
    asked = {
        name: lambda batch, each=each: [predictor.scores(batch, len(batch)) for predictor in each]
        for name, each in opened.items()
    }
    times = measure(asked, {rows: contents[:rows] for rows in BATCHES if rows <= len(contents)})
    return {name: Costs(sum(map(_size, folders)), times[name]) for name, folders in models.items()}


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
