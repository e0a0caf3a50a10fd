"""What people change in MLflow by hand: each command that meets it ends in its result or in a line, never elsewise."""

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
import typer
from mlflow import MlflowClient
from test_decisions import add, client, win

from configs.settings import settings
from flows.cli import gc, history, promote, pull, report, rollback
from tasks.artifact import StageError
from tasks.tracking import decisions, evidence, registry, run_data
from tasks.tracking.wire_format import DECISION, STAGE_DIGEST, TEST_EVALUATIONS, VERDICT

__all__ = ["client"]  # a fixture
pytestmark = pytest.mark.faults
ENTRY = {"action": "register", "version": "1", "before": None, "after": "1", "decided": "promoted"}
ENTRY |= {"why": "so", "who": "me", "at": "2099-01-01T00:00:00.000000+00:00"}
SCORES = {"accuracy": 0.5}
Edit = Callable[[MlflowClient, str], None]


def write(path: str, content: Any) -> Edit:
    """Puts these bytes, or this JSON, into the run of the model's first version."""

    def edit(client: MlflowClient, name: str) -> None:
        run = client.get_run(client.get_model_version(name, "1").run_id)
        place = Path(unquote(run.info.artifact_uri.removeprefix("file://"))) / path.format(name=name)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())

    return edit


def tag(key: str, text: str) -> Edit:
    return lambda client, name: client.set_model_version_tag(name, "1", key, text)


def dangling(client: MlflowClient, name: str) -> None:
    """The alias of a version that is deleted, as a store keeps it where a deletion was cut off."""
    with closing(sqlite3.connect(settings().mlruns / "mlflow.db")) as database, database:
        database.execute("update registered_model_aliases set version = 9 where name = ?", [name])


DECIDED, REPORT, SAMPLES = "decisions/{name}-1-20990101000000000000.json", "report.json", "7-evaluate/samples.json"
EDITS: dict[str, tuple[Edit, dict[str, str]]] = {
    "a score in words": (tag("temper.test.accuracy", "good"), {"history": "temper.test.accuracy is 'good'"}),
    "evaluations in words": (tag(TEST_EVALUATIONS, "many"), {"state": "openings is 'many', not a number"}),
    "no verdict": (tag(VERDICT, ""), {}),
    "another decision": (tag(DECISION, "whatever"), {}),
    "a report of bytes": (write(REPORT, b"\xff\xfe"), {"promote": "report.json in its run cannot be read"}),
    "a report that is a list": (write(REPORT, []), {"promote": "is no JSON object"}),
    "a report of nothing": (write(REPORT, {}), {"promote": "names the kind None"}),
    "a report of a kind of its own": (write(REPORT, {"kind": "x", "scores": SCORES}), {"promote": "the kind 'x'"}),
    "scores in words": (
        write(REPORT, {"kind": "classifier", "scores": {"accuracy": "high"}}),
        {"promote": "not all numbers"},
    ),
    "scores in a list": (write(REPORT, {"kind": "classifier", "scores": [1]}), {"promote": "not all numbers"}),
    "samples that are a number": (write(SAMPLES, 5), {"promote": "is no list of rows"}),
    "samples without predictions": (write(SAMPLES, [{"text": "a"}]), {"promote": "with answer and text"}),
    "a decision of bytes": (write(DECIDED, b"\xff\xfe"), {"history": "is no decision", "rollback": "is no decision"}),
    "a decision that is a list": (write(DECIDED, []), {"history": "is no decision"}),
    "a decision at no time": (write(DECIDED, {**ENTRY, "at": 5}), {"history": "its at is 5"}),
    "a decision of numbers": (write(DECIDED, {**ENTRY, "before": 7}), {"history": "its before is 7"}),
    "a decision by nobody": (write(DECIDED, {**ENTRY, "who": None}), {"history": "its who is None"}),
    "a decision without a zone": (write(DECIDED, {**ENTRY, "at": "2099-01-01T00:00:00"}), {}),
    "evidence that is a list": (write(DECIDED, {**ENTRY, "evidence": [1]}), {}),
    "a profile of bytes": (write(run_data.PROFILE, b"\xff"), {}),
    "a profile that is a list": (write(run_data.PROFILE, []), {}),
    "a recipe that is a list": (write("recipe.yaml", b"- a\n"), {}),
    "an alias of a deleted version": (dangling, {"pull": "version=9) not found", "rollback": "no champion"}),
}


@pytest.mark.parametrize("name", EDITS)
def test_each_command_ends_in_its_result_or_in_a_line(
    name: str, client: MlflowClient, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEMPER_REMOTE", str(tmp_path / "remote"))
    edit, expected = EDITS[name]
    model = name.replace(" ", "-")
    win(client, model, add(client, model))
    tag(f"{STAGE_DIGEST}train", "0" * 64)(client, model)
    write(SAMPLES, [])(client, model)
    edit(client, model)
    one = client.get_model_version(model, "1")
    calls: dict[str, Callable[[], object]] = {
        "history": lambda: history.command(model),
        "promote": lambda: promote.command(model, 1, "I know better"),
        "rollback": lambda: rollback.command(model, "so"),
        "report": lambda: report.command(f"{model}/1", None, tmp_path / "page.html"),
        "pull": lambda: pull.command(model),
        "state": lambda: registry.state(client, one, "so"),
        "changed": lambda: decisions.changed(client, one),
        "labels": lambda: evidence._labels(client, one),
        "profile": lambda: run_data._profile(client, str(one.run_id)),
    }
    if edit is dangling:
        calls["gc"] = gc.command
    for word, call in calls.items():
        capsys.readouterr()
        stated = ""
        try:
            call()
        except (typer.Exit, StageError) as error:
            stated = f"error: {error}" if isinstance(error, StageError) else capsys.readouterr().err
            assert stated.count("error: ") == 1 or word == "pull", stated
        assert expected.get(word, "") in " ".join(stated.split()), (word, stated)


def test_a_recipe_in_a_run_that_is_none_is_named(client: MlflowClient) -> None:
    from tasks.tracking.report_pages import kept_recipe

    add(client, "recipes")
    for text in (b"- a\n", b"a: [\n", b"a: 1\n", b"5", b""):
        write("recipe.yaml", text)(client, "recipes")
        with pytest.raises(StageError, match=r"recipe\.yaml in its run is no recipe with a name"):
            kept_recipe(client.get_model_version("recipes", "1"))
