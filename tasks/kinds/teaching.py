"""A teacher's files and a student's training rows -> its scores of these, in the student's order of labels."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow.parquet as pq

from ..data.errors import DataError
from ..data.rows import read_rows
from ..store.kept_arrays import keep, read_kept
from .predicting import image_contents, open_predictor, text_contents
from .spec import kind_in, open_kind, open_training

SHARD = 1024
"""Rows after which scores are kept, so that a killed run does not score them again."""
TEACHER = "train.teacher"
Scores = npt.NDArray[np.float16]


def score_training_rows(
    teacher: Path, encoded: Path, splits: Path, *, scratch: Path, done: Callable[[int, int, str], None]
) -> Scores:
    """What the teacher scores for each training row, float16 [rows, labels], rows as they are encoded.

    encoded, splits: folders of the student's artifacts; scratch: where scores are kept while others are computed.
    Raises DataError where the teacher has other labels, or reads other contents.
    """
    student = open_training(encoded)
    require_same_content(kind_in(teacher), student.kind)
    predictor = open_predictor(teacher)
    order = label_order(predictor.encoding.labels, student.labels)
    ids = pq.read_table(encoded / "train.parquet", columns=["id"]).column("id").to_pylist()
    rows = read_rows(splits / "train.parquet").set_index("id").loc[ids]
    shards = [np.zeros((0, len(order)), np.float16)]
    for first in range(0, len(rows), SHARD):
        some = rows.iloc[first : first + SHARD]
        kept = scratch / f"{first}.npy"
        values = read_kept(kept, (len(some), len(order)))
        if values is None:
            values = _scores(predictor, some, splits)[:, order]
            keep(kept, values)
        shards.append(values)
        done(min(first + SHARD, len(rows)), len(rows), "scoring training rows")
    return np.concatenate(shards)


def require_same_content(teacher: str, student: str, where: str = TEACHER) -> None:
    """Raise DataError where a teacher of this kind predicts no classes, or of other contents than the student; where:
    what names the teacher."""
    taught, learns = open_kind(teacher), open_kind(student)
    if not taught.exports or not taught.traits.classes:
        raise DataError(f"{where}: a teacher scores classes, this one is {taught.noun}")
    if taught.traits.content != learns.traits.content:
        raise DataError(
            f"{where}: the teacher is {taught.noun} and reads {taught.traits.content}s, the student "
            f"{learns.traits.content}s"
        )


def label_order(teacher: tuple[str, ...], student: tuple[str, ...], where: str = TEACHER) -> list[int]:
    """Columns of the teacher's scores in the order of the student's labels. Raises DataError for other labels."""
    for label in student:
        if label not in teacher:
            raise DataError(f"{where}: the teacher has no label {label!r}; its labels: {_few(teacher)}")
    if odd := [label for label in teacher if label not in student]:
        raise DataError(f"{where}: the teacher's label {odd[0]!r} is none of the student's: {_few(student)}")
    return [teacher.index(label) for label in student]


def _few(labels: tuple[str, ...]) -> str:
    return ", ".join(labels[:8]) + (f" and {len(labels) - 8} more" if len(labels) > 8 else "")


def _scores(predictor: Any, rows: pd.DataFrame, splits: Path) -> Scores:
    """Logits [rows, the teacher's labels]. Raises DataError."""
    images = splits / "images.parquet"
    asked = image_contents(rows, images) if predictor.content == "image" else text_contents(rows, "text")
    try:
        values: Scores = predictor.scores(asked).astype(np.float16)
    except ValueError as error:  # it reads pairs, or does not
        raise DataError(f"train.teacher: the teacher cannot read the training rows: {error}") from None
    if not np.isfinite(values).all():
        raise DataError("train.teacher: the teacher's scores are no numbers, or too large for float16")
    return values
