"""A backward classifier and its test rows -> the report of its classes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from configs.encodings import BackwardEncode, Traits
from configs.schema import Evaluate

from ...artifact import Artifact
from ...learn.metrics import Ids, majority
from ...text import baselines
from ...text.evaluation_stage import rows_encoded_otherwise
from .. import classification_report as report
from ..spec import Part, StageOutput
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
        """The commonest class, or TF-IDF with logistic regression."""
        if name == "majority":
            return majority(parts["train"].class_ids, len(test))
        classes = np.array([self.training.labels.index(label) for label in train["label"]], np.int64)
        return baselines.tfidf(train["text"].tolist(), classes, test["text"].tolist())

    def remarks(self, facts: Mapping[str, Any]) -> list[str]:
        """None."""
        return []


def evaluate(out: StageOutput, section: Evaluate, folder: Path, encoded: Artifact, splits: Artifact) -> tuple[int, str]:
    """Score the model in `folder` once on the test rows and write the report. Raises DataError."""
    return report.evaluate(BackwardClassifier(open_training(folder)), out, section, folder, encoded, splits)


def score_row(folder: Path, row: pd.DataFrame, images: Path) -> report.ScoredRow:
    """Probabilities of a table's only row by the model in `folder`."""
    return report.score_row(BackwardClassifier(open_training(folder)), folder, row, images)


def predict_row(folder: Path, row: pd.DataFrame, images: Path) -> dict[str, Any]:
    """The likeliest class of a table's only row by the model in `folder`, and its probability."""
    return report.best_class(score_row(folder, row, images))
