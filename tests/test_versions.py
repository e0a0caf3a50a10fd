"""Versions in the registry: which alias each earns, what its run keeps, how its data drifted."""

from pathlib import Path

import mlflow
import pandas as pd
import pytest
from tiny import ROOT, planted, recipe, run

from configs.load import load_recipe
from tasks.artifact import StageError
from tasks.data.splitting import positions
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
    assert worse.test_evaluations > first.test_evaluations, "another model on the same test rows"
    made = aliases.promote("reviews-demo", worse.version, "the threshold is wrong")
    assert (made.before, made.after) == (first.version, worse.version)
    again, statuses = run(recipe(), heard)
    assert (again.aliases, statuses["register"]) == ((), "cached")
    assert run(strict, heard)[0].aliases == ("champion",)
    assert aliases.rollback("reviews-demo", "it was not").after == first.version
    again, _ = run(recipe(), heard)
    assert (again.aliases, again.uri) == (("champion",), first.uri)
    assert run(strict, heard)[0].aliases == ()


@pytest.mark.timeout(900)
@pytest.mark.long
def test_an_undecided_model_is_judged_again_on_other_test_rows(
    harness: None, heard: list[Event], tmp_path: Path
) -> None:
    """The champion was not scored on these, so its registered model is asked, in a process of its own."""
    from tasks.tracking.runs import client

    table = tmp_path / "data" / "planted.csv"
    own = ["download={kind: file, path: planted.csv}", "register.model=planted"]
    planted(900).to_csv(table, index=False)
    first, _ = run(recipe(*own), heard)
    equal, _ = run(recipe(*own, "train.learning_rate=1.0001e-3"), heard)
    assert equal.verdict.startswith("undecided") and equal.aliases == ("candidate",), equal.verdict
    more = planted(1400, seed=1)
    pd.concat([planted(900), more[positions(more["text"].astype("str"), 0) < 0.1]]).to_csv(table, index=False)
    later, statuses = run(recipe(*own, "train.learning_rate=1.0001e-3"), heard)
    assert (statuses["train"], statuses["evaluate"], statuses["register"]) == ("cached", "run", "run")
    assert (later.version, later.report["rows"] > equal.report["rows"]) == (equal.version, True)
    newest = max(item.path for item in client().list_artifacts(later.run_id, "decisions"))
    place = client().get_run(later.run_id).info.artifact_uri
    evidence = mlflow.artifacts.load_dict(f"{place}/{newest}")["evidence"]
    assert (evidence["source"], evidence["champion"]) == ("scored again, on its own", first.version)
    assert evidence["contest"]["rows"] == later.report["rows"]


@pytest.mark.long
def test_an_image_model_answers_again_as_in_its_test(harness: None, heard: list[Event]) -> None:
    from flows.stage_graph import perform_until
    from tasks.data.rows import read_rows
    from tasks.tracking.rescoring import rescore
    from tasks.vision.images import read_bytes

    small = ["train.epochs=1", "train.phases=[]", "evaluate.bootstrap=100", "register.thresholds={}"]
    loaded = load_recipe(ROOT / "configs" / "digits_demo.yaml", small)
    version, _ = run(loaded, heard)
    made = perform_until(loaded, "evaluate")
    kept = pd.read_parquet(made["evaluate"].result.file("predictions.parquet"))
    rows = read_rows(made["split"].result.file("test.parquet")).set_index("id").loc[kept["id"]]
    images = dict(read_bytes(made["split"].result.file("images.parquet"), set(rows["image"])))
    asked = pd.DataFrame({"content": [images[name] for name in rows["image"]]})
    assert rescore(version.uri, "image", asked, {})["predicted"].tolist() == kept["predicted"].tolist()


@pytest.mark.long
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
    assert second.test_evaluations > first.test_evaluations
    data = client().get_run(first.run_id).data
    assert (data.params["register.model"], data.tags["register.model"]) == ("reviews-demo", "elsewhere")
    assert (data.params["evaluate.bootstrap"], data.tags["evaluate.bootstrap"]) == ("100", "500")
    third, _ = run(recipe("register.model=third"), heard)
    assert third.run_id == first.run_id


@pytest.mark.long
def test_drift_since_the_version_before_is_told(harness: None, heard: list[Event], tmp_path: Path) -> None:
    """Nothing is said where the rows are the same; a planted shift of labels is named, in Prefect too."""
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterKey

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
        of_drift = client.read_artifacts(artifact_filter=ArtifactFilter(key=ArtifactFilterKey(any_=["drift"])))
        found = [one for one in of_drift if "drifting" in str(one.description)]
    assert len(found) == 1 and found[0].flow_run_id is not None and "label" in str(found[0].data)


def test_flipped_weights_keep_the_alias(harness: None, heard: list[Event]) -> None:
    from tasks.tracking import proof

    version, _ = run(recipe(), heard)
    samples = [{"text": "Good as gold.", "answer": [0.123, 0.877]}]
    with proof.prover() as process, pytest.raises(StageError, match="differ by"):
        proof.prove(process, version.uri, "label_word", samples)
