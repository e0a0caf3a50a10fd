"""One row of a model that finds entities: those that it has and those that are found, with their probabilities."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from ...data.tags.rows import read_tags
from ...learn.row_answers import Bar, RowAnswer
from .outcomes import quality
from .predictor import Predictor


def answer_row(folder: Path, row: pd.DataFrame) -> RowAnswer:
    """What the model in `folder` makes of a table's only row, in the order of the text; the probability of an entity is
    that of its least sure tag."""
    predictor, text = Predictor.load(folder), str(row["text"].iloc[0])
    true = read_tags(text, str(row["tags"].iloc[0])).entities
    (tagged,) = predictor.predict_rows([text])
    sure = dict(zip(tagged.entities, tagged.probabilities, strict=True))
    bars = [
        Bar(f"{text[entity.start : entity.stop]} ({entity.label})", sure.get(entity), entity in true, entity in sure)
        for entity in sorted({*true, *sure})
    ]
    return RowAnswer(text, bars)


def mistakes(answers: pd.DataFrame) -> npt.NDArray[np.bool_]:
    """Which predictions of test rows miss an entity or find one that is none."""
    return quality(answers) < 0
