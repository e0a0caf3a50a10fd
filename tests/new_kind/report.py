"""A backward classifier and its test rows -> the report of its classes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from configs.encodings import BackwardEncode, Traits

from ...learn.metrics import Ids
from ...text import baselines
from ...text.evaluation_stage import rows_encoded_otherwise
from ..classification_report import ClassReports
from ..spec import Part
from .predictor import Predictor
from .training import Backward, open_training


@dataclass(frozen=True)
class BackwardClassifier:
    """Texts as the report of classes asks for them."""

    training: Backward
    traits: ClassVar[Traits] = BackwardEncode.traits

    def load(self, folder: Path) -> Predictor:
        """The predictor of a model folder."""
        return Predictor.load(folder)

    def contents(self, rows: pd.DataFrame, images: Path) -> list[Any]:
        """Texts."""
        return rows["text"].tolist()

    def as_seen(self, content: Any) -> Any:
        """The text."""
        return content

    def odd_inputs(self, contents: Sequence[Any], part: Any) -> Ids:
        """Rows that inference would encode otherwise than training did."""
        now = self.training.encoding.encode(self.training.tokenizer, contents)
        return rows_encoded_otherwise(now, part.encoded)

    def baseline(self, name: str, train: pd.DataFrame, parts: Mapping[str, Part], test: pd.DataFrame) -> Ids:
        """TF-IDF with logistic regression."""
        classes = np.array([self.training.labels.index(label) for label in train["label"]], np.int64)
        return baselines.tfidf(train["text"].tolist(), classes, test["text"].tolist())

    def remarks(self, facts: Mapping[str, Any]) -> list[str]:
        """None."""
        return []


REPORTS = ClassReports(lambda folder: BackwardClassifier(open_training(folder)))
evaluate, score_row, predict_row = REPORTS.evaluate, REPORTS.score_row, REPORTS.predict_row
