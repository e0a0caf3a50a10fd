"""A model's answers on test rows -> what is known about it: metrics, baselines, mistakes, pictures."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from configs.schema import Evaluate

from ..data.files import DataError
from ..text.baselines import majority, tfidf
from ..text.encoding import Encoding
from ..text.parts import Part
from ..text.predictor import Predictions, Predictor
from . import metrics
from .pictures import draw_calibration, draw_confusion

SAMPLES = 16
"""Rows whose answers the registered model must repeat."""


@dataclass(frozen=True)
class Scored:
    """Test rows (id, text, label), their true class ids, the model's answers, and the facts that follow."""

    rows: pd.DataFrame
    truth: metrics.Ids
    answers: Predictions
    encoding: Encoding
    facts: dict[str, Any]

    @property
    def found(self) -> metrics.Ids:
        """Predicted class ids."""
        return np.asarray(self.answers.probabilities.argmax(1), np.int64)


def score(
    predictor: Predictor, rows: pd.DataFrame, part: Part, section: Evaluate, progress: Callable[[int, int], None]
) -> Scored:
    """Score raw texts once and measure. Raises DataError where inference builds other input than training did."""
    encoding = predictor.encoding
    tail = 1 if encoding.kind == "generative" else 0
    given = encoding.encode(predictor.tokenizer, rows["text"].tolist()).lengths
    odd = np.flatnonzero(given != part.encoded.lengths - tail)
    if len(odd):
        raise DataError(f"row {rows['id'].iloc[odd[0]]} is encoded otherwise at inference than in training")
    answers = predictor.predict(rows["text"].tolist(), section.batch_size, progress)
    return Scored(rows, part.class_ids, answers, encoding, measure(part.class_ids, answers, encoding, section))


def measure(truth: metrics.Ids, answers: Predictions, encoding: Encoding, section: Evaluate) -> dict[str, Any]:
    """Metrics with bootstrap intervals, from class ids [rows] and probabilities [rows, classes]."""
    classes, found = len(encoding.labels), answers.probabilities.argmax(1)
    counts = metrics.confusion(truth, found, classes)
    options: dict[str, Any] = {"resamples": section.bootstrap, "confidence": section.confidence, "seed": section.seed}
    return {
        "rows": len(truth),
        "accuracy": metrics.accuracy(counts),
        "accuracy_interval": metrics.bootstrap(truth, found, classes, metric=metrics.accuracy, **options),
        "macro_f1": metrics.macro_f1(counts),
        "macro_f1_interval": metrics.bootstrap(truth, found, classes, metric=metrics.macro_f1, **options),
        "log_loss": metrics.log_loss(truth, answers.probabilities),
        "calibration_error": metrics.calibration(truth, answers.probabilities)[0],
        "greedy_token_is_a_label": float(answers.on_label.mean()),
        "confidence": section.confidence,
        "confusion": counts.tolist(),
        "labels": list(encoding.labels),
    }


def compare(section: Evaluate, scored: Scored, train: pd.DataFrame) -> dict[str, dict[str, float]]:
    """The baselines' metrics on the same test rows, each fitted on the training rows alone."""
    ids = {label: number for number, label in enumerate(scored.encoding.labels)}
    labels = np.asarray(train["label"].map(ids), np.int64)
    found: dict[str, dict[str, float]] = {}
    for name in section.baselines:
        if name == "majority":
            answers = majority(labels, len(scored.rows))
        else:
            answers = tfidf(train["text"].tolist(), labels, scored.rows["text"].tolist())
        counts = metrics.confusion(scored.truth, answers, len(ids))
        found[name] = {"accuracy": metrics.accuracy(counts), "macro_f1": metrics.macro_f1(counts)}
    return found


def save(scored: Scored, data: Path, records: Path) -> None:
    """Write report.json and predictions.parquet (data), sample rows and pictures (records)."""
    rows, probabilities, labels = scored.rows, scored.answers.probabilities, scored.encoding.labels
    (data / "report.json").write_text(json.dumps(scored.facts, indent=1, sort_keys=True), encoding="utf-8")
    columns = {
        "id": rows["id"].tolist(),
        "label": rows["label"].tolist(),
        "predicted": [labels[i] for i in scored.found],
        "probabilities": probabilities.tolist(),
    }
    pq.write_table(pa.table(columns), data / "predictions.parquet", compression="zstd")
    samples = rows.head(SAMPLES)[["id", "text"]].assign(probabilities=probabilities[:SAMPLES].tolist())
    text = json.dumps(samples.to_dict("records"), ensure_ascii=False, indent=1)
    (records / "samples.json").write_text(text, encoding="utf-8")
    draw_confusion(metrics.confusion(scored.truth, scored.found, len(labels)), labels, records / "confusion.png")
    error, bins = metrics.calibration(scored.truth, probabilities)
    draw_calibration(bins, error, records / "calibration.png")


def describe(scored: Scored, worst: int) -> str:
    """The report as markdown."""
    facts = scored.facts
    low, high = facts["accuracy_interval"]
    f_low, f_high = facts["macro_f1_interval"]
    lines = [
        f"# evaluate: accuracy {facts['accuracy']:.4f} [{low:.4f}, {high:.4f}] on {facts['rows']:,} test rows",
        "",
        "| | accuracy | macro-F1 |",
        "|---|---:|---:|",
        f"| this model | {facts['accuracy']:.4f} [{low:.4f}, {high:.4f}] "
        f"| {facts['macro_f1']:.4f} [{f_low:.4f}, {f_high:.4f}] |",
    ]
    for name, values in facts["baselines"].items():
        lines.append(f"| {name} | {values['accuracy']:.4f} | {values['macro_f1']:.4f} |")
    lines += ["", f"Intervals: {facts['confidence']:.0%} bootstrap over test rows.", ""]
    lines.append(f"- log loss {facts['log_loss']:.4f}, calibration error {facts['calibration_error']:.4f}")
    if scored.encoding.kind == "generative":
        lines.append(f"- the likeliest token is a label word in {facts['greedy_token_is_a_label']:.1%} of rows")
    if better := not_better_than(facts):
        lines.append(f"- **not better than the baseline {' and '.join(better)}**")
    mistakes = _mistakes(scored, worst)
    if mistakes:
        lines += ["", "Most confident mistakes:", "", "| row | true | predicted | p | text |", "|---|---|---|---:|---|"]
    return "\n".join(lines + mistakes)


def not_better_than(facts: dict[str, Any]) -> list[str]:
    """Baselines that the model does not beat on accuracy."""
    return [name for name, values in facts["baselines"].items() if values["accuracy"] >= facts["accuracy"]]


def _mistakes(scored: Scored, count: int) -> list[str]:
    labels, confidence = scored.encoding.labels, scored.answers.probabilities.max(1)
    wrong = np.flatnonzero(scored.found != scored.truth)
    chosen = wrong[np.argsort(-confidence[wrong], kind="stable")][:count]
    return [
        f"| {scored.rows['id'].iloc[i]} | {labels[scored.truth[i]]} | {labels[scored.found[i]]} | {confidence[i]:.3f} "
        f"| {' '.join(scored.rows['text'].iloc[i][:160].replace('|', ' ').split())} |"
        for i in chosen
    ]
