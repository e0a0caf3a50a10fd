"""One remote store behind two homes: the second home's run is served whole, `temper pull` brings a version's artifacts,
and the doctor tells a remote that works from one that does not."""

import os
from pathlib import Path

import pytest
from tiny import recipe, run

from flows.cli import pull
from flows.pull import pull_version
from flows.services.machine_checks import remote_store
from tasks.artifact import StageError
from tasks.store import reading, shared
from tasks.store.events import Event, listeners
from tasks.tracking.made_from import digests_of

pytestmark = pytest.mark.faults


@pytest.fixture
def behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TEMPER_REMOTE", f"file://{tmp_path}/shared")
    shared._GONE.clear()
    return tmp_path / "shared"


def elsewhere(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Go on in an empty home with a registry of its own."""
    reading.release()
    home.mkdir()
    monkeypatch.setenv("TEMPER_HOME", str(home))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)


def test_a_second_home_is_served_and_registers_the_same_model(
    harness: None, behind: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    events: list[Event] = []
    with listeners(events.append):
        first, statuses = run(recipe(), events)
        assert set(statuses.values()) == {"run"}
        version, digests = digests_of("reviews-demo")
        elsewhere(tmp_path / "two", monkeypatch)
        second, statuses = run(recipe(), events)
    assert {name: status for name, status in statuses.items() if name != "register"} == dict.fromkeys(
        ("download", "validate", "clean", "split", "encode", "train", "evaluate"), "cached"
    )
    assert statuses["register"] == "run" and second.metrics == first.metrics and second.aliases == ("champion",)
    assert digests_of("reviews-demo/1")[1] == digests and version == "reviews-demo version 1"
    capsys.readouterr()
    pull.command("reviews-demo@champion")
    assert capsys.readouterr().out.split() == ["reviews-demo", "version", "1", *_each(digests, "here")]
    reading.release()
    monkeypatch.setenv("TEMPER_ARTIFACTS", str(tmp_path / "an empty store"))
    assert {one.stage: one.state for one in pull_version(digests)} == dict.fromkeys(digests, "brought")
    with listeners(events.append):
        third, statuses = run(recipe(), events)
    assert set(statuses.values()) == {"cached"} and third.version == second.version
    (behind / "digests" / "train" / digests["train"]).unlink()
    monkeypatch.setenv("TEMPER_ARTIFACTS", str(tmp_path / "another store"))
    states = {one.stage: (one.state, one.reason) for one in pull_version(digests)}
    assert states["train"] == ("missing", "not in the remote store") and states["encode"][0] == "brought"


def _each(digests: dict[str, str], state: str) -> list[str]:
    order = ("download", "validate", "clean", "split", "encode", "train", "evaluate")
    return [word for stage in order if stage in digests for word in (stage, state)]


def test_what_cannot_be_pulled_is_named(harness: None, behind: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(StageError, match="nobody is not in"):
        digests_of("nobody")
    monkeypatch.delenv("TEMPER_REMOTE")
    with pytest.raises(StageError, match="no remote store is set, so there is nothing to pull from; set TEMPER_REMOTE"):
        list(pull_version({"train": "0" * 64}))


def test_the_doctor_tries_the_remote(behind: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (finding,) = remote_store()
    assert finding.state == "ok" and "can be read and written" in finding.detail
    assert not [path for path in behind.rglob("*") if path.is_file()]
    (behind.parent / "a file").touch()
    monkeypatch.setenv("TEMPER_REMOTE", f"file://{behind.parent}/a file/below")
    (finding,) = remote_store()
    assert finding.state == "broken" and "runs go on without it" in finding.fix
    monkeypatch.setenv("TEMPER_REMOTE", "s3://me:password@bucket")
    (finding,) = remote_store()
    assert finding.state == "broken" and "password@" not in finding.detail + finding.fix
    monkeypatch.delenv("TEMPER_REMOTE")
    assert list(remote_store()) == [] and "TEMPER_REMOTE" not in os.environ
