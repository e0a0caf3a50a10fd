"""A classifier's predictions of test rows, and what texts and images differ in when they are scored."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
import pandas as pd

from configs.encodings import Traits

from ..data.predictions import Predictions
from ..learn import metrics
from .spec import Part, Training


class Predictor(Protocol):
    """A loaded model folder: contents (texts, or bytes of image files) in, probabilities out."""

    def predict(self, contents: Sequence[Any], batch_size: int, progress: Callable[[int, int], None]) -> Predictions:
        """Score rows."""


class Classifier(Protocol):
    """What texts and images differ in when their classes are scored."""

    @property
    def training(self) -> Training:
        """Labels and parts."""

    @property
    def traits(self) -> Traits:
        """Of the kind."""

    def load(self, folder: Path) -> Predictor:
        """The predictor of a model folder."""

    def contents(self, rows: pd.DataFrame, images: Path) -> list[Any]:
        """What the predictor takes, per raw row: its text, or the bytes of its image in the images.parquet."""

    def as_seen(self, content: Any) -> Any:
        """What the model sees of one content, for a person: the text, or pixels [height, width] or [height, width,
        3]."""

    def odd_inputs(self, contents: Sequence[Any], part: Any) -> metrics.Ids:
        """Rows that inference would encode otherwise than training did."""

    def baseline(self, name: str, train: pd.DataFrame, parts: Mapping[str, Part], test: pd.DataFrame) -> metrics.Ids:
        """A further baseline's class ids for the test rows, fitted on training rows; the commonest class is none of its
        own."""

    def remarks(self, facts: Mapping[str, Any]) -> list[str]:
        """What else the page says, a line each."""


class UnseenRows(NamedTuple):
    """Raw test rows, what the model reads of each, and what they were encoded to."""

    rows: pd.DataFrame
    contents: list[Any]
    part: Part


@dataclass(frozen=True)
class Scored:
    """Test rows (id, label, and the content), their true class ids, the predictions, and the facts that follow."""

    rows: pd.DataFrame
    contents: list[Any]
    truth: metrics.Ids
    answers: Predictions
    classifier: Classifier
    facts: dict[str, Any]

    @property
    def labels(self) -> tuple[str, ...]:
        """In class-id order."""
        return self.classifier.training.labels

    @property
    def predicted(self) -> metrics.Ids:
        """Predicted class ids."""
        return np.asarray(self.answers.probabilities.argmax(1), np.int64)


def worst_mistakes(scored: Scored, count: int) -> metrics.Ids:
    """Positions of the wrong predictions, the most confident first."""
    wrong = np.flatnonzero(scored.predicted != scored.truth)
    return wrong[np.argsort(-scored.answers.probabilities.max(1)[wrong], kind="stable")][:count]
