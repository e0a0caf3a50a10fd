"""Models that an earlier Temper registered, one of each kind: they load where there is no Temper, predict what they
predicted, are champions that a new model is compared with, and chat.

The archives are made by tests/build_registered.py: of a commit whose modules lay elsewhere, and of one that had kinds
and contents that came later.
"""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from build_registered import extract
from mlflow import MlflowClient
from mlflow.entities.model_registry import ModelVersion
from registered_recipes import HOTEL, KINDS, NEWER, write_recipe
from sampled import sampled

from configs.load import load_recipe
from configs.schema import Recipe
from flows.stage_graph import perform_until
from tasks.artifact import Artifact, lineage
from tasks.tracking import evidence, runs
from tasks.tracking.models import dialogue_predictor
from tasks.tracking.proof import difference
from tasks.tracking.wire_format import CHAMPION

EVERY = [*KINDS, *NEWER]
QUICK = ("classifier", "dialogue", "image")
"""Kinds whose comparison every change is tried with; those of all kinds take minutes (make long)."""
pytestmark = [pytest.mark.faults, pytest.mark.timeout(900)]
OWN_TOKENIZER = "{kind: registered, name: masked}"
"""The champion's tokenizer: hidden tokens are comparable only where both models split texts alike."""
LOAD = """
import json, sys, warnings
sys.path = [path for path in sys.path if path not in ("", sys.argv[2])]
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("tasks", "flows", "configs"):
            raise ImportError(name)
sys.meta_path.insert(0, Absent())
import base64, mlflow, pandas
from pathlib import Path
for kind in json.loads(sys.argv[3]):
    folder = Path(sys.argv[1]) / kind
    model = mlflow.pyfunc.load_model(str(folder / "model"))
    given = json.loads((folder / "predicted.json").read_text(encoding="utf-8"))["given"]
    if isinstance(given[0], list):
        predictions = [model.predict({"messages": messages, "max_tokens": 12})["choices"] for messages in given]
    else:
        if kind == "image":
            given = pandas.DataFrame({"image": [base64.b64decode(data) for data in given]})
        elif isinstance(given[0], dict):
            given = pandas.DataFrame(given)
        predictions = json.loads(model.predict(given).to_json(orient="records", double_precision=15))
    print("PREDICTED" + json.dumps([kind, predictions]), flush=True)
"""


@pytest.fixture(scope="module")
def registered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return extract(tmp_path_factory.mktemp("registered"))


@pytest.fixture
def shared(place: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """One home, with one database, for all kinds."""
    monkeypatch.setenv("TEMPER_HOME", str(place))
    monkeypatch.setenv("TEMPER_DATA", str(place / "data"))
    return place


def crowned(client: MlflowClient, folder: Path, name: str = "") -> ModelVersion:
    """The champion of a registry, with the files and tags that it was registered with; its name is that of its kind."""
    name = name or folder.name
    kept = json.loads((folder / "version.json").read_text(encoding="utf-8"))
    run_id = client.create_run(runs.experiment(client, "before"), tags=kept["run_tags"]).info.run_id
    client.log_artifacts(run_id, str(folder / "run"))
    client.create_registered_model(name)
    version = client.create_model_version(name, str(folder / "model"), run_id, tags=kept["tags"])
    client.set_registered_model_alias(name, CHAMPION, version.version)
    return version


def test_each_predicts_without_temper_what_it_predicted(registered: Path, tmp_path: Path) -> None:
    root = Path(__file__).resolve().parent.parent
    command = [sys.executable, "-c", LOAD, str(registered), str(root), json.dumps(EVERY)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    lines = [line.removeprefix("PREDICTED") for line in done.stdout.splitlines() if line.startswith("PREDICTED")]
    predicted = dict(json.loads(line) for line in lines)
    assert list(predicted) == EVERY, done.stderr
    for kind, predictions in predicted.items():
        kept = json.loads((registered / kind / "predicted.json").read_text(encoding="utf-8"))["predictions"]
        same(predictions, kept, kind)


def same(now: list[Any], then: list[Any], kind: str) -> None:
    """Texts and classes are equal; numbers, in JSON too, as far as another processor's last digits go."""
    assert len(now) == len(then), kind
    for one, other in zip(now, then, strict=True):
        if kind in ("dialogue", "preference"):
            assert one == other
            continue
        assert list(one) == list(other)
        for column, value in other.items():
            assert difference(one[column], value) <= 1e-5, (kind, column)


def test_a_prediction_that_differs_is_seen(registered: Path) -> None:
    then = json.loads((registered / "regression" / "predicted.json").read_text(encoding="utf-8"))["predictions"]
    with pytest.raises(AssertionError):
        same([{"value": row["value"] + 0.001} for row in then], then, "regression")


@pytest.mark.parametrize("kind", sampled(EVERY, *QUICK))
def test_it_is_a_champion_that_a_new_model_is_compared_with(kind: str, registered: Path, shared: Path) -> None:
    client = runs.client()
    known = crowned(client, registered / kind)
    changes = [f"encode.tokenizer={OWN_TOKENIZER}"] if kind == "masked" else []
    loaded = load_recipe(write_recipe(kind, shared, 2), changes)
    verdict, found = judged(client, known, loaded)
    assert found is not None and found.obstacle is None, found and found.obstacle
    assert (found.champion, found.source) == (str(known.version), "scored again, on its own")
    assert found.contest is not None and found.contest.rows > 0
    assert verdict.decided in ("promoted", "kept", "undecided") and "not comparable" not in verdict.text


@pytest.mark.long
def test_hidden_tokens_of_another_tokenizer_are_not_compared(registered: Path, shared: Path) -> None:
    client = runs.client()
    known = crowned(client, registered / "masked", "words")
    verdict, found = judged(client, known, load_recipe(write_recipe("masked", shared, 2)))
    assert found is not None and found.contest is None and found.obstacle is not None
    assert re.search(r"row \S+ has 'tokens' = \d+ for one model and \d+ for the other", found.obstacle)
    assert verdict.decided != "promoted" and "not comparable" in verdict.text


def judged(client: MlflowClient, known: ModelVersion, loaded: Recipe) -> Any:
    """The verdict on a new model, trained now, against a champion that was not scored on its test rows."""
    report = perform_until(loaded, "evaluate")["evaluate"].result
    stages: dict[str, Artifact] = lineage(report)
    facts = json.loads(report.file("report.json").read_text(encoding="utf-8"))
    rival = client.create_model_version(known.name, "nowhere", client.create_run("0").info.run_id)
    return evidence.judge(client, loaded.register, rival, stages=stages, facts=facts)


def test_the_dialogue_model_chats_and_its_calls_are_answered(
    registered: Path, home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from flows.cli import chat

    crowned(runs.client(), registered / "dialogue")
    script = home / "turns.txt"
    script.write_text("the tram number 7 was late; where can I sleep?\n/new\nand the bus?\n", encoding="utf-8")
    chat.command("dialogue", script, 12)
    said = capsys.readouterr().out
    assert said.count("model  >") == 2 and "a new conversation" in said
    predictor = dialogue_predictor("dialogue")
    call = {"function": {"name": "search_hotels", "arguments": {"price": "up to 70"}}}
    (reply,) = predictor.answers({"role": "assistant", "content": "", "tool_calls": [call]})
    assert json.loads(reply["content"])[0]["name"] == HOTEL["name"]
    assert predictor.may_be_call("<tool_call>") or predictor.may_be_call("{")
