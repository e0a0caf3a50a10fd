"""teacher: an auxiliary artifact of `train`, what a registered model scores for the training rows.

No stage of the flow: `train` asks for it where its recipe names teachers, and it is made once for all students that
read the same rows, whatever their losses, temperature and model are. Validation and test rows are never scored.
"""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow.parquet as pq

from configs.teacher import TeacherScores

from .artifact import Artifact
from .cached import cached_task
from .data.errors import DataError
from .data.rows import read_rows
from .kinds.predicting import image_contents, open_predictor, text_contents
from .kinds.spec import kind_in, open_kind, open_training
from .output import Output
from .store.kept_arrays import keep, read_kept

LIBRARIES = ("torch", "transformers", "safetensors", "numpy", "tokenizers", "pillow")
SCORES = "scores.npy"
"""File of the artifact: float16 [rows, labels], rows and labels in the student's order."""
SHARD = 1024
"""Rows after which scores are kept, so that a killed run does not score them again."""
Scores = npt.NDArray[np.float16]


@cached_task(
    makes="teacher",
    opens={
        "encoded": ("train.parquet", "tokenizer.json", "encoding.json"),
        "splits": ("train.parquet", "images.parquet"),
    },
    libraries=LIBRARIES,
    kind=("training", "predictor"),
)
def teacher(out: Output, section: TeacherScores, encoded: Artifact, splits: Artifact) -> None:
    """Score the training rows. Raises DataError where the teacher has other labels, or reads other rows."""
    folder = Path(section.model.path)  # type: ignore[union-attr]  # pinned
    student = open_training(encoded.file("encoding.json").parent)
    require_same_content(kind_in(folder), student.kind)
    predictor = open_predictor(folder)
    order = label_order(predictor.encoding.labels, student.labels)
    ids = pq.read_table(encoded.file("train.parquet"), columns=["id"]).column("id").to_pylist()
    rows = read_rows(splits.file("train.parquet")).set_index("id").loc[ids]
    shards = []
    for first in range(0, len(rows), SHARD):
        some = rows.iloc[first : first + SHARD]
        kept = out.scratch / f"{first}.npy"
        values = read_kept(kept, (len(some), len(order)))
        if values is None:
            values = _scores(predictor, some, splits)[:, order]
            keep(kept, values)
        shards.append(values)
        out.progress(min(first + SHARD, len(rows)), len(rows), "scoring training rows")
    np.save(out.data / SCORES, np.concatenate(shards) if shards else np.zeros((0, len(order)), np.float16))


def require_same_content(teacher: str, student: str) -> None:
    """Raise DataError where a teacher of this kind predicts no classes, or of other contents than the student."""
    taught, learns = open_kind(teacher), open_kind(student)
    if not taught.exports or not taught.traits.classes:
        raise DataError(f"train.teacher: a teacher scores classes, this one is {taught.noun}")
    if taught.traits.content != learns.traits.content:
        raise DataError(
            f"train.teacher: the teacher is {taught.noun} and reads {taught.traits.content}s, the student "
            f"{learns.traits.content}s"
        )


def label_order(teacher: tuple[str, ...], student: tuple[str, ...]) -> list[int]:
    """Columns of the teacher's scores in the order of the student's labels. Raises DataError for other labels."""
    for label in student:
        if label not in teacher:
            raise DataError(f"train.teacher: the teacher has no label {label!r}; its labels: {_few(teacher)}")
    if odd := [label for label in teacher if label not in student]:
        raise DataError(f"train.teacher: the teacher's label {odd[0]!r} is none of the student's: {_few(student)}")
    return [teacher.index(label) for label in student]


def _few(labels: tuple[str, ...]) -> str:
    return ", ".join(labels[:8]) + (f" and {len(labels) - 8} more" if len(labels) > 8 else "")


def _scores(predictor: Any, rows: pd.DataFrame, splits: Artifact) -> Scores:
    """Logits [rows, the teacher's labels]. Raises DataError."""
    with_images = predictor.content == "image"
    asked = image_contents(rows, splits.file("images.parquet")) if with_images else text_contents(rows, "text")
    try:
        values: Scores = predictor.scores(asked).astype(np.float16)
    except ValueError as error:  # it reads pairs, or does not
        raise DataError(f"train.teacher: the teacher cannot read the training rows: {error}") from None
    if not np.isfinite(values).all():
        raise DataError("train.teacher: the teacher's scores are no numbers, or too large for float16")
    return values
