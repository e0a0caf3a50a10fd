"""The whole flow under Prefect's test harness: recipe in, registered model out, and what a change re-runs."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from configs.load import load_recipe
from configs.schema import Recipe
from tasks.artifact import StageError, Version
from tasks.store.events import Event, heard_by

ROOT = Path(__file__).resolve().parent.parent
STAGES = ["download", "validate", "clean", "split", "encode", "train", "evaluate", "register"]
TINY = [
    "train.model.config={n_layer: 1, n_head: 2, n_embd: 16, n_positions: 64}",
    "train.epochs=1",
    "train.eval_steps=10",
    "encode.tokenizer.vocab_size=400",
    "evaluate.bootstrap=100",
]


@pytest.fixture(scope="module")
def harness() -> Iterator[None]:
    from prefect.testing.utilities import prefect_test_harness

    with prefect_test_harness(server_startup_timeout=120):
        yield


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One home for the module, so that later tests start from a finished run."""
    return tmp_path_factory.mktemp("home")


@pytest.fixture
def heard(monkeypatch: pytest.MonkeyPatch, place: Path) -> Iterator[list[Event]]:
    monkeypatch.setenv("TEMPER_HOME", str(place))
    events: list[Event] = []
    with heard_by(events.append):
        yield events


def recipe(*changes: str) -> Recipe:
    return load_recipe(ROOT / "configs" / "reviews_demo.yaml", [*TINY, *changes])


def run(loaded: Recipe, heard: list[Event]) -> tuple[Version, dict[str, str]]:
    from flows.finetune import finetune

    heard.clear()
    version = finetune(loaded)
    return version, {event.stage: str(event.status) for event in heard if event.kind == "finished"}


def perform(loaded: Recipe, heard: list[Event]) -> dict[str, str]:
    """The same stages outside Prefect, as far as evaluate; what became of each."""
    from flows.spine import perform_until

    heard.clear()
    outcomes = perform_until(loaded, "evaluate")
    changes.update({name: outcome.changed for name, outcome in outcomes.items()})
    return {name: outcome.status for name, outcome in outcomes.items()}


changes: dict[str, tuple[str, ...]] = {}


def test_first_run_registers_a_champion_and_the_second_is_cached(
    harness: None, heard: list[Event], place: Path
) -> None:
    version, statuses = run(recipe(), heard)
    assert list(statuses) == STAGES
    assert set(statuses.values()) == {"run"}
    assert version.aliases == ("champion",)
    assert version.version == "1"
    again, statuses = run(recipe(), heard)
    assert set(statuses.values()) == {"cached"}
    assert (again.version, again.run_id, again.aliases) == (version.version, version.run_id, version.aliases)


def test_the_mlflow_run_is_complete(harness: None, heard: list[Event]) -> None:
    from tasks.tracking.runs import client

    version, _ = run(recipe(), heard)
    found = client()
    data = found.get_run(version.run_id).data
    assert data.params["train.learning_rate"] == "0.001"
    assert data.params["download.kind"] == "embedded"
    assert {"train.loss", "validation.accuracy", "test.accuracy", "baseline.tfidf.accuracy"} <= set(data.metrics)
    assert data.metrics["test.accuracy"] == version.metrics["accuracy"]
    assert len(found.get_metric_history(version.run_id, "validation.loss")) >= 3
    names = {item.path for item in found.list_artifacts(version.run_id)}
    assert {"1-download", "2-validate", "7-evaluate", "recipe.yaml", "certificate.json", "report.json"} <= names
    assert "prefect.flow_run_id" in data.tags
    held = found.get_model_version("reviews-demo", version.version)
    assert held.tags["temper.test.accuracy"] == repr(version.metrics["accuracy"])
    inputs = {item.tags[0].value: item.dataset for item in found.get_run(version.run_id).inputs.dataset_inputs}
    assert set(inputs) == {"train", "validation", "test"}
    assert len({dataset.digest for dataset in inputs.values()}) == 3
    assert data.metrics["test.openings"] == version.openings == 1


def test_prefect_shows_stages_states_and_artifacts(harness: None, heard: list[Event]) -> None:
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.sorting import FlowRunSort

    run(recipe(), heard)
    with get_client(sync_client=True) as api:
        newest = api.read_flow_runs(sort=FlowRunSort.START_TIME_DESC, limit=1)[0]
        tasks = [t for t in api.read_task_runs(limit=200) if t.flow_run_id == newest.id]
        assert newest.name == "reviews_demo"
        assert sorted(t.name for t in tasks) == sorted(STAGES)
        assert {t.state_name for t in tasks} == {"Cached"}
        upstream = {t.name: {str(i.id) for part in t.task_inputs.values() for i in part} for t in tasks}
        ids = {t.name: str(t.id) for t in tasks}
        assert {ids["train"], ids["encode"], ids["split"]} <= upstream["evaluate"]
        keys = {a.key for a in api.read_artifacts(limit=200) if a.flow_run_id == newest.id}
    assert {f"{stage}-summary" for stage in STAGES} <= keys
    assert "validate-table" in keys


def test_only_the_learning_rate_retrains(heard: list[Event]) -> None:
    perform(recipe(), heard)
    statuses = perform(recipe("train.learning_rate=5e-4"), heard)
    assert [stage for stage, status in statuses.items() if status == "run"] == ["train", "evaluate"]
    assert changes["train"] == ("section.learning_rate: 0.001 → 0.0005",)


def test_another_split_seed_reruns_from_split_on(heard: list[Event]) -> None:
    perform(recipe(), heard)
    statuses = perform(recipe("split.seed=1"), heard)
    assert [stage for stage, status in statuses.items() if status == "cached"] == ["download", "validate", "clean"]


def test_damage_is_said_and_rebuilt(heard: list[Event], place: Path) -> None:
    perform(recipe(), heard)
    for victim in place.glob(".artifacts/split/*/data/train.parquet"):
        victim.write_bytes(victim.read_bytes()[:-1] + b"\0")
    statuses = perform(recipe(), heard)
    assert statuses["split"] == "run"
    assert statuses["encode"] == "cached"  # the same bytes again
    assert any("damaged" in event.text for event in heard if event.kind == "note")


def test_a_new_test_row_does_not_retrain(heard: list[Event], tmp_path: Path) -> None:
    from tasks.data.splitting import positions

    table = pd.read_csv(ROOT / "tasks" / "data" / "demo" / "reviews.csv")
    table.to_csv(tmp_path / "data" / "reviews.csv", index=False)
    own = ["download={kind: file, path: reviews.csv}"]
    perform(recipe(*own), heard)
    texts = pd.Series([f"A brand new sentence, number {i}, that nobody wrote before." for i in range(100)], dtype="str")
    text = texts[positions(texts, 0) < 0.1].iloc[0]
    grown = pd.concat([table, pd.DataFrame([{"text": text, "label": "pos"}])])
    grown.to_csv(tmp_path / "data" / "reviews.csv", index=False)
    statuses = perform(recipe(*own), heard)
    assert statuses["split"] == "run"
    assert statuses["train"] == "cached"
    assert statuses["evaluate"] == "run"


def test_encoder_classification(heard: list[Event], tmp_path: Path) -> None:
    words = sorted(set(" ".join(pd.read_csv(ROOT / "tasks/data/demo/reviews.csv")["text"]).lower().split()))
    folder = tmp_path / "data" / "vocab"
    folder.mkdir()
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    (folder / "vocab.txt").write_text("\n".join(special + words), encoding="utf-8")
    small = "{num_hidden_layers: 1, num_attention_heads: 2, hidden_size: 16, intermediate_size: 32}"
    statuses = perform(
        recipe(
            "encode={kind: classifier, tokenizer: {kind: files, path: vocab}, max_length: 64}",
            f"train.model={{kind: new, family: bert, config: {small}}}",
            "train.freeze_encoder=true",
            "register.model=reviews-bert",
        ),
        heard,
    )
    assert statuses["train"] == statuses["evaluate"] == "run"


def test_the_model_loads_elsewhere_and_takes_texts_and_tables(
    harness: None, heard: list[Event], place: Path, tmp_path: Path
) -> None:
    run(recipe(), heard)
    script = (
        "import sys, json, mlflow, pandas as pd\n"
        "for name in ('tasks', 'flows', 'configs'): sys.modules[name] = None\n"
        "mlflow.set_tracking_uri(sys.argv[1])\n"
        "model = mlflow.pyfunc.load_model('models:/reviews-demo@champion')\n"
        "texts = ['Good as gold.', 'Never again!']\n"
        "table = model.predict(pd.DataFrame({'text': texts}))\n"
        "assert table.equals(model.predict(texts)), 'texts and tables differ'\n"
        "assert len(model.predict('Good as gold.')) == 1\n"
        "print(json.dumps(table['label'].tolist()))\n"
        "try: model.predict(pd.DataFrame({'title': texts}))\n"
        "except Exception as error: print('column `text`' in str(error))\n"
    )
    uri = f"sqlite:///{place}/mlruns/mlflow.db"
    done = subprocess.run([sys.executable, "-c", script, uri], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert set(json.loads(lines[-2])) <= {"neg", "pos"}
    assert lines[-1] == "True"


@pytest.mark.faults
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


@pytest.mark.faults
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


@pytest.mark.faults
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


@pytest.mark.faults
def test_flipped_weights_keep_the_alias(harness: None, heard: list[Event]) -> None:
    from tasks.tracking import models

    version, _ = run(recipe(), heard)
    samples = [{"text": "Good as gold.", "probabilities": [0.123, 0.877]}]
    with pytest.raises(StageError, match="differ by"):
        models.prove(version.uri, samples)


def test_bad_data_stop_the_run_with_names_and_rows(heard: list[Event], tmp_path: Path) -> None:
    table = pd.read_csv(ROOT / "tasks" / "data" / "demo" / "reviews.csv")
    table.loc[5, "label"] = "neutral"
    table.to_csv(tmp_path / "data" / "bad.csv", index=False)
    with pytest.raises(StageError, match=r"expect_column_values_to_be_in_set.*\n.*row .*neutral"):
        perform(recipe("download={kind: file, path: bad.csv}"), heard)


def test_plan_and_flow_agree_on_the_wiring() -> None:
    from flows.spine import stage, wiring

    assert [name for name, _, _ in wiring()] == STAGES
    for name, _, takes in wiring()[:-1]:
        assert stage(name).parameters == takes
        assert set(stage(name).opens) == set(takes)


def test_a_recipe_passes_prefects_parameter_schema() -> None:
    from flows.finetune import finetune

    assert "recipe" in finetune.parameters.properties


def kill_during_training(env: dict[str, str], place: Path) -> None:
    """Start `temper run`, and kill it with SIGKILL once a second checkpoint is there."""
    command = [Path(sys.executable).parent / "temper", "run", str(ROOT / "configs" / "reviews_demo.yaml"), *LONG]
    process = subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        import time

        for _ in range(1200):
            time.sleep(0.1)
            if len(list(place.glob(".artifacts/train/*.partial/beside/checkpoints/checkpoint-*"))) >= 2:
                return
            assert process.poll() is None, "the run ended before it could be killed"
        raise AssertionError("no checkpoint appeared")
    finally:
        process.kill()
        process.wait()


LONG = [*TINY, "train.epochs=6", "train.eval_steps=8", "train.model.config={n_layer: 2, n_head: 2, n_embd: 64}"]


@pytest.mark.faults
@pytest.mark.servers
def test_a_killed_training_resumes_in_its_mlflow_run_with_equal_weights(tmp_path: Path) -> None:
    """SIGKILL during train; the next run resumes in the same MLflow run and ends with bit-equal weights."""
    weights, runs = [], []
    for name, killed in (("whole", False), ("killed", True)):
        place = tmp_path / name
        place.mkdir()
        env = {
            **os.environ,
            "TEMPER_HOME": str(place),
            "TEMPER_THREADS": "1",
            "PREFECT_HOME": str(tmp_path / "prefect"),
        }
        if killed:
            kill_during_training(env, place)
        command = [Path(sys.executable).parent / "temper", "run", str(ROOT / "configs" / "reviews_demo.yaml"), *LONG]
        done = subprocess.run([*command, "--json"], env=env, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        document: dict[str, Any] = json.loads(done.stdout)
        train = next(stage for stage in document["stages"] if stage["stage"] == "train")
        assert train["status"] == ("resumed" if killed else "run")
        weights.append((place / ".artifacts" / "train" / train["key"] / "data" / "model.safetensors").read_bytes())
        found = __import__("mlflow").MlflowClient(f"sqlite:///{place}/mlruns/mlflow.db")
        experiment = found.get_experiment_by_name("reviews_demo").experiment_id
        runs.append([run.info.run_id for run in found.search_runs([experiment])])
        assert runs[-1] == [document["mlflow_run_id"]]
        steps = [point.step for point in found.get_metric_history(document["mlflow_run_id"], "validation.loss")]
        assert steps == sorted(set(steps)), "a step stands twice in the curve"
    assert weights[0] == weights[1]
