"""Real models on real test rows: a better one gets in, a worse one stays out, an equal one is undecided."""

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from mlflow import MlflowClient
from mlflow.entities.model_registry import ModelVersion
from tiny import planted, recipe

from configs.schema import Register
from flows.stage_graph import perform_until
from tasks.artifact import Artifact, lineage
from tasks.data.errors import DataError
from tasks.tracking import decisions, evidence, runs

pytestmark = [pytest.mark.faults, pytest.mark.timeout(600)]
SECTION = Register(model="planted", slices={"label": 20})
OWN = ["download={kind: file, path: planted.csv}", "train.epochs=3"]
IDLE, ABLE, TWIN = ("train.learning_rate=1e-7", "train.learning_rate=1e-2", "train.learning_rate=1.001e-2")


@pytest.fixture
def client(place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MlflowClient:
    monkeypatch.setenv("TEMPER_HOME", str(place))
    planted(900).to_csv(tmp_path / "data" / "planted.csv", index=False)
    return runs.client()


def stages_of(*changes: str) -> tuple[dict[str, Artifact], dict[str, Any]]:
    """What `register` is given: the artifacts behind a report, and the report."""
    report = perform_until(recipe(*OWN, *changes), "evaluate")["evaluate"].result
    return lineage(report), json.loads(report.file("report.json").read_text(encoding="utf-8"))


def version_of(client: MlflowClient, name: str, stages: dict[str, Artifact]) -> ModelVersion:
    """A version in the registry whose run keeps its rows."""
    run_id = client.create_run(runs.experiment(client, "planted")).info.run_id
    evidence.log_rows(client, run_id, stages)
    if not client.search_registered_models(f"name = '{name}'"):
        client.create_registered_model(name)
    return client.create_model_version(name, str(stages["train"].path), run_id)


def crown(client: MlflowClient, name: str, *changes: str) -> ModelVersion:
    made = version_of(client, name, stages_of(*changes)[0])
    client.set_registered_model_alias(name, "champion", made.version)
    return made


@pytest.mark.parametrize(
    ("champion", "challenger", "decided"),
    [(IDLE, ABLE, "promoted"), (ABLE, IDLE, "kept"), (ABLE, TWIN, "undecided")],
    ids=["better", "worse", "equal"],
)
def test_the_paired_test_on_the_same_rows_decides(
    client: MlflowClient, champion: str, challenger: str, decided: str
) -> None:
    name = f"planted-{decided}"
    crown(client, name, champion)
    stages, facts = stages_of(challenger)
    verdict, found = evidence.judge(client, SECTION, version_of(client, name, stages), stages=stages, facts=facts)
    assert verdict.decided == decided, verdict.text
    assert found is not None and found.contest is not None and found.changed is not None
    assert found.source == "its own test of the same rows" and found.contest.rows == facts["rows"]
    assert {one.value for one in found.slices} == {"neg", "pos"}
    assert found.changed["fixed"] - found.changed["broken"] == round(found.contest.difference.mean * facts["rows"])


def test_test_rows_that_the_champion_has_seen_decide_nothing(client: MlflowClient) -> None:
    crown(client, "seen", IDLE)
    stages, facts = stages_of(ABLE, "split.seed=1")
    verdict, _ = evidence.judge(client, SECTION, version_of(client, "seen", stages), stages=stages, facts=facts)
    assert verdict.decided == "undecided" and "it was trained or chosen on" in verdict.text


@pytest.mark.parametrize(
    ("lost", "said"), [("rows", "does not say which rows"), ("predictions", "it cannot be scored again")]
)
def test_what_the_champions_run_lacks_decides_nothing(client: MlflowClient, lost: str, said: str) -> None:
    """Its model is no registered one here, so that asking it again fails as well."""
    made = crown(client, lost, IDLE)
    stages, facts = stages_of(ABLE)
    place = Path(client.get_run(made.run_id).info.artifact_uri.removeprefix("file://")) / lost
    for path in list(place.glob("*.parquet")):
        path.unlink()
    assert not list(place.iterdir())
    verdict, _ = evidence.judge(client, SECTION, version_of(client, lost, stages), stages=stages, facts=facts)
    assert verdict.decided == "undecided" and said in verdict.text, verdict.text
    assert f"its files were deleted: restore them, or use `temper promote {lost} VERSION" in verdict.text


def test_a_champion_is_not_held_against_itself(client: MlflowClient) -> None:
    """As after a registration that was killed between the alias and its record."""
    made = crown(client, "killed", ABLE)
    stages, facts = stages_of(ABLE)
    verdict, found = evidence.judge(client, SECTION, made, stages=stages, facts=facts)
    assert (verdict.text, found and found.champion) == ("promoted: it is the champion already", str(made.version))
    champion = decisions.champion(client, "killed")
    assert champion is not None and champion.version == made.version


def test_a_column_that_the_rows_lack_decides_nothing(client: MlflowClient) -> None:
    crown(client, "sliced", IDLE)
    stages, facts = stages_of(ABLE)
    section = Register(model="sliced", slices={"area": 20})
    verdict, _ = evidence.judge(client, section, version_of(client, "sliced", stages), stages=stages, facts=facts)
    assert verdict.decided == "undecided" and "no column 'area'" in verdict.text


def test_a_challenger_that_was_trained_on_its_test_rows_is_not_compared(home: Path) -> None:
    split = Artifact("split", "key", "digest")
    new = pd.DataFrame({"id": ["c", "d"]})
    split.file("train.parquet").parent.mkdir(parents=True)
    pd.DataFrame({"id": ["a", "b"]}).to_parquet(split.file("train.parquet"))
    pd.DataFrame({"id": ["e"]}).to_parquet(split.file("validation.parquet"))
    evidence._require_unfitted({"split": split}, new)
    pd.DataFrame({"id": ["e", "d"]}).to_parquet(split.file("validation.parquet"))
    with pytest.raises(DataError, match="1 of the test rows, such as d, are validation rows of its challenger too"):
        evidence._require_unfitted({"split": split}, new)
