"""A champion that was not scored on the test rows is asked again, whatever it answers: as in its own test, and so that
a better challenger gets in, a worse one stays out and an equal one is undecided."""

import json
from pathlib import Path
from typing import Any

import aims
import pandas as pd
import pytest
from mlflow import MlflowClient
from mlflow.entities.model_registry import ModelVersion
from test_chat import TINY
from test_masked import RECIPE as GAPS
from test_seq2seq import RECIPE as REWRITES
from tiny import ROOT

from configs.load import load_recipe
from configs.schema import Register
from flows.stage_graph import perform_until
from tasks.artifact import Artifact, lineage
from tasks.data.errors import DataError
from tasks.tracking import evidence, model_package, models, runs, wire_format
from tasks.tracking.rescoring import rescore

pytestmark = [pytest.mark.faults, pytest.mark.timeout(900)]
DIALOGUES = (ROOT / "configs" / "hotel_demo.yaml").read_text(encoding="utf-8")
THIRDS = ["split={kind: hash, exact: true, train: 0.6, validation: 0.1, test: 0.3, near_copies: keep}"]
SHORT = ["evaluate.max_new_tokens=48", "train.eval_steps=100"]
IDLE = "train.learning_rate=1e-7"
KINDS: dict[str, tuple[str, str, list[str], list[str]]] = {
    "seq2seq": (REWRITES, "exact", [*THIRDS, "train.eval_steps=100"], ["train.epochs=25", "train.learning_rate=1e-2"]),
    "dialogue": (DIALOGUES, "end_of_turn", [*TINY, *THIRDS, *SHORT], ["train.epochs=20", "train.learning_rate=1e-2"]),
    "masked": (GAPS, "perplexity", [*THIRDS, "train.eval_steps=100"], ["train.epochs=10"]),
}
"""Per kind a recipe, what it is judged by, changes, and a training that learns."""


@pytest.fixture
def client(place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MlflowClient:
    monkeypatch.setenv("TEMPER_HOME", str(place))
    aims.table(240).drop(columns=["id", "label"]).to_csv(tmp_path / "data" / "rows.csv", index=False)
    return runs.client()


def stages_of(folder: Path, kind: str, *changes: str) -> tuple[dict[str, Artifact], dict[str, Any]]:
    text, _, always, *_ = KINDS[kind]
    path = folder / "recipe.yaml"
    path.write_text(text, encoding="utf-8")
    report = perform_until(load_recipe(path, [*always, *changes]), "evaluate")["evaluate"].result
    return lineage(report), json.loads(report.file("report.json").read_text(encoding="utf-8"))


def crowned(client: MlflowClient, name: str, stages: dict[str, Artifact], facts: dict[str, Any]) -> ModelVersion:
    """A registered champion whose run keeps which rows it was fitted on, and no predictions of test rows."""
    run_id = client.create_run(runs.experiment(client, "asked")).info.run_id
    samples = json.loads((stages["evaluate"].records / "samples.json").read_text(encoding="utf-8"))
    made = models.log_version(client, name, run_id, stages["train"], model_package.Evaluated(facts, samples[:2]))
    evidence.log_rows(client, run_id, stages)
    kept = Path(client.get_run(run_id).info.artifact_uri.removeprefix("file://")) / wire_format.PREDICTIONS
    for path in list(kept.iterdir()):
        path.unlink()
    client.set_registered_model_alias(name, "champion", made.version)
    return made


def contender(client: MlflowClient, name: str) -> ModelVersion:
    """A version without files: its own answers are in its report."""
    return client.create_model_version(name, "nowhere", client.create_run("0").info.run_id)


@pytest.mark.long
@pytest.mark.parametrize("kind", list(KINDS))
def test_the_champion_answers_again_as_in_its_test_and_the_better_of_two_wins(
    kind: str, client: MlflowClient, tmp_path: Path
) -> None:
    _, metric, _, able = KINDS[kind]
    weak, strong = stages_of(tmp_path, kind, IDLE), stages_of(tmp_path, kind, *able)
    crowned(client, f"{kind}-weak", *weak)
    crowned(client, f"{kind}-strong", *strong)
    for (stages, facts), name, (_, old), decided in (
        (strong, "weak", weak, "promoted"),
        (weak, "strong", strong, "kept"),
        (strong, "strong", strong, "undecided"),
    ):
        section = Register(model=f"{kind}-{name}", metric=metric)
        rival = contender(client, section.model)
        verdict, found = evidence.judge(client, section, rival, stages=stages, facts=facts)
        assert verdict.decided == decided, verdict.text
        assert found is not None and found.source == "scored again, on its own" and found.contest is not None
        assert found.contest.champion == pytest.approx(old["scores"][metric], rel=1e-4), "not as in its own test"
        if decided == "undecided":
            assert found.changed is not None and found.changed["fixed"] == found.changed["broken"] == 0


def test_stored_answers_count_where_the_model_might_write_as_much(client: MlflowClient, tmp_path: Path) -> None:
    stages, facts = stages_of(tmp_path, "seq2seq", IDLE)
    made = crowned(client, "short", stages, facts)
    evidence.log_rows(client, str(made.run_id), stages)
    sources = {}
    for limit in (256, 1):
        asked, told = stages_of(tmp_path, "seq2seq", IDLE, f"evaluate.max_new_tokens={limit}")
        section = Register(model="short", metric=KINDS["seq2seq"][1])
        _, found = evidence.judge(client, section, contender(client, "short"), stages=asked, facts=told)
        assert found is not None
        sources[limit] = found.source
    assert sources == {256: "its own test of the same rows", 1: "scored again, on its own"}


@pytest.mark.parametrize(
    ("kind", "said"),
    [("regression", "it predicts the columns .*, without value"), ("dialogue", "it cannot be scored again")],
)
def test_a_model_of_another_kind_is_no_champion_to_compare_with(
    kind: str, said: str, client: MlflowClient, tmp_path: Path
) -> None:
    stages, facts = stages_of(tmp_path, "seq2seq", IDLE)
    made = crowned(client, f"no-{kind}", stages, facts)
    rows = pd.DataFrame({"id": ["a"], "content": ["the bus was late"], "turn": [0]})
    with pytest.raises(DataError, match=said):
        rescore(f"models:/{made.name}/1", kind, rows, {"batch_size": 4, "max_new_tokens": 4})
