"""An image classifier and its test rows -> the report: what of it is of images."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from configs.encodings import Traits
from configs.image_encodings import ImageEncode

from ...learn.metrics import Ids
from ...vision.images import read_bytes
from ..classification_report import ClassReports
from ..spec import Part
from .baselines import centroid
from .predictor import Predictor
from .training import ImageClassification, open_training


@dataclass(frozen=True)
class ImageClassifier:
    """Images as the report of classes asks for them."""

    training: ImageClassification
    traits: ClassVar[Traits] = ImageEncode.traits

    def load(self, folder: Path) -> Predictor:
        """The predictor of a model folder."""
        return Predictor.load(folder)

    def contents(self, rows: pd.DataFrame, images: Path) -> list[Any]:
        """The bytes of each row's image."""
        files = dict(read_bytes(images, set(rows["image"])))
        return [files[name] for name in rows["image"]]

    def as_seen(self, content: Any) -> Any:
        """Pixels [height, width] or [height, width, 3]."""
        pixels = self.training.encoding.pixels(content)
        return pixels[0] if len(pixels) == 1 else pixels.transpose(1, 2, 0)

    def odd_inputs(self, contents: Sequence[Any], part: Any) -> Ids:
        """Rows that inference would decode otherwise than training did."""
        encoding = self.training.encoding
        differs = [not np.array_equal(encoding.pixels(data), part.pixels[n]) for n, data in enumerate(contents)]
        return np.flatnonzero(differs)

    def baseline(self, name: str, train: pd.DataFrame, parts: Mapping[str, Part], test: pd.DataFrame) -> Ids:
        """The nearest class mean."""
        pictures: Any = parts
        return centroid(pictures["train"], pictures["test"].pixels, len(self.training.labels))

    def remarks(self, facts: Mapping[str, Any]) -> list[str]:
        """None."""
        return []


REPORTS = ClassReports(lambda folder: ImageClassifier(open_training(folder)))
evaluate, score_row, predict_row = REPORTS.evaluate, REPORTS.score_row, REPORTS.predict_row
