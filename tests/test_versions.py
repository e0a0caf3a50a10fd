"""Versions in the registry: which alias each earns, what its run keeps, how its data drifted."""

from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import pytest
from tiny import ROOT, recipe, run

from configs.load import load_recipe
from tasks.artifact import StageError, Version
from tasks.store.events import Event

pytestmark = pytest.mark.faults


def test_by_hand_back_and_untouched_by_later_runs(harness: None, heard: list[Event]) -> None:
    """A person promotes what a threshold kept back, and takes it back; a cached run moves nothing in between."""
    from tasks.tracking import aliases

    first, _ = run(recipe(), heard)
    strict = recipe("train.learning_rate=1e-6", "register.thresholds={accuracy: 0.999}")
    worse, _ = run(strict, heard)
    assert worse.aliases == ("candidate",)
    assert worse.verdict.startswith("kept: accuracy") and "threshold" in worse.verdict
    assert worse.openings > first.openings, "another model on the same test rows"
    made = aliases.promote("reviews-demo", worse.version, "the threshold is wrong")
    assert (made.before, made.after) == (first.version, worse.version)
    again, statuses = run(recipe(), heard)
    assert (again.aliases, statuses["register"]) == ((), "cached")
    assert run(strict, heard)[0].aliases == ("champion",)
    assert aliases.rollback("reviews-demo", "it was not").after == first.version
    again, _ = run(recipe(), heard)
    assert (again.aliases, again.uri) == (("champion",), first.uri)
    assert run(strict, heard)[0].aliases == ()


def planted(path: Path, rows: int, seed: int) -> None:
    """Texts of random words, of which one tells the label: a model learns it or does not."""
    draw = np.random.default_rng(seed)
    words = ["".join(draw.choice(list("abcdefghijklmnoprstu"), 5)) for _ in range(400)]
    labels = draw.choice(["neg", "pos"], rows)
    texts = [" ".join([*draw.choice(words, 9), "bad" if label == "neg" else "good"]) for label in labels]
    pd.DataFrame({"text": texts, "label": labels}).to_csv(path, index=False)


def decision(version: Version) -> dict[str, Any]:
    """The newest record of a decision in a version's run."""
    from tasks.tracking.runs import client

    found = max(item.path for item in client().list_artifacts(version.run_id, "decisions"))
    return dict(mlflow.artifacts.load_dict(f"{client().get_run(version.run_id).info.artifact_uri}/{found}"))


def test_better_gets_in_worse_stays_out_equal_is_undecided(harness: None, heard: list[Event], tmp_path: Path) -> None:
    """And an undecided one is judged again when the test rows are others, the champion being scored on these anew."""
    table = tmp_path / "data" / "planted.csv"
    planted(table, 900, 0)
    own = ["download={kind: file, path: planted.csv}", "register.model=planted", "train.epochs=4"]
    idle, able, twin = "train.learning_rate=1e-7", "train.learning_rate=1e-2", "train.learning_rate=1.01e-2"
    first, _ = run(recipe(*own, idle), heard)
    assert first.verdict.startswith("promoted: the first champion")
    better, _ = run(recipe(*own, able, "register.slices={label: 20}"), heard)
    assert better.aliases == ("champion",) and better.verdict.startswith("promoted: better: accuracy"), better.verdict
    found = decision(better)
    assert (found["before"], found["after"], found["decided"]) == (first.version, better.version, "promoted")
    assert found["evidence"]["source"] == "its own test of the same rows"
    assert found["evidence"]["changed"]["fixed"] > 10 and len(found["evidence"]["slices"]) == 2
    assert len(found["evidence"]["changed"]["examples"]["fixed"]) == 10
    worse, _ = run(recipe(*own, "train.learning_rate=2e-7"), heard)
    assert worse.verdict.startswith("kept: worse: accuracy") and worse.aliases == ("candidate",)
    equal, _ = run(recipe(*own, twin), heard)
    assert equal.verdict.startswith("undecided"), equal.verdict
    grown = pd.read_csv(table)
    planted(table, 1400, 1)
    pd.concat([grown, pd.read_csv(table)]).to_csv(table, index=False)
    keep = pd.read_csv(table)
    tested = set(test_positions(keep, len(grown)))
    keep[[at < len(grown) or at in tested for at in range(len(keep))]].to_csv(table, index=False)
    later, statuses = run(recipe(*own, twin), heard)
    assert (statuses["train"], statuses["evaluate"], statuses["register"]) == ("cached", "run", "run")
    assert later.version == equal.version
    assert decision(later)["evidence"]["source"] == "scored again, on its own"
    overlapping, _ = run(recipe(*own, able, "split.seed=1"), heard)
    assert "was trained or chosen on" in overlapping.verdict and overlapping.verdict.startswith("undecided")


def test_positions(rows: pd.DataFrame, known: int) -> list[int]:
    """Positions of the added rows that the split gives to the test part."""
    from tasks.data.splitting import positions

    return [at for at, place in enumerate(positions(rows["text"].astype("str"), 0)) if at >= known and place < 0.1]


def test_an_image_model_answers_again_as_in_its_test(harness: None, heard: list[Event]) -> None:
    from flows.spine import perform_until
    from tasks.data.rows import read_rows
    from tasks.tracking.evidence import rescore
    from tasks.vision.images import read_bytes

    small = ["train.epochs=1", "train.phases=[]", "evaluate.bootstrap=100", "register.thresholds={}"]
    loaded = load_recipe(ROOT / "configs" / "digits_demo.yaml", small)
    version, _ = run(loaded, heard)
    made = perform_until(loaded, "evaluate")
    kept = pd.read_parquet(made["evaluate"].result.file("predictions.parquet"))
    rows = read_rows(made["split"].result.file("test.parquet")).set_index("id").loc[kept["id"]]
    images = dict(read_bytes(made["split"].result.file("images.parquet"), set(rows["image"])))
    told = rescore(version.uri, [images[name] for name in rows["image"]], images=True)
    assert told["label"].tolist() == kept["predicted"].tolist()


def test_one_training_is_registered_under_two_names(harness: None, heard: list[Event]) -> None:
    """Its one run keeps its parameters; what differs the second time is a tag.

    Between the two another model is scored on the same test rows, so a metric of the run changes too; MLflow
    reads the run's whole history when a third version is logged.
    """
    from tasks.tracking.runs import client

    first, _ = run(recipe(), heard)
    run(recipe("train.learning_rate=3e-6"), heard)
    second, statuses = run(recipe("register.model=elsewhere", "evaluate.bootstrap=500"), heard)
    assert (second.run_id, second.name, statuses["train"]) == (first.run_id, "elsewhere", "cached")
    assert second.openings > first.openings
    data = client().get_run(first.run_id).data
    assert (data.params["register.model"], data.tags["register.model"]) == ("reviews-demo", "elsewhere")
    assert (data.params["evaluate.bootstrap"], data.tags["evaluate.bootstrap"]) == ("100", "500")
    third, _ = run(recipe("register.model=third"), heard)
    assert third.run_id == first.run_id


def test_drift_since_the_version_before_is_told(harness: None, heard: list[Event], tmp_path: Path) -> None:
    """Nothing is said where the rows are the same; a planted shift of labels is named, in Prefect too."""
    from prefect.client.orchestration import get_client

    table = pd.read_csv(ROOT / "tasks" / "data" / "demo" / "reviews.csv")
    for name, rows in (
        ("plain.csv", table),
        ("shifted.csv", table[(table["label"] == "pos") | (table.index % 3 == 0)]),
    ):
        rows.to_csv(tmp_path / "data" / name, index=False)
    changes = ["register.model=drifting", "validate.min_rows=300"]
    for number, (name, rate) in enumerate((("plain.csv", "1e-3"), ("plain.csv", "2e-3"), ("shifted.csv", "1e-3"))):
        source = f"download={{kind: file, path: {name}}}"
        run(recipe(source, f"train.learning_rate={rate}", *changes), heard)
        said = [event.text for event in heard if event.stage == "drift"]
        assert [text.startswith("since version 2: label (") for text in said] == [True] * (number == 2), said
    with get_client(sync_client=True) as client:
        found = [artifact for artifact in client.read_artifacts() if artifact.key == "drift"]
    assert len(found) == 1 and found[0].flow_run_id is not None and "label" in str(found[0].data)


def test_flipped_weights_keep_the_alias(harness: None, heard: list[Event]) -> None:
    from tasks.tracking import proof

    version, _ = run(recipe(), heard)
    samples = [{"text": "Good as gold.", "answer": [0.123, 0.877]}]
    with pytest.raises(StageError, match="differ by"):
        proof.prove(version.uri, "generative", samples)
