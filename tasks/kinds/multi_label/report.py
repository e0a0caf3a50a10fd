"""A model that predicts any number of labels, and its test rows -> scores, a table of labels, baselines."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from configs.label_encodings import MultiLabelEncode
from configs.schema import Evaluate

from ...data.label_sets import LABELS, indicators
from ...learn.evaluation_report import SAMPLES, Judged, Progress, Subject, cell, chosen_baselines, sampled, state
from ...learn.resampling import Resampling
from ...text.evaluation_stage import first_answer
from ..text_report import TextReports
from .baselines import predict_by
from .metrics import score_each, score_labels
from .outcomes import ANSWER, TRUTH, quality
from .predictor import Predictor
from .training import open_training

KIND = "multi_label"


def judge(folder: Path, train: pd.DataFrame, test: pd.DataFrame, section: Evaluate, progress: Progress) -> Judged:
    """Predict the labels of the test rows (id, text, labels) and score."""
    predictor, traits = Predictor.load(folder), MultiLabelEncode.traits
    how = Resampling(section.bootstrap, section.confidence, section.seed)
    labels, texts = predictor.encoding.labels, test["text"].tolist()
    known, truth = (indicators(rows[LABELS].tolist(), labels) for rows in (train, test))
    probabilities = predictor.predict(texts, section.batch_size, progress)
    predicted = probabilities >= predictor.thresholds
    baselines = {}
    for name in chosen_baselines(KIND, traits, section):
        others = predict_by(name, train["text"].tolist(), known, texts, predictor.encoding.thresholds)
        baselines[name] = score_labels(truth, *others, how)
    scores = score_labels(truth, predicted, probabilities, how)
    facts = state(Subject(KIND, traits, len(test)), scores, section, shown=traits.scores, baselines=baselines)
    levels = dict(zip(labels, predictor.thresholds.tolist(), strict=True))
    facts |= {"labels": list(labels), "per_label": score_each(labels, truth, predicted, how), "thresholds": levels}
    answers = pd.DataFrame({"id": test["id"].to_numpy(), TRUTH: test[LABELS].to_numpy()})
    answers[ANSWER] = predictor.chosen(probabilities)
    for at, label in enumerate(labels):
        answers[f"probability of {label}"] = probabilities[:, at]
    samples = sampled(test["id"].tolist()[:SAMPLES], texts[:SAMPLES], predictor.frame(texts[:SAMPLES]))
    return Judged(facts, answers, samples, [*_label_table(facts), *_mistakes(answers, texts, section.worst)])


def _label_table(facts: dict[str, Any]) -> list[str]:
    lines = ["| label | F1 | interval | precision | recall | true | predicted | threshold |"]
    lines.append("|---|---:|---:|---:|---:|---:|---:|---:|")
    for label in facts["per_label"]:
        f1, precision, recall = (
            "" if label[name] is None else f"{label[name]:.4f}" for name in ("f1", "precision", "recall")
        )
        interval = "" if label["f1_interval"] is None else "{:.4f} – {:.4f}".format(*label["f1_interval"])
        counts = f"{label['true']:,} | {label['predicted']:,} | {facts['thresholds'][label['label']]:.3f}"
        lines.append(f"| {cell(label['label'])} | {f1} | {interval} | {precision} | {recall} | {counts} |")
    return lines


def _mistakes(answers: pd.DataFrame, texts: list[str], count: int) -> list[str]:
    """The rows whose labels have least in common with those that are predicted."""
    shared = quality(answers)
    worst = [int(at) for at in np.argsort(shared, kind="stable")[:count] if shared[at] < 1]
    if not worst:
        return []
    lines = ["", "Rows whose labels are predicted worst:", "", "| row | text | labels | predicted |"]
    lines.append("|---|---|---|---|")
    for at in worst:
        both = " | ".join(cell(", ".join(json.loads(answers[name][at])) or "none") for name in (TRUTH, ANSWER))
        lines.append(f"| {answers['id'][at]} | {cell(texts[at])} | {both} |")
    return lines


evaluate = TextReports(open_training, judge).evaluate


def predict_row(folder: Path, row: pd.DataFrame, images: Path) -> Mapping[str, object]:
    """The labels that the model in `folder` predicts for the text of a table's only row, and each one's probability."""
    return first_answer(Predictor.load, folder, row)
