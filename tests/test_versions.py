"""Versions in the registry: which alias each earns, what its run keeps, how its data drifted."""

from pathlib import Path

import pandas as pd
import pytest
from tiny import ROOT, recipe, run

from tasks.artifact import StageError
from tasks.store.events import Event

pytestmark = pytest.mark.faults


def test_a_worse_model_stays_candidate_and_a_rolled_back_alias_stays(harness: None, heard: list[Event]) -> None:
    from tasks.tracking.runs import client

    first, _ = run(recipe(), heard)
    strict = recipe("train.learning_rate=1e-6", "register.thresholds={accuracy: 0.999}")
    worse, _ = run(strict, heard)
    assert worse.aliases == ("candidate",)
    assert "threshold" in worse.verdict
    assert worse.openings > first.openings, "another model on the same test rows"
    found = client()
    found.set_registered_model_alias("reviews-demo", "champion", worse.version)
    again, _ = run(recipe(), heard)
    assert "champion" not in again.aliases
    found.set_registered_model_alias("reviews-demo", "champion", first.version)


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
