"""What trained models predict for validation rows -> scores, and whether one is better by more than chance."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from ..artifact import Artifact
from ..data.rows import read_rows, units
from ..kinds.class_outcomes import macro_f1
from ..kinds.predicting import image_contents, open_predictor, text_contents
from ..learn.metrics import Floats, Ids
from ..learn.resampling import Estimate, Metric, Resampling, estimate, ratio


@dataclass(frozen=True)
class Validation:
    """True class ids [rows], the unit of each row [rows] (None where each is one), the objective (`accuracy`, `loss` or
    `macro_f1`), and how intervals are made."""

    truth: Ids
    groups: Sequence[str] | None
    objective: str
    how: Resampling

    def of(self, rows: Ids) -> "Validation":
        """That of some rows, by their positions."""
        groups = None if self.groups is None else [self.groups[row] for row in rows.tolist()]
        return replace(self, truth=self.truth[rows], groups=groups)

    def score(self, probabilities: Floats, objective: str | None = None) -> Estimate:
        """The objective, or another score, of probabilities [rows, classes], with its interval."""
        columns, metric = self._statistics(probabilities, objective or self.objective)
        return estimate(columns, metric, self.how, self.groups)

    def gain(self, better: Floats, other: Floats) -> Estimate:
        """By how much one model's probabilities [rows, classes] score better than another's, by a bootstrap over the
        rows (or groups) that both predicted; above 0 where it is better, of the loss too."""
        columns, metric = self._statistics(better, self.objective)
        others, _ = self._statistics(other, self.objective)
        sign, width = (-1.0 if self.objective == "loss" else 1.0), len(columns)

        def difference(sums: Floats) -> Floats:
            return np.asarray(sign * (metric(sums[..., :width]) - metric(sums[..., width:])))

        return estimate([*columns, *others], difference, self.how, self.groups)

    def _statistics(self, probabilities: Floats, objective: str) -> tuple[list[Floats], Metric]:
        """Columns [rows] and the function of their sums that is the score."""
        rows, predicted = len(self.truth), probabilities.argmax(1)
        if objective == "loss":
            chosen = probabilities[np.arange(rows), self.truth]
            return [-np.log(np.maximum(chosen, 1e-15)), np.ones(rows)], ratio
        if objective == "accuracy":
            return [(predicted == self.truth).astype(float), np.ones(rows)], ratio
        classes = np.arange(probabilities.shape[1])
        true, predictions = (ids[:, None] == classes for ids in (self.truth, predicted))
        counted = np.concatenate([true & predictions, true, predictions], axis=1)
        return [*counted.astype(float).T], macro_f1


@dataclass(frozen=True)
class ValidationRows:
    """The validation rows that encode left, as a saved model is asked them: ids, groups, raw contents."""

    ids: list[str]
    groups: Sequence[str] | None
    contents: list[Any]


def read_validation(splits: Artifact, encoded: Artifact, content: str) -> ValidationRows:
    """Validation rows in the order in which they are encoded; content: what the kind reads, a text or an image."""
    ids = pq.read_table(encoded.file("validation.parquet"), columns=["id"]).column("id").to_pylist()
    rows = read_rows(splits.file("validation.parquet")).set_index("id").loc[ids].reset_index()
    by_group = splits.manifest()["section"].get("by") == "group"
    groups = units(rows["group"], rows["id"]) if by_group else None
    images = splits.file("images.parquet")
    return ValidationRows(
        ids, groups, image_contents(rows, images) if content == "image" else text_contents(rows, content)
    )


def read_truth(encoded: Artifact, part: str) -> Ids:
    """Class ids of an encoded part [rows]."""
    table = pq.read_table(encoded.file(f"{part}.parquet"), columns=["class_id"])
    return np.asarray(table.column("class_id").to_numpy(), np.int64)


def predict_validation(model: Artifact, rows: ValidationRows, batch_size: int) -> Floats:
    """A trained model's probabilities of the validation rows [rows, classes]."""
    predictor = open_predictor(model.file("encoding.json").parent)
    return np.asarray(predictor.predict(rows.contents, batch_size).probabilities, float)
