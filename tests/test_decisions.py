"""The champion moves by decisions alone, one at a time, each written down; a rollback takes the last one back."""

import json
import math
import shutil
import threading
from pathlib import Path

import pytest
import typer
from mlflow import MlflowClient
from mlflow.models import Model, ModelSignature
from mlflow.types import ColSpec, Schema

from flows.cli import history, promote, rollback
from tasks.artifact import StageError
from tasks.tracking import aliases, decisions, proof, registry, runs
from tasks.tracking.wire_format import DECISION_ENTRY, MODEL_DIGEST

pytestmark = pytest.mark.faults
SIGNED = ModelSignature(Schema([ColSpec("string")]), Schema([ColSpec("string", "label")]))


@pytest.fixture
def client(place: Path, monkeypatch: pytest.MonkeyPatch) -> MlflowClient:
    monkeypatch.setenv("TEMPER_HOME", str(place))
    return runs.client()


def add(client: MlflowClient, name: str, *, signature: ModelSignature | None = SIGNED, report: bool = True) -> str:
    """A version whose files, signature and report are real and small; its number."""
    run_id = client.create_run(runs.experiment(client, "small")).info.run_id
    if report:
        client.log_dict(run_id, {"kind": "classifier", "scores": {"accuracy": 0.5}}, "report.json")
    if not client.search_registered_models(f"name = '{name}'"):
        client.create_registered_model(name)
    number = len(client.search_model_versions(f"name = '{name}'")) + 1
    folder = Path(runs.settings().mlruns) / name / str(number)
    folder.mkdir(parents=True)
    Model(run_id=run_id, signature=signature).save(str(folder / "MLmodel"))
    return str(client.create_model_version(name, str(folder), run_id, tags={MODEL_DIGEST: f"digest {number}"}).version)


def win(client: MlflowClient, name: str, version: str) -> None:
    """The version becomes champion, as a verdict would have it."""
    with registry.deciding(name):
        known = decisions.champion(client, name)
        before = None if known is None else str(known.version)
        made = decisions.Entry("register", version, before=before, after=version, decided="promoted", why="better")
        decisions.apply(client, name, made)


def digest(client: MlflowClient, name: str) -> str:
    champion = decisions.champion(client, name)
    assert champion is not None
    return str(champion.tags[MODEL_DIGEST])


def test_rollback_restores_the_champion_before_and_says_so(client: MlflowClient) -> None:
    for _ in range(3):
        win(client, "plain", add(client, "plain"))
    assert digest(client, "plain") == "digest 3"
    made = aliases.rollback("plain", "it answers nonsense")
    assert (made.before, made.after, made.why, digest(client, "plain")) == ("3", "2", "it answers nonsense", "digest 2")
    assert aliases.rollback("plain", "so does that").after == "1"
    with pytest.raises(StageError, match="version 1 is the first champion"):
        aliases.rollback("plain", "and that")
    assert digest(client, "plain") == "digest 1"
    found = aliases.history("plain")
    assert [one["action"] for one in found["decisions"]] == ["register"] * 3 + ["rollback"] * 2
    assert all(one["who"] and one["at"] for one in found["decisions"])
    assert [one["decision"] for one in found["versions"]] == ["promoted", "rolled back", "rolled back"]
    run_id = found["versions"][2]["run_id"]
    assert len(client.list_artifacts(run_id, "decisions")) == 2
    tags = client.get_registered_model("plain").tags
    assert {*tags} == {decisions.RECORDED, decisions.LOG} and tags[decisions.RECORDED] == "1"
    assert tags[decisions.LOG].startswith("version 2 rolled back, ")
    old = found["decisions"][0]  # as an earlier Temper kept the log
    client.set_registered_model_tag("plain", f"{DECISION_ENTRY}2020", json.dumps(old))
    assert aliases.history("plain")["decisions"] == found["decisions"]


def test_the_commands_show_and_move_it(client: MlflowClient, capsys: pytest.CaptureFixture[str]) -> None:
    for _ in range(2):
        win(client, "shown", add(client, "shown"))
    rollback.command("shown", "it answers [nonsense]")
    assert "shown: champion 2 → 1, by" in " ".join(capsys.readouterr().out.split())
    assert digest(client, "shown") == "digest 1"
    history.command("shown", as_json=True)
    told = json.loads(capsys.readouterr().out)
    assert [one["why"] for one in told["decisions"]] == ["better", "better", "it answers [nonsense]"]
    history.command("shown", as_json=False)
    lines = capsys.readouterr().out
    assert "@champion" in lines and "2 → 1" in lines and "[nonsense]" in " ".join(lines.split())
    for call, said in (
        (lambda: promote.command("shown", 2, "I know better"), "shown version 2"),
        (lambda: promote.command("shown", 9, "I know better"), "has no version 9"),
        (lambda: rollback.command("shown", "again"), "is the first champion"),
        (lambda: history.command("nothing", as_json=False), "no registered model 'nothing'"),
    ):
        with pytest.raises(typer.Exit) as stopped:
            call()
        assert stopped.value.exit_code == 1
        assert said in capsys.readouterr().err
    assert digest(client, "shown") == "digest 1"


def test_rollback_meets_moves_and_deletions_outside(client: MlflowClient) -> None:
    for _ in range(3):
        win(client, "moved", add(client, "moved"))
    client.set_registered_model_alias("moved", "champion", "1")
    assert aliases.rollback("moved", "").after == "3"
    client.delete_model_version("moved", "2")
    assert aliases.rollback("moved", "").after == "1"


def test_rollback_stops_at_a_version_that_cannot_be_read(client: MlflowClient) -> None:
    for _ in range(2):
        win(client, "lost", add(client, "lost"))
    (Path(runs.settings().mlruns) / "lost" / "1" / "MLmodel").unlink()
    with pytest.raises(StageError, match="lost version 1 cannot be read"):
        aliases.rollback("lost", "")
    assert digest(client, "lost") == "digest 2"
    with pytest.raises(StageError, match="no registered model 'nothing'"):
        aliases.rollback("nothing", "")


def test_decisions_whose_files_were_deleted_are_named_and_no_alias_is_moved(
    client: MlflowClient, capsys: pytest.CaptureFixture[str]
) -> None:
    for _ in range(3):
        win(client, "erased", add(client, "erased"))
    assert aliases.history("erased")["lost"] == []
    for number in ("1", "3"):
        run_id = client.get_model_version("erased", number).run_id
        shutil.rmtree(client.get_run(run_id).info.artifact_uri.removeprefix("file://"))
    assert aliases.history("erased")["lost"] == ["1", "3"]
    history.command("erased", as_json=False)
    shown = " ".join(capsys.readouterr().out.split())
    assert "what was decided about versions 1, 3 is lost" in shown and "restore them" in shown
    with pytest.raises(StageError, match=r"about versions 1, 3 is lost.*no alias was moved.*temper promote erased"):
        aliases.rollback("erased", "")
    with pytest.raises(StageError, match=r"report.json in its run.*|has no report\.json in its run"):
        aliases.promote("erased", "1", "I know better")
    assert digest(client, "erased") == "digest 3"


def test_an_experiment_that_another_program_made_is_shown_as_one_of_trainings(client: MlflowClient) -> None:
    for name, tags, kind in (
        ("old", {}, runs.TRAININGS),
        ("own", {runs.KIND: "genai_development"}, "genai_development"),
    ):
        made = client.create_experiment(name, tags=tags)
        assert runs.experiment(client, name) == made
        assert client.get_experiment(made).tags[runs.KIND] == kind


@pytest.mark.parametrize(
    ("fault", "said"),
    [("signature", "has no signature"), ("report", r"has no report\.json"), ("why", "needs a reason")],
)
def test_a_person_cannot_promote_what_nobody_can_judge(client: MlflowClient, fault: str, said: str) -> None:
    name = f"without-{fault}"
    win(client, name, add(client, name))
    odd = add(client, name, signature=None if fault == "signature" else SIGNED, report=fault != "report")
    with pytest.raises(StageError, match=said):
        aliases.promote(name, odd, " " if fault == "why" else "I know better")
    assert digest(client, name) == "digest 1"
    with pytest.raises(StageError, match="has no version 77"):
        aliases.promote(name, "77", "I know better")


def test_a_model_that_does_not_answer_cannot_be_promoted(client: MlflowClient) -> None:
    win(client, "dumb", add(client, "dumb"))
    second = add(client, "dumb")
    run_id = client.get_model_version("dumb", second).run_id
    client.log_dict(run_id, {"kind": "classifier", "scores": {"accuracy": float("nan")}}, "report.json")
    with pytest.raises(StageError, match="accuracy is not a number"):
        aliases.promote("dumb", second, "I know better")
    client.log_dict(run_id, {"kind": "classifier", "scores": {"accuracy": 0.9}}, "report.json")
    with pytest.raises(StageError, match=r"samples\.json in its run cannot be read"):
        aliases.promote("dumb", second, "I know better")
    client.log_text(run_id, '[{"text": "a", "answer": [1.0]}]', "7-evaluate/samples.json")
    with pytest.raises(StageError, match="does not load in a fresh process"):
        aliases.promote("dumb", second, "I know better")
    assert digest(client, "dumb") == "digest 1"


def test_numbers_in_json_are_held_to_the_same_tolerance() -> None:
    """As an entity's probability is, which differs in its last digits from one batch to another."""
    written = '[{"label": "loc", "probability": 0.25}]'
    assert 0 < proof.difference([written.replace("0.25", "0.25000001")], [written]) < proof.TOLERANCE
    odd = [written.replace("loc", "per"), written.replace("0.25", "0.5"), "[]", "[loc", written.replace("0.25", "NaN")]
    assert all(proof.difference([one], [written]) > proof.TOLERANCE for one in odd)
    assert proof.difference("[a", "[b") == math.inf


@pytest.mark.parametrize("answer", [[0.1, math.nan], [math.nan, 0.9], [[0.1], [math.nan]]])
def test_an_answer_that_is_no_number_is_not_the_reports(answer: list[object]) -> None:
    """Wherever it stands: Python's max passes over a NaN that is not the first."""
    expected = [[0.1], [0.9]] if isinstance(answer[0], list) else [0.1, 0.9]
    assert proof.difference(answer, expected) == math.inf
    assert proof.difference(expected, expected) == 0


def test_a_decision_about_another_champion_moves_nothing(client: MlflowClient) -> None:
    """The lock is this machine's; on another one the champion may have moved since it was looked at."""
    for _ in range(3):
        win(client, "stale", add(client, "stale"))
    stale = decisions.Entry("register", "1", before="2", after="1", decided="promoted", why="")
    with pytest.raises(StageError, match="version 3, and was 2"):
        decisions.apply(client, "stale", stale)
    assert digest(client, "stale") == "digest 3" and len(decisions.entries(client, "stale")) == 3


def test_two_promoters_at_once_take_turns(client: MlflowClient) -> None:
    """Each meets the champion that the one before it made: the log is one chain."""
    versions = [add(client, "busy") for _ in range(6)]
    start, failed = threading.Barrier(len(versions)), []

    def promote(version: str) -> None:
        try:
            start.wait()
            win(client, "busy", version)
        except Exception as error:
            failed.append(error)

    threads = [threading.Thread(target=promote, args=(version,)) for version in versions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    log = decisions.entries(client, "busy")
    assert not failed and sorted(one.version for one in log) == sorted(versions)
    assert [one.before for one in log] == [None, *(one.after for one in log[:-1])]
    assert digest(client, "busy") == f"digest {log[-1].after}"
