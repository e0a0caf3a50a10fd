"""The whole flow under Prefect's test harness: recipe in, registered model out, and what a change re-runs."""

import json
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import unquote

import pandas as pd
import pytest
from tiny import ROOT, STAGES, changes, perform, recipe, run

from configs.load import load_recipe
from configs.precision import settled
from tasks.artifact import StageError
from tasks.data.errors import DataError
from tasks.store.events import Event


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
    from mlflow.data import get_source

    found = client()
    data = found.get_run(version.run_id).data
    assert data.params["train.learning_rate"] == "0.001"
    assert data.params["download.kind"] == "embedded"
    assert {"train/loss", "validation/accuracy", "test.accuracy", "baseline.tfidf.accuracy"} <= set(data.metrics)
    assert data.metrics["test.accuracy"] == version.metrics["accuracy"]
    assert len(found.get_metric_history(version.run_id, "validation/loss")) >= 3
    names = {item.path for item in found.list_artifacts(version.run_id)}
    assert {"1-download", "2-validate", "7-evaluate", "recipe.yaml", "certificate.json", "report.json"} <= names
    kept = {
        item.path
        for folder in ("1-download", "2-validate", "5-encode")
        for item in found.list_artifacts(version.run_id, folder)
    }
    assert {"1-download/provenance.json", "2-validate/data_docs.html", "5-encode/rows.png"} <= kept
    assert "prefect.flow_run_id" in data.tags
    assert "prefect.flow_run_url" not in data.tags  # this server goes with the test, and its pages with it
    held = found.get_model_version("reviews-demo", version.version)
    assert held.tags["temper.test.accuracy"] == repr(version.metrics["accuracy"])
    inputs = {item.tags[0].value: item.dataset for item in found.get_run(version.run_id).inputs.dataset_inputs}
    assert set(inputs) == {"train", "validation", "test"}
    assert len({dataset.digest for dataset in inputs.values()}) == 3
    assert inputs["test"].name == "reviews-test" and json.loads(inputs["test"].profile)["num_rows"] == 66
    assert "text" in {column["name"] for column in json.loads(inputs["test"].schema)["mlflow_colspec"]}
    assert get_source(inputs["train"]).to_dict()["tags"]["where"] == "comes with Temper (reviews)"
    model = found.get_logged_model(held.source.removeprefix("models:/"))
    on = {metric.key: metric.dataset_digest for metric in model.metrics}
    assert on["test.accuracy"] == inputs["test"].digest
    assert data.metrics["system/system_memory_usage_percentage"] > 0
    assert data.metrics["test.evaluations"] == version.test_evaluations == 1


def test_mlflows_pages_tell_a_stranger_what_is_there(harness: None, heard: list[Event], tmp_path: Path) -> None:
    from tasks.tracking.descriptions import NOTE
    from tasks.tracking.runs import client

    version, _ = run(recipe(), heard)
    found = client()
    held = found.get_run(version.run_id)
    for text in (held.data.tags[NOTE], found.get_model_version(version.name, version.version).description):
        assert "Trained on 539 rows" in text and "66 test rows" in text and "comes with Temper (reviews)" in text
        assert f"accuracy **{version.metrics['accuracy']:.4f}** [" in text and "Baselines, accuracy: majority" in text
    note = held.data.tags[NOTE]
    assert version.verdict.partition("then ")[2] in note.partition("\n\n")[0]
    pictures = [unquote(path) for path in re.findall(r'<img src="get-artifact\?path=([^&]+)&run_uuid=', note)]
    assert pictures == ["6-train/curves.png", "7-evaluate/confusion.png"]
    assert all(Path(found.download_artifacts(version.run_id, path, str(tmp_path))).is_file() for path in pictures)
    assert "`champion` is the version to use" in found.get_registered_model(version.name).description
    assert "every training of the recipe `reviews_demo`" in found.get_experiment(held.info.experiment_id).tags[NOTE]
    whole = load_recipe(Path(found.download_artifacts(version.run_id, "recipe.yaml", str(tmp_path))))
    asked = recipe()
    assert whole == replace(asked, train=settled(asked.train)), "with the precision that the machine chose"


@pytest.mark.faults
def test_what_a_person_wrote_stays(harness: None, heard: list[Event]) -> None:
    from tasks.tracking.descriptions import NOTE
    from tasks.tracking.runs import client

    version, _ = run(recipe(), heard)
    found, own = client(), "Ask Ada before you use this."
    found.update_registered_model(version.name, own)
    another, _ = run(recipe("train.seed=9"), heard)
    assert another.version != version.version
    assert found.get_registered_model(version.name).description == own
    assert "Trained on 539 rows" in found.get_run(another.run_id).data.tags[NOTE]


def test_each_flow_run_that_used_a_training_is_on_its_run(harness: None, heard: list[Event]) -> None:
    from tasks.tracking.runs import client

    def used() -> set[str]:
        tags = client().get_run(version.run_id).data.tags
        return {name for name in tags if name.startswith("prefect.flow_run.")}

    version, _ = run(recipe(), heard)
    before = used()
    again, statuses = run(recipe(), heard)
    assert (again.run_id, statuses["register"]) == (version.run_id, "cached")
    assert len(used() - before) == 1 and before <= used()


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
    assert {"validate-table", "clean-rows", "split-rows"} <= keys
    messages = {t.name: t.state.message for t in tasks}
    assert all("; served from the store" in messages[name] for name in STAGES if name != "register")
    assert messages["download"].startswith("670 rows out; served")
    assert messages["register"].startswith("reviews-demo version 1 @champion: ")
    assert {"539 train, 65 validation, 66 test rows", "reviews-demo 1 @champion"} <= set(newest.tags)
    assert any(tag.startswith("accuracy 0.") for tag in newest.tags) and any("promoted" in t for t in newest.tags)


def test_what_fails_for_good_is_tried_once(harness: None, heard: list[Event]) -> None:
    """Transfers are tried again (test_fetch); no stage and no run is, since nothing would have changed."""
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.sorting import FlowRunSort

    from flows.retrain import retrain

    with pytest.raises(DataError, match="no such file"):
        run(recipe("download={kind: file, path: nowhere.csv}"), heard)
    assert [(event.stage, event.kind) for event in heard] == [("download", "started"), ("download", "failed")]
    with get_client(sync_client=True) as api:
        newest = api.read_flow_runs(sort=FlowRunSort.START_TIME_DESC, limit=1)[0]
        (task,) = [t for t in api.read_task_runs(limit=200) if t.flow_run_id == newest.id]
        assert (newest.state_name, newest.run_count) == (task.state_name, task.run_count) == ("Failed", 1)
    assert not retrain.retries


def test_only_the_learning_rate_retrains(heard: list[Event]) -> None:
    perform(recipe(), heard)
    statuses = perform(recipe("train.learning_rate=5e-4"), heard)
    assert [stage for stage, status in statuses.items() if status == "run"] == ["train", "evaluate"]
    assert changes["train"] == ("section.learning_rate: 0.001 → 0.0005",)


@pytest.mark.faults
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


@pytest.mark.faults
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
            "train.phases=[{trainable: head}, {freeze: encoder.layer.0}]",
            "register.model=reviews-bert",
        ),
        heard,
    )
    assert statuses["train"] == statuses["evaluate"] == "run"


@pytest.mark.faults
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


def test_bad_data_stop_the_run_with_names_and_rows(heard: list[Event], tmp_path: Path) -> None:
    table = pd.read_csv(ROOT / "tasks" / "data" / "demo" / "reviews.csv")
    table.loc[5, "label"] = "neutral"
    table.to_csv(tmp_path / "data" / "bad.csv", index=False)
    with pytest.raises(
        StageError,
        match=r"each label is one of .*: 1 of 670 rows .*\n.*row .*neutral.\n(?s:.*)expect_column_values_to_be_in_set",
    ):
        perform(recipe("download={kind: file, path: bad.csv}"), heard)


def test_plan_and_flow_agree_on_the_wiring() -> None:
    from flows.stage_graph import stage, wiring

    """Stages are wired by their signatures; the flow, which a person reads, makes the same calls."""
    import ast

    tree = ast.parse((ROOT / "flows" / "finetune.py").read_text(encoding="utf-8"))
    flow = next(node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == "finetune")
    calls = []
    guards = [line for line in flow.body[1:] if isinstance(line, ast.Expr)]
    assert [ast.unparse(guard) for guard in guards] == ["require_unseen(recipe, splits)"]
    for line in (line for line in flow.body[1:] if line not in guards):
        assert isinstance(line, ast.Assign | ast.Return) and isinstance(line.value, ast.Call)
        noun = line.targets[0].id if isinstance(line, ast.Assign) else ""  # type: ignore[attr-defined]
        section, *takes = line.value.args
        assert ast.unparse(section) == f"recipe.{ast.unparse(line.value.func)}"
        calls.append((ast.unparse(line.value.func), noun, [ast.unparse(each) for each in takes]))
    assert wiring() == calls
    assert [name for name, _, _ in wiring()] == STAGES
    for name, _, takes in wiring()[:-1]:
        assert stage(name).parameters == takes
        opens = stage(name).opens
        assert set(opens(SimpleNamespace(teacher=None)) if callable(opens) else opens) == set(takes)


def test_a_recipe_passes_prefects_parameter_schema() -> None:
    from flows.finetune import finetune

    assert "recipe" in finetune.parameters.properties
