"""Thousands of classes are judged in memory that follows the rows; few classes have the numbers they always had."""

import json
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from configs.schema import Evaluate
from tasks.data.predictions import Predictions
from tasks.kinds.classification import Scored
from tasks.kinds.classification_page import _worst_classes
from tasks.kinds.classification_report import _lists, measure
from tasks.learn import metrics
from tasks.learn.pictures import MOST_CLASSES
from tasks.text.baselines import MANY, WEIGHTS, majority, tfidf


def by_matrix(truth: Any, found: Any, classes: int, metric: str, seed: int) -> tuple[float, float]:
    """The interval as it was made before: every cell of the matrix is drawn, in one draw."""
    counts = np.bincount(truth * classes + found, minlength=classes**2)
    drawn = np.random.default_rng(seed).multinomial(len(truth), counts / counts.sum(), size=40)
    values = []
    for cells in drawn.reshape(-1, classes, classes):
        right, total = np.diag(cells), cells.sum(0) + cells.sum(1)
        values.append(
            float(np.trace(cells) / cells.sum())
            if metric == "accuracy"
            else float(np.mean(2 * right / np.maximum(total, 1)))
        )
    low, high = np.quantile(values, [(1 - 0.9) / 2, (1 + 0.9) / 2])
    return float(low), float(high)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 8), st.integers(1, 50), st.integers(0, 10**6), st.integers(1, 40))
def test_intervals_are_those_of_the_whole_matrix(classes: int, rows: int, seed: int, block: int) -> None:
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, max(1, classes - seed % 2), rows)  # the last class may have no rows
    found = np.where(rng.random(rows) < 0.5, truth, rng.integers(0, classes, rows))
    counts = metrics.confusion(truth, found, classes)
    matrix = np.bincount(truth * classes + found, minlength=classes**2).reshape(classes, classes)
    assert (counts.table() == matrix).all()
    right, true, predicted = counts.sums()
    assert (right == np.diag(matrix)).all() and (true == matrix.sum(1)).all() and (predicted == matrix.sum(0)).all()
    before, metrics.BLOCK = metrics.BLOCK, block
    try:
        for name in ("accuracy", "macro_f1"):
            told = metrics.bootstrap(counts, getattr(metrics, name), resamples=40, confidence=0.9, seed=seed)
            assert told == by_matrix(truth, found, classes, name, seed)
    finally:
        metrics.BLOCK = before


def scored(classes: int, rows: int) -> tuple[np.ndarray, Predictions, tuple[str, ...]]:
    rng = np.random.default_rng(0)
    probabilities = rng.random((rows, classes))
    answers = Predictions(probabilities, np.ones(rows, bool))
    return rng.integers(0, classes, rows), answers, tuple(f"c{n}" for n in range(classes))


@pytest.mark.parametrize("classes", [1_500, 5_000])
def test_thousands_of_classes_take_little_memory(classes: int) -> None:
    """Beside the probabilities themselves less than 100 MiB; a matrix of 2,000 resamples would be 33 GiB and more."""
    truth, answers, labels = scored(classes, 600)
    tracemalloc.start()
    try:
        facts = measure(truth, answers, labels, Evaluate(bootstrap=200))
        table = pa.table({"probabilities": _lists(answers.probabilities)})
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 100 * 2**20
    assert "confusion" not in facts and sum(cell[2] for cell in facts["confusion_cells"]) == 600
    assert len(json.dumps(facts)) < 200_000
    assert table["probabilities"][7].as_py() == answers.probabilities[7].tolist()


def test_few_classes_keep_their_matrix_and_lists_are_as_they_were() -> None:
    truth, answers, labels = scored(MOST_CLASSES, 50)
    facts = measure(truth, answers, labels, Evaluate(bootstrap=100))
    assert np.array(facts["confusion"]).shape == (MOST_CLASSES, MOST_CLASSES) and "confusion_cells" not in facts
    assert _lists(answers.probabilities).combine_chunks().equals(pa.array(answers.probabilities.tolist()))


def test_the_report_names_the_classes_with_the_lowest_f1_and_how_many_there_are() -> None:
    truth = np.array([0, 0, 0, 1, 1, 2, 3, 3])
    found = np.array([0, 0, 0, 1, 0, 0, 3, 3])
    training = type("Named", (), {"labels": ("all|right", "[half](http://x)", "*none* <b>", "fine", "absent")})()
    domain: Any = type("Classes", (), {"training": training})()
    answers = Predictions(np.eye(5)[found], np.ones(8, bool))
    lines = _worst_classes(Scored(pd.DataFrame(), [], truth, answers, domain, {}), 2)
    assert lines[1] == "Classes with the lowest F1, 2 of the 4 that have test rows:"
    assert [line.split(" | ")[0] for line in lines[-2:]] == [r"| \*none\* &lt;b&gt;", r"| \[half\](http://x)"]


def test_the_baseline_of_many_classes_is_the_nearest_class(monkeypatch: pytest.MonkeyPatch) -> None:
    names = [f"word{n}" for n in range(MANY + 1)]
    texts = [f"about {name} number {k}" for name in names for k in range(3)]
    labels = np.repeat(np.arange(len(names)), 3)
    monkeypatch.setattr("tasks.text.baselines.WEIGHTS", 100)
    assert tfidf(texts, labels, [f"what of {name}" for name in names]).tolist() == list(range(len(names)))
    assert tfidf(texts, labels, ["zzz"]).tolist() == majority(labels, 1).tolist(), "no known word: the commonest class"
    assert WEIGHTS * 8 < 2**26


def test_predictions_of_thousands_of_classes_are_one_table(tmp_path: Path) -> None:
    _, answers, labels = scored(3_000, 3)
    frame = answers.frame(labels)
    assert (
        frame.shape == (3, 3_002) and frame["probability of c2999"].tolist() == answers.probabilities[:, 2999].tolist()
    )
