"""A model that predicts numbers and its test rows -> errors, correlations, next to the mean and a ridge regression."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from configs.encodings import RegressionEncode
from configs.schema import Evaluate

from ...data.pairs import contents, side_by_side
from ...learn.evaluation_report import SAMPLES, Judged, Progress, Subject, cell, chosen_baselines, sampled, state
from ...learn.metrics import Floats
from ...learn.resampling import Resampling
from ...text.baselines import tfidf_ridge
from ...text.evaluation_stage import first_answer
from ..order_symmetry import describe_symmetry, number_symmetry, swap
from ..text_report import TextReports
from .metrics import score_numbers
from .plot import draw_numbers
from .predictor import Predictor
from .training import open_training

SHOWN = ("rmse", "mae", "r2", "pearson", "spearman")


def judge(folder: Path, train: pd.DataFrame, test: pd.DataFrame, section: Evaluate, progress: Progress) -> Judged:
    """Predict the numbers of the test rows (id, text or pair of texts, target) and score."""
    predictor = Predictor.load(folder)
    how = Resampling(section.bootstrap, section.confidence, section.seed)
    texts, truth = contents(test), predictor.encoding.numbers(test["target"].tolist())
    predicted = predictor.predict(texts, section.batch_size, progress)
    known = predictor.encoding.numbers(train["target"].tolist())
    baselines = {
        name: score_numbers(truth, _baseline(name, contents(train), known, texts), how)
        for name in chosen_baselines("regression", RegressionEncode.traits, section)
    }
    scores = score_numbers(truth, predicted, how)
    facts = state(
        Subject("regression", RegressionEncode.traits, len(test)), scores, section, shown=SHOWN, baselines=baselines
    )
    if section.order_symmetry:
        facts["order_symmetry"] = number_symmetry(predicted, predictor.predict(swap(texts), section.batch_size), how)
    answers = pd.DataFrame({"id": test["id"].to_numpy(), "true": truth, "value": predicted})
    some = test.head(SAMPLES)
    samples = sampled(some["id"].tolist(), texts[:SAMPLES], predictor.frame(texts[:SAMPLES]))
    lines = [f"- {line}\n" for line in describe_symmetry(facts)]
    lines += ["Largest errors:", "", "| row | text | true | predicted |", "|---|---|---:|---:|"]
    worst = np.argsort(-np.abs(predicted - truth), kind="stable")[: section.worst]
    lines += [
        f"| {answers['id'][at]} | {cell(side_by_side(texts[at]))} | {truth[at]:g} | {predicted[at]:.4g} |"
        for at in worst
    ]
    return Judged(facts, answers, samples, lines)


def _baseline(name: str, train: list[Any], known: Floats, texts: list[Any]) -> Floats:
    if name == "mean":
        return np.full(len(texts), known.mean())
    return tfidf_ridge(train, known, texts)


def _draw(judged: Judged, records: Path) -> None:
    true, predicted = (judged.answers[name].to_numpy() for name in ("true", "value"))
    draw_numbers(true, predicted, records / "numbers.png")


evaluate = TextReports(open_training, judge, draw=_draw).evaluate


def predict_row(folder: Path, row: pd.DataFrame, images: Path) -> Mapping[str, object]:
    """The number that the model in `folder` predicts for the text of a table's only row."""
    return first_answer(Predictor.load, folder, row)
