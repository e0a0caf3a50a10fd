"""A text classifier and its test rows -> the report: what of it is of texts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from configs.encodings import ClassifierEncode, Traits

from ...data.pairs import contents, side_by_side
from ...learn.metrics import Ids
from ...text import baselines
from ...text.evaluation_stage import rows_encoded_otherwise
from ..classification_report import ClassReports
from ..spec import Part
from .predictor import Predictor
from .training import TextClassification, open_training


@dataclass(frozen=True)
class TextClassifier:
    """Texts as the report of classes asks for them."""

    training: TextClassification
    traits: ClassVar[Traits] = ClassifierEncode.traits

    def load(self, folder: Path) -> Predictor:
        """The predictor of a model folder."""
        return Predictor.load(folder)

    def contents(self, rows: pd.DataFrame, images: Path) -> list[Any]:
        """Texts, or pairs of texts."""
        return contents(rows)

    def as_seen(self, content: Any) -> Any:
        """The text, or both texts of a pair."""
        return side_by_side(content)

    def odd_inputs(self, contents: Sequence[Any], part: Any) -> Ids:
        """Rows that inference would encode otherwise than training did, the label word left out."""
        now = self.training.encoding.encode(self.training.tokenizer, contents)
        return rows_encoded_otherwise(now, part.encoded, 1 if self.training.kind == "label_word" else 0)

    def baseline(self, name: str, train: pd.DataFrame, parts: Mapping[str, Part], test: pd.DataFrame) -> Ids:
        """TF-IDF with logistic regression."""
        numbers = {label: number for number, label in enumerate(self.training.labels)}
        classes = np.asarray(train["label"].map(numbers), np.int64)
        return baselines.tfidf(contents(train), classes, contents(test))

    def remarks(self, facts: Mapping[str, Any]) -> list[str]:
        """Of label words how often the model would write one."""
        if self.training.kind != "label_word":
            return []
        return [f"the likeliest token is a label word in {facts['greedy_token_is_a_label']:.1%} of rows"]


REPORTS = ClassReports(lambda folder: TextClassifier(open_training(folder)))
evaluate, score_row, predict_row = REPORTS.evaluate, REPORTS.score_row, REPORTS.predict_row
