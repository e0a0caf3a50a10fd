"""A model that predicts numbers and its test rows -> errors, correlations, next to the mean and a ridge regression."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from configs.encodings import RegressionEncode
from configs.schema import Evaluate

from ...learn.evaluation_report import SAMPLES, Judged, Progress, cell, chosen_baselines, sampled, state
from ...learn.metrics import Floats
from ...learn.resampling import Resampling
from ...text.baselines import tfidf_ridge
from ...text.evaluation_stage import first_answer
from ..text_report import TextReports
from .metrics import score_numbers
from .plot import draw_numbers
from .predictor import Predictor
from .training import open_training


def judge(folder: Path, train: pd.DataFrame, test: pd.DataFrame, section: Evaluate, progress: Progress) -> Judged:
    """Predict the numbers of the test rows (id, text, target) and score."""
    predictor = Predictor.load(folder)
    how = Resampling(section.bootstrap, section.confidence, section.seed)
    texts, truth = test["text"].tolist(), predictor.encoding.numbers(test["target"].tolist())
    predicted = predictor.predict(texts, section.batch_size, progress)
    known = predictor.encoding.numbers(train["target"].tolist())
    beside = {name: score_numbers(truth, _baseline(name, train["text"].tolist(), known, texts), how)
              for name in chosen_baselines("regression", RegressionEncode.traits, section)}  # fmt: skip
    scores = score_numbers(truth, predicted, how)
    facts = state(
        "regression", RegressionEncode.traits, len(test), scores, section, shown=("rmse", "mae", "r2"), baselines=beside
    )
    answers = pd.DataFrame({"id": test["id"].to_numpy(), "true": truth, "value": predicted})
    some = test.head(SAMPLES)
    samples = sampled(some["id"].tolist(), texts[:SAMPLES], predictor.frame(texts[:SAMPLES]))
    lines = ["Largest errors:", "", "| row | text | true | predicted |", "|---|---|---:|---:|"]
    worst = np.argsort(-np.abs(predicted - truth), kind="stable")[: section.worst]
    lines += [f"| {answers['id'][at]} | {cell(texts[at])} | {truth[at]:g} | {predicted[at]:.4g} |" for at in worst]
    return Judged(facts, answers, samples, lines if len(worst) else [])


def _baseline(name: str, train: list[str], known: Floats, texts: list[str]) -> Floats:
    if name == "mean":
        return np.full(len(texts), known.mean())
    return tfidf_ridge(train, known, texts)


def _draw(judged: Judged, records: Path) -> None:
    true, predicted = (judged.answers[name].to_numpy() for name in ("true", "value"))
    draw_numbers(true, predicted, records / "numbers.png")


evaluate = TextReports(open_training, judge, draw=_draw).evaluate


def predict_row(folder: Path, row: pd.DataFrame, images: Path) -> dict[str, Any]:
    """The number that the model in `folder` predicts for the text of a table's only row."""
    return first_answer(Predictor.load, folder, row)
