"""temper distill: a student with its teachers, without them, with more data, and the teachers themselves."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from test_teacher_flow import STUDENT, TEACHER, digits
from tiny import ROOT, TINY, run

from configs.load import RecipeError, load_recipe
from configs.schema import Recipe
from flows.cli import distill
from flows.stage_graph import perform_until
from flows.variants import read_taught
from tasks.data.errors import DataError
from tasks.kinds import standing_models
from tasks.kinds.standing_models import costs, teachers_right
from tasks.learn.comparison import Costs, Side, describe, draw, weigh
from tasks.store.events import Event

DIGITS = ROOT / "configs" / "digits_demo.yaml"
TAUGHT = TEACHER.format(name="digits-demo", losses="{kl: 0.5}", labels=0.5)


def test_students_are_plain_overrides() -> None:
    changes = [*STUDENT, TAUGHT, "split.train_rows=300"]
    named, students = read_taught(DIGITS, changes, ["split.train_rows=600"])
    assert named == "distill-digits_demo"
    assert [student.name for student in students] == ["distilled", "hard labels", "more data"]
    assert [student.recipe.train.teacher is None for student in students] == [False, True, True]
    assert [student.recipe.split.train_rows for student in students] == [300, 300, 600]
    assert len(read_taught(DIGITS, changes, [])[1]) == 2


def test_a_recipe_without_teachers_and_more_of_the_same_are_refused() -> None:
    with pytest.raises(RecipeError, match=r"has no train\.teacher, so nothing is distilled"):
        read_taught(DIGITS, STUDENT, [])
    with pytest.raises(RecipeError, match="hard labels and more data are the same training"):
        read_taught(DIGITS, [*STUDENT, TAUGHT], ["train.epochs=2"])


class Asked:
    """A predictor that says the same of every row."""

    def __init__(self, labels: tuple[str, ...], probabilities: list[float]) -> None:
        self.encoding, self.probabilities = self, np.array([probabilities])
        self.labels = labels

    def predict(self, contents: list[Any], batch: int) -> "Asked":
        if not all(isinstance(content, str) for content in contents):
            raise ValueError("row 0: a text is asked")
        told = Asked(self.labels, [0.0])
        told.probabilities = np.repeat(self.probabilities, len(contents), 0)
        return told

    def scores(self, contents: list[Any], batch: int) -> None:
        assert batch == len(contents)


def test_several_teachers_are_asked_for_their_mean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """In whatever order each has the labels: 0.6 and 0.1 are less than 0.4 and 0.9."""
    known = {"one": Asked(("a", "b"), [0.6, 0.4]), "other": Asked(("b", "a"), [0.9, 0.1])}
    monkeypatch.setattr(standing_models, "open_predictor", lambda folder: known[folder.name])
    folders = [tmp_path / name for name in known]
    assert teachers_right(folders, ["b", "a"], ["x", "y"], 2).tolist() == [[True, False]]
    assert teachers_right(folders[:1], ["b", "a"], ["x", "y"], 2).tolist() == [[False, True]]
    with pytest.raises(DataError, match="the teacher cannot read the test rows: row 0: a text is asked"):
        teachers_right(folders, ["b"], [{"text": "x", "text_pair": "y"}], 2)
    for folder, size in zip(folders, (10, 3), strict=True):
        folder.mkdir()
        (folder / "weights").write_bytes(b"x" * size)
    taken = costs({"both": folders, "small": folders[1:]}, ["x"] * 40)
    assert [taken[name].bytes for name in ("both", "small")] == [13, 3]
    assert set(taken["both"].milliseconds) == {"1", "32"}


def test_a_teacher_has_its_row_in_the_report_and_the_chart(tmp_path: Path) -> None:
    right = np.random.default_rng(0).random((2, 3, 400)) < 0.7
    cost = [Costs(size, {"1": {"p50": size / 1e6, "p95": 1.0}}) for size in (2_000_000, 2_000_000, 10_000_000)]
    sides = [Side(name, (1, 2, 3), right[at], ([],) * 3, cost[at]) for at, name in enumerate(("ours", "theirs"))]
    sides.append(Side("teacher big version 1", (), np.ones((1, 400), bool), (), cost[2]))
    found = weigh(sides, np.arange(400), 0.95, first_is_new=True)
    assert [pair["against"] for pair in found["pairs"]] == ["theirs", "teacher big version 1"]
    assert found["pairs"][1]["verdict"] == "hurt"
    assert found["recipes"][2]["trainings"] == [] and found["recipes"][2]["spread"] == 0.0
    assert describe(found, "distill").startswith("# distill: ours against theirs: ")
    assert "| teacher big version 1 | 1.0000 | 1.0000 – 1.0000 |  |  |" in describe(found)
    assert "| teacher big version 1 | 10.0 MB (× 5.00) | 10.0 ms (× 5.00) |" in describe(found)
    draw(sides, found, tmp_path / "chart.png")
    with pytest.raises(ValueError, match="one training of ours says nothing of another"):
        weigh([Side("ours", (1,), right[0][:1], ([],)), *sides[1:]], np.arange(400), 0.95, first_is_new=True)


def accuracy(recipe: Recipe) -> float:
    """What the recipe's own test came to."""
    table = pd.read_parquet(perform_until(recipe, "evaluate")["evaluate"].result.file("predictions.parquet"))
    return float((table["label"] == table["predicted"]).mean())


@pytest.mark.faults
@pytest.mark.timeout(1800)
def test_from_a_student_to_the_report(
    harness: None, heard: list[Event], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, home: Path
) -> None:
    """Six trainings, then none; the teacher's accuracy is the one that its own test had."""
    from tasks.tracking.runs import client

    monkeypatch.setenv("TEMPER_HOME", str(home))
    big_recipe = digits("train.epochs=3", "evaluate.bootstrap=100", "register.thresholds={}")
    run(big_recipe, heard)
    changes = [*STUDENT, TAUGHT, "split.train_rows=300"]
    distill.command(DIGITS, changes, ["split.train_rows=null"], 2, True)
    found = json.loads(capsys.readouterr().out)
    assert (found["trained"], found["cached"]) == (6, 0)
    names = ["distilled", "hard labels", "more data", "teacher digits-demo version 1"]
    assert [side["name"] for side in found["recipes"]] == names
    assert [(pair["recipe"], pair["against"]) for pair in found["pairs"]] == [("distilled", name) for name in names[1:]]
    assert found["recipes"][3]["accuracy"]["mean"] == pytest.approx(accuracy(big_recipe))
    small, big = found["recipes"][0], found["recipes"][3]
    assert 0 < small["bytes"] < big["bytes"] and all(small["milliseconds"][rows]["p50"] > 0 for rows in ("1", "32"))

    distill.command(DIGITS, changes, ["split.train_rows=null"], 2, False)
    shown = capsys.readouterr().out
    assert "6 trainings cached, 0 done" in shown and "distilled against teacher digits-demo version 1:" in shown
    metrics = client().get_run(found["mlflow_run_id"]).data.metrics
    assert metrics["model_bytes.distilled"] == small["bytes"]
    assert "milliseconds_p50.32.teacher digits-demo version 1" in metrics
    assert len(client().search_model_versions("name = 'student'")) == 0


@pytest.mark.faults
@pytest.mark.timeout(1800)
def test_texts_of_a_student_with_another_tokenizer(harness: None, heard: list[Event]) -> None:
    from flows.distill import distill as flow

    reviews = ROOT / "configs" / "reviews_demo.yaml"
    big_recipe = load_recipe(reviews, [*TINY, "register.thresholds={}", "train.epochs=2"])
    version, _ = run(big_recipe, heard)
    changes = [
        *(change for change in TINY if "encode." not in change and "model.config" not in change),
        "encode={kind: classifier, tokenizer: {kind: train, vocab_size: 300}, max_length: 48}",
        "train.model={kind: new, family: bert, config: {num_hidden_layers: 1, num_attention_heads: 2, "
        "hidden_size: 16, intermediate_size: 32, max_position_embeddings: 64}}",
        TEACHER.format(name=version.name, losses="{kl: 1.0}", labels=0.5),
    ]
    named, students = read_taught(reviews, changes, [])
    found = flow(named, students, 2)
    assert found["recipes"][-1]["accuracy"]["mean"] == pytest.approx(accuracy(big_recipe))
