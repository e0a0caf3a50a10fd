"""A model's predictions on test rows -> what is known about it: metrics, baselines, mistakes, pictures."""

import base64
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypedDict

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from configs.schema import Evaluate

from ..artifact import Artifact
from ..data.pairs import TEXT_PAIR
from ..data.predictions import Predictions
from ..data.rows import read_rows, units
from ..learn import metrics
from ..learn.evaluation_report import chosen_baselines, encoded_otherwise
from ..learn.paired import Right, sign_flip
from ..learn.pictures import MOST_CLASSES, Answer, draw_answers, draw_calibration, draw_confusion, draw_grid
from ..learn.resampling import Resampling, sum_by_group
from .classification import Classifier, Scored, UnseenRows, worst_mistakes
from .classification_page import describe
from .order_symmetry import class_symmetry, swap
from .spec import Part, StageOutput

SAMPLES = 16
"""Rows whose predictions the registered model must repeat."""
VALUES = 2**26
"""Probabilities in one chunk of a table."""
LOOKED_AT = 6
"""Rows drawn at random for inspection."""


class PairedTest(TypedDict):
    """Rows (or groups) that a model predicts rightly and another does not, and the other way round; of how many; and
    the p of the test."""

    gained: int
    lost: int
    units: int
    p: float
    test: str


def score(
    classifier: Classifier, folder: Path, test: UnseenRows, section: Evaluate, progress: Callable[[int, int], None]
) -> Scored:
    """Score raw rows once and measure. Raises DataError where inference builds other input than training did."""
    rows, contents, part = test
    odd = classifier.odd_inputs(contents, part)
    if len(odd):
        raise encoded_otherwise(rows["id"].iloc[odd[0]])
    predictor = classifier.load(folder)
    answers = predictor.predict(contents, section.batch_size, progress)
    training = classifier.training
    facts = measure(part.class_ids, answers, training.labels, section)
    facts |= {"content": classifier.traits.content, "kind": training.kind}
    if TEXT_PAIR in rows:
        facts["pairs"] = True
    if section.order_symmetry:
        other = predictor.predict(swap(contents), section.batch_size, lambda done, of: None)
        how = Resampling(section.bootstrap, section.confidence, section.seed)
        facts["order_symmetry"] = class_symmetry(answers.probabilities, other.probabilities, how)
    return Scored(rows, contents, part.class_ids, answers, classifier, facts)


def measure(truth: metrics.Ids, answers: Predictions, labels: tuple[str, ...], section: Evaluate) -> dict[str, Any]:
    """Metrics with bootstrap intervals, from class ids [rows] and probabilities [rows, classes]."""
    classes, predicted = len(labels), answers.probabilities.argmax(1)
    counts = metrics.confusion(truth, predicted, classes)
    sums = counts.sums()
    scores = {
        "accuracy": metrics.accuracy(*sums),
        "macro_f1": metrics.macro_f1(*sums),
        "log_loss": metrics.log_loss(truth, answers.probabilities),
        "calibration_error": metrics.calibration(truth, answers.probabilities)[0],
    }
    intervals = {
        name: metrics.bootstrap(
            counts, metric, resamples=section.bootstrap, confidence=section.confidence, seed=section.seed
        )
        for name, metric in (("accuracy", metrics.accuracy), ("macro_f1", metrics.macro_f1))
    }
    return {
        "rows": len(truth),
        "scores": scores,
        "intervals": intervals,
        "shown": ["accuracy", "macro_f1"],
        "greedy_token_is_a_label": float(answers.on_label.mean()),
        "confidence": section.confidence,
        **_cells(counts),
        "labels": list(labels),
    }


def _cells(counts: metrics.Confusion) -> dict[str, list[list[int]]]:
    """The confusion as a matrix; of many classes the cells that have rows: [true, predicted, rows]."""
    if counts.classes <= MOST_CLASSES:
        return {"confusion": counts.table().tolist()}
    return {"confusion_cells": np.stack([counts.true, counts.predicted, counts.rows], axis=1).tolist()}


def compare(
    section: Evaluate, scored: Scored, train: pd.DataFrame, parts: Mapping[str, Part], groups: Sequence[str] | None
) -> dict[str, object]:
    """The baselines' metrics on the same test rows, each fitted on the training rows alone, and the model against each
    by a paired test. groups: [rows], the unit of each row; None where each row is one. Raises DataError."""
    classifier, right = scored.classifier, scored.predicted == scored.truth
    comparisons: dict[str, dict[str, float]] = {}
    against: dict[str, PairedTest] = {}
    for name in chosen_baselines(classifier.training.kind, classifier.traits, section):
        if name == "majority":
            answers = metrics.majority(parts["train"].class_ids, len(scored.rows))
        else:
            answers = classifier.baseline(name, train, parts, scored.rows)
        sums = metrics.confusion(scored.truth, answers, len(scored.labels)).sums()
        comparisons[name] = {"accuracy": metrics.accuracy(*sums), "macro_f1": metrics.macro_f1(*sums)}
        against[name] = paired_test(right, answers == scored.truth, groups)
    return {"baselines": comparisons, "against": against}


def paired_test(right: Right, other: Right, groups: Sequence[str] | None) -> PairedTest:
    """Whether a model and a baseline are right on the same rows [rows]: rows gained and lost, and the two-sided p of
    McNemar's exact test, or of sign flips over groups."""
    gains = right.astype(np.int64) - other
    sums = gains if groups is None else sum_by_group(gains[:, None].astype(float), groups)[:, 0].astype(np.int64)
    return {
        "gained": int((gains > 0).sum()),
        "lost": int((gains < 0).sum()),
        "units": len(sums),
        "p": sign_flip(sums),
        "test": "McNemar's exact test" if groups is None else "sign flips over groups",
    }


def save(scored: Scored, section: Evaluate, data: Path, records: Path) -> None:
    """Write report.json and predictions.parquet (data), sample rows and pictures (records)."""
    rows, probabilities, labels = scored.rows, scored.answers.probabilities, scored.labels
    (data / "report.json").write_text(json.dumps(scored.facts, indent=1, sort_keys=True), encoding="utf-8")
    columns = {
        "id": rows["id"].tolist(),
        "label": rows["label"].tolist(),
        "predicted": [labels[i] for i in scored.predicted],
        "probabilities": _lists(probabilities),
    }
    pq.write_table(pa.table(columns), data / "predictions.parquet", compression="zstd")
    content = [_plain(content) for content in scored.contents[:SAMPLES]]
    samples = rows.head(SAMPLES)[["id"]].assign(
        **{scored.classifier.traits.content: content}, answer=probabilities[:SAMPLES].tolist()
    )
    text = json.dumps(samples.to_dict("records"), ensure_ascii=False, indent=1)
    (records / "samples.json").write_text(text, encoding="utf-8")
    draw_confusion(metrics.confusion(scored.truth, scored.predicted, len(labels)), labels, records / "confusion.png")
    error, bins = metrics.calibration(scored.truth, probabilities)
    draw_calibration(bins, error, records / "calibration.png")
    chosen = np.random.default_rng(section.seed).permutation(len(rows))[:LOOKED_AT]
    draw_answers(_answers(scored, chosen), labels, records / "random_rows.png")
    wrong = worst_mistakes(scored, section.worst)
    if len(wrong) and scored.classifier.traits.content == "image":
        draw_grid(_answers(scored, wrong), labels, records / "mistakes.png")


def _lists(probabilities: metrics.Floats) -> pa.ChunkedArray:
    """Rows of probabilities as Arrow's lists, without a Python number for each."""
    classes = probabilities.shape[1]
    size = max(1, VALUES // classes)
    return pa.chunked_array(
        [
            pa.ListArray.from_arrays(np.arange(len(block) + 1, dtype=np.int32) * classes, pa.array(block.ravel()))
            for block in (probabilities[start : start + size] for start in range(0, len(probabilities), size))
        ],
        type=pa.list_(pa.float64()),
    )


def _answers(scored: Scored, chosen: metrics.Ids) -> list[Answer]:
    ids, probabilities = scored.rows["id"], scored.answers.probabilities
    return [
        Answer(ids.iloc[i], scored.classifier.as_seen(scored.contents[i]), int(scored.truth[i]), probabilities[i])
        for i in chosen
    ]


def _plain(content: Any) -> Any:
    """A text or a pair of texts, or the bytes of a file in base64."""
    return base64.b64encode(content).decode() if isinstance(content, bytes) else content


@dataclass(frozen=True)
class ScoredRow:
    """One row: the labels in class-id order, what the model sees of it for a person, and its probabilities
    [classes]."""

    labels: tuple[str, ...]
    seen: Any
    probabilities: metrics.Floats


@dataclass(frozen=True)
class ClassReports:
    """What a kind's module `report` holds where it predicts a few labels; open_classifier: of a model's files."""

    open_classifier: Callable[[Path], Classifier]

    def evaluate(
        self, out: StageOutput, section: Evaluate, folder: Path, encoded: Artifact, splits: Artifact
    ) -> tuple[int, str]:
        """Score the model in `folder` once on the test rows and write the report: rows scored, and a page. Raises
        DataError."""
        classifier = self.open_classifier(folder)
        training = classifier.training
        parts = {name: training.read(encoded.file(f"{name}.parquet")) for name in ("train", "test")}
        test = read_rows(splits.file("test.parquet")).set_index("id").loc[parts["test"].ids].reset_index()
        contents = classifier.contents(test, splits.file("images.parquet"))
        scored = score(
            classifier,
            folder,
            UnseenRows(test, contents, parts["test"]),
            section,
            lambda done, of: out.progress(done, of, "scoring"),
        )
        groups = units(test["group"], test["id"]) if splits.manifest()["section"].get("by") == "group" else None
        scored.facts.update(compare(section, scored, read_rows(splits.file("train.parquet")), parts, groups))
        save(scored, section, out.data, out.records)
        return len(test), describe(scored, section.worst)

    def score_row(self, folder: Path, row: pd.DataFrame, images: Path) -> ScoredRow:
        """Score a table's only row by the model in `folder`."""
        classifier = self.open_classifier(folder)
        content = classifier.contents(row, images)[0]
        probabilities = classifier.load(folder).predict([content], 1, lambda done, of: None).probabilities[0]
        return ScoredRow(classifier.training.labels, classifier.as_seen(content), probabilities)

    def predict_row(self, folder: Path, row: pd.DataFrame, images: Path) -> Mapping[str, object]:
        """The likeliest class of a table's only row by the model in `folder`, and its probability."""
        scored = self.score_row(folder, row, images)
        best = int(scored.probabilities.argmax())
        return {"predicted": scored.labels[best], "p": float(scored.probabilities[best])}
