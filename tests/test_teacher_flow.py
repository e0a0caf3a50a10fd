"""A student of a registered teacher, from recipe to scores: images, and texts of another tokenizer."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from tiny import ROOT, TINY, run

from configs.load import load_recipe
from configs.schema import Recipe
from configs.settings import settings
from flows.plan import plan
from flows.pull import pull_version
from flows.stage_graph import perform_until
from tasks.artifact import StageError
from tasks.data.rows import read_rows
from tasks.kinds.predicting import image_contents, open_predictor
from tasks.store.events import Event
from tasks.store.sweep import Catalogue
from tasks.tracking.models import model_folder

pytestmark = [pytest.mark.faults, pytest.mark.timeout(1800)]
TEACHER = "train.teacher={{models: [{{kind: registered, name: {name}}}], losses: {losses}, labels: {labels}}}"
STUDENT = [
    "train.model={kind: mlp, hidden: [32]}",
    "train.epochs=2",
    "evaluate.bootstrap=100",
    "register.model=student",
    "register.thresholds={}",
]


def digits(*changes: str) -> Recipe:
    return load_recipe(ROOT / "configs" / "digits_demo.yaml", list(changes))


def student(*changes: str, losses: str = "{kl: 1.0}", labels: float = 0.0) -> Recipe:
    return digits(*STUDENT, TEACHER.format(name="digits-demo", losses=losses, labels=labels), *changes)


def made(stage: str) -> Sequence[str]:
    return sorted(path.parent.name for path in (settings().store / stage).glob("*/manifest.json"))


@pytest.fixture
def teacher(harness: None, heard: list[Event]) -> None:
    run(digits("train.epochs=3", "evaluate.bootstrap=100", "register.thresholds={}"), heard)


def test_a_student_of_images_learns_what_its_teacher_scores(
    teacher: None, heard: list[Event], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEMPER_REMOTE", f"file://{tmp_path}/shared")
    lines, _, _ = plan(student(), ask=False)
    assert [line["stage"] for line in lines if line.get("within") == "train"] == ["teacher"]
    done = perform_until(student(), "evaluate")
    (key,) = made("teacher")
    scores = np.load(settings().store / "teacher" / key / "data" / "scores.npy")
    splits = done["split"].result
    ids = pq.read_table(done["encode"].result.file("train.parquet"))["id"].to_pylist()
    rows = read_rows(splits.file("train.parquet")).set_index("id").loc[ids[:20]]
    predictor = open_predictor(model_folder("digits-demo", "champion"), "cpu")
    summary = (done["train"].result.records / "summary.md").read_text()
    assert "learns from digits-demo version 1: kl 1, labels 0, temperature 2" in summary
    asked = predictor.scores(image_contents(rows, splits.file("images.parquet")))
    assert scores.dtype == np.float16 and scores.shape == (len(ids), 10)
    assert np.allclose(scores[:20], asked, rtol=2e-3, atol=2e-3)

    report = json.loads(done["evaluate"].result.file("report.json").read_text())
    assert report["scores"]["accuracy"] > 0.6, "it never saw a label"

    perform_until(student("train.teacher.temperature=5.0"), "train")
    assert made("teacher") == [key] and len(made("train")) == 3, "scores are made once for all students"
    perform_until(student(losses="{mse: 0.1}", labels=1.0), "train")
    assert made("teacher") == [key]
    second = "{kind: registered, name: digits-demo, version: '1'}"
    twice = f"train.teacher={{models: [{second}, {second}], losses: {{kl: 1.0}}, labels: 0.0}}"
    doubled = perform_until(student(twice), "train")["train"].result
    assert [*doubled.manifest()["auxiliary"]] == ["teacher", "teacher 2"]
    trainings = [("train", name) for name in made("train")]
    assert ("teacher", key) in Catalogue.read(settings().store).reached(dict.fromkeys(trainings, "kept"))
    monkeypatch.setenv("TEMPER_ARTIFACTS", str(tmp_path / "another home's"))
    pulled = [(one.stage, one.state) for one in pull_version({"train": doubled.digest})]
    assert pulled == [("train", "brought"), ("teacher", "brought")]


def test_a_teacher_that_was_trained_on_held_out_rows_is_refused(teacher: None, heard: list[Event]) -> None:
    before = made("teacher")
    with pytest.raises(StageError, match=r"digits-demo version 1 was trained or chosen on \d+ of the \d+ test rows"):
        run(student("split.seed=7"), heard)
    assert made("teacher") == before


def test_scores_that_a_killed_run_kept_are_not_computed_again(
    teacher: None, heard: list[Event], monkeypatch: pytest.MonkeyPatch
) -> None:
    from tasks.kinds import teaching as scoring

    monkeypatch.setattr(scoring, "SHARD", 400)
    asked: list[int] = []
    whole = scoring._scores

    def scored(*given: object) -> object:
        asked.append(1)
        if len(asked) == 3:
            raise KeyboardInterrupt
        return whole(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(scoring, "_scores", scored)
    fewer = "split.train_rows=1300"
    before = made("teacher")
    with pytest.raises(KeyboardInterrupt):
        perform_until(student(fewer), "train")
    kept = sorted((settings().store / "teacher").glob("*.partial/scratch/*.npy"))
    assert [path.name for path in kept] == ["0.npy", "400.npy"]
    perform_until(student(fewer), "train")
    (key,) = set(made("teacher")) - set(before)
    assert len(np.load(settings().store / "teacher" / key / "data" / "scores.npy")) == 1300
    assert len(asked) == 3 + 2, "of four shards two were kept, the third was torn"


def test_a_student_of_texts_reads_with_a_tokenizer_of_its_own(heard: list[Event], tmp_path: Path) -> None:
    """Its teacher predicts by label words and another vocabulary; it is asked the texts themselves."""
    reviews = ROOT / "configs" / "reviews_demo.yaml"
    version, _ = run(load_recipe(reviews, [*TINY, "register.thresholds={}", "train.epochs=2"]), heard)
    encode = "{kind: classifier, tokenizer: {kind: train, vocab_size: 300}, max_length: 48}"
    taught = load_recipe(
        reviews,
        [
            *(change for change in TINY if "encode." not in change and "model.config" not in change),
            f"encode={encode}",
            "train.model={kind: new, family: bert, config: {num_hidden_layers: 1, num_attention_heads: 2, "
            "hidden_size: 16, intermediate_size: 32, max_position_embeddings: 64}}",
            TEACHER.format(name=version.name, losses="{kl: 1.0}", labels=0.5),
        ],
    )
    before = made("teacher")
    done = perform_until(taught, "train")
    (key,) = set(made("teacher")) - set(before)
    scores = np.load(settings().store / "teacher" / key / "data" / "scores.npy")
    ids = pq.read_table(done["encode"].result.file("train.parquet"))["id"].to_pylist()
    rows = read_rows(done["split"].result.file("train.parquet")).set_index("id").loc[ids]
    own = open_predictor(model_folder(version.name, "1"), "cpu").scores(list(rows["text"]))
    assert np.allclose(scores, own, rtol=2e-3, atol=2e-2)
