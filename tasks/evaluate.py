"""evaluate: a trained model and the raw test rows come in; a report that a person can judge goes out."""

import json
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from configs.schema import Evaluate

from .artifact import Artifact, StageError
from .cached import cached_task
from .data.rows import read_rows
from .learn import metrics
from .learn.pictures import draw_calibration, draw_confusion
from .store.output import Output
from .text.baselines import majority, tfidf
from .text.encoding import Encoding
from .text.parts import read_part
from .text.predictor import Predictions, Predictor

SAMPLES = 16
"""Rows whose answers the registered model must repeat."""


@cached_task(
    opens={
        "model": ("*",),
        "encoded": ("test.parquet",),
        "splits": ("train.parquet", "test.parquet"),
    },
    libraries=("torch", "transformers", "numpy", "scikit-learn"),
)
def evaluate(out: Output, section: Evaluate, model: Artifact, encoded: Artifact, splits: Artifact) -> None:
    """Score the saved model once on the test rows, from their raw texts. Raises StageError."""
    predictor = Predictor.load(model.file("config.json").parent)
    encoding = predictor.encoding
    part = read_part(encoded.file("test.parquet"))
    test = read_rows(splits.file("test.parquet")).set_index("id").loc[part.ids].reset_index()
    _check_inputs(predictor, test, part.encoded.lengths.tolist())
    scored = predictor.predict(test["text"].tolist(), section.batch_size, lambda n, of: out.progress(n, of, "scoring"))
    truth, found = part.class_ids, scored.probabilities.argmax(1)
    report = measure(truth, scored, encoding, section)
    report["baselines"] = _baselines(section, encoding, read_rows(splits.file("train.parquet")), test, truth)
    _write(out, report, encoding, test, scored)
    samples = test.head(SAMPLES)[["id", "text"]].assign(probabilities=scored.probabilities[:SAMPLES].tolist())
    (out.records / "samples.json").write_text(samples.to_json(orient="records", indent=1), encoding="utf-8")
    counts = metrics.confusion(truth, found, len(encoding.labels))
    error, bins = metrics.calibration(truth, scored.probabilities)
    draw_confusion(counts, encoding.labels, out.records / "confusion.png")
    draw_calibration(bins, error, out.records / "calibration.png")
    worst = _worst(test, truth, scored, encoding, section.worst)
    out.counts = {"in": len(test), "out": len(test), "dropped": 0}
    out.summary(_describe(report, encoding, worst))


def measure(truth: metrics.Ids, scored: Predictions, encoding: Encoding, section: Evaluate) -> dict[str, Any]:
    """Metrics with intervals, on class ids [rows] and probabilities [rows, classes]."""
    classes, found = len(encoding.labels), scored.probabilities.argmax(1)
    counts = metrics.confusion(truth, found, classes)
    options: dict[str, Any] = {"resamples": section.bootstrap, "confidence": section.confidence, "seed": section.seed}
    return {
        "rows": len(truth),
        "accuracy": metrics.accuracy(counts),
        "accuracy_interval": metrics.bootstrap(truth, found, classes, metric=metrics.accuracy, **options),
        "macro_f1": metrics.macro_f1(counts),
        "macro_f1_interval": metrics.bootstrap(truth, found, classes, metric=metrics.macro_f1, **options),
        "log_loss": metrics.log_loss(truth, scored.probabilities),
        "calibration_error": metrics.calibration(truth, scored.probabilities)[0],
        "greedy_token_is_a_label": float(scored.on_label.mean()),
        "confidence": section.confidence,
        "confusion": counts.tolist(),
        "labels": list(encoding.labels),
    }


def _check_inputs(predictor: Predictor, test: pd.DataFrame, lengths: list[int]) -> None:
    """Training and inference must build the same input: the encoded row less its supervised tail."""
    tail = 1 if predictor.encoding.kind == "generative" else 0
    given = predictor.encoding.encode(predictor.tokenizer, test["text"].tolist()).lengths
    odd = np.flatnonzero(given != np.array(lengths) - tail)
    if len(odd):
        raise StageError(f"row {test['id'].iloc[odd[0]]} is encoded otherwise at inference than in training")


def _baselines(
    section: Evaluate, encoding: Encoding, train: pd.DataFrame, test: pd.DataFrame, truth: metrics.Ids
) -> dict[str, dict[str, float]]:
    ids = {label: number for number, label in enumerate(encoding.labels)}
    train_labels = train["label"].map(ids).to_numpy(np.int64)
    found = {}
    for name in section.baselines:
        if name == "majority":
            answers = majority(train_labels, len(test))
        else:
            answers = tfidf(train["text"].tolist(), train_labels, test["text"].tolist())
        counts = metrics.confusion(truth, answers, len(ids))
        found[name] = {"accuracy": metrics.accuracy(counts), "macro_f1": metrics.macro_f1(counts)}
    return found


def _write(out: Output, report: dict[str, Any], encoding: Encoding, test: pd.DataFrame, scored: Predictions) -> None:
    (out.data / "report.json").write_text(json.dumps(report, indent=1, sort_keys=True), encoding="utf-8")
    columns = {
        "id": test["id"].tolist(),
        "label": test["label"].tolist(),
        "predicted": [encoding.labels[i] for i in scored.probabilities.argmax(1)],
        "probabilities": scored.probabilities.tolist(),
    }
    pq.write_table(pa.table(columns), out.data / "predictions.parquet", compression="zstd")


def _worst(test: pd.DataFrame, truth: metrics.Ids, scored: Predictions, encoding: Encoding, count: int) -> list[str]:
    found, confidence = scored.probabilities.argmax(1), scored.probabilities.max(1)
    wrong = np.flatnonzero(found != truth)
    chosen = wrong[np.argsort(-confidence[wrong], kind="stable")][:count]
    return [
        f"| {test['id'].iloc[i]} | {encoding.labels[truth[i]]} | {encoding.labels[found[i]]} | {confidence[i]:.3f} "
        f"| {test['text'].iloc[i][:160].replace('|', ' ')} |"
        for i in chosen
    ]


def _describe(report: dict[str, Any], encoding: Encoding, worst: list[str]) -> str:
    low, high = report["accuracy_interval"]
    f_low, f_high = report["macro_f1_interval"]
    lines = [
        f"# evaluate: accuracy {report['accuracy']:.4f} [{low:.4f}, {high:.4f}] on {report['rows']:,} test rows",
        "",
        "| | accuracy | macro-F1 |",
        "|---|---:|---:|",
        f"| this model | {report['accuracy']:.4f} [{low:.4f}, {high:.4f}] | {report['macro_f1']:.4f} [{f_low:.4f}, {f_high:.4f}] |",
    ]
    for name, values in report["baselines"].items():
        lines.append(f"| {name} | {values['accuracy']:.4f} | {values['macro_f1']:.4f} |")
    lines += ["", f"Intervals: {report['confidence']:.0%} bootstrap over test rows.", ""]
    lines += [f"- log loss {report['log_loss']:.4f}, calibration error {report['calibration_error']:.4f}"]
    if encoding.kind == "generative":
        lines += [f"- the likeliest token is a label word in {report['greedy_token_is_a_label']:.1%} of rows"]
    beaten = [name for name, values in report["baselines"].items() if values["accuracy"] >= report["accuracy"]]
    if beaten:
        lines += [f"- **not better than the baseline {' and '.join(beaten)}**"]
    if worst:
        lines += ["", "Most confident mistakes:", "", "| row | true | predicted | p | text |", "|---|---|---|---:|---|", *worst]
    return "\n".join(lines)
