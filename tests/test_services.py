"""The temporary Prefect server: on loopback, found by the run, gone with it, even when the run is killed."""

import gc
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from tiny import perform, recipe

from flows.plan import planned
from flows.preload import due, load_ahead, prove_ahead
from flows.services.child_processes import Guarded
from flows.services.temporary_server import start_server
from flows.stage_graph import perform_until
from tasks.store.events import Event
from tasks.tracking import lookup, proof

PARENT = """
import sys, time
from flows.services.temporary_server import open_server, start_server, _wait
process, url = start_server()
if sys.argv[1] == "opened":
    open_server(process)
    _wait(process, url)
print(process.pid, url, flush=True)
time.sleep(600)
"""


@pytest.mark.faults
@pytest.mark.servers
@pytest.mark.parametrize("state", ["opened", "loading"])
def test_a_killed_run_leaves_no_server_behind(tmp_path: Path, state: str) -> None:
    env = {**os.environ, "PREFECT_HOME": str(tmp_path)}
    parent = subprocess.Popen([sys.executable, "-c", PARENT, state], env=env, stdout=subprocess.PIPE, text=True)
    try:
        assert parent.stdout is not None
        pid, url = parent.stdout.readline().split()
        if state == "opened":
            with socket.create_connection(("127.0.0.1", int(url.split(":")[2].split("/")[0])), timeout=5):
                pass
    finally:
        parent.send_signal(signal.SIGKILL)
        parent.wait()
        parent.stdout.close()
    for _ in range(600):
        if _gone(int(pid)):
            assert (tmp_path / "prefect.db").exists() == (state == "opened")
            return
        time.sleep(0.1)
    raise AssertionError("the server is still there a minute after its run was killed")


def _gone(pid: int) -> bool:
    """Whether this process is no more, or only waits for its new parent to take note of its end."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


@pytest.mark.faults
@pytest.mark.servers
def test_a_server_that_is_not_asked_opens_no_database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where MLflow cannot be used, or a profile of Prefect's names a server: it was started for nothing, and ends."""
    from prefect.settings import PREFECT_API_URL, temporary_settings

    from flows.services import temporary_server
    from flows.services.service_error import ServiceError

    started: list[subprocess.Popen[bytes]] = []
    inner = temporary_server.start_server

    def start() -> tuple[subprocess.Popen[bytes], str]:
        process, url = inner()
        started.append(process)
        return process, url

    monkeypatch.setattr(temporary_server, "start_server", start)
    monkeypatch.setenv("PREFECT_HOME", str(tmp_path))
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    with monkeypatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
        with pytest.raises(ServiceError, match="MLflow's server"), temporary_server.prefect_api("MLflow"):
            raise AssertionError("nothing may begin")
    profile = temporary_settings({PREFECT_API_URL: "http://127.0.0.1:9/api"})
    with profile, temporary_server.prefect_api() as url:
        assert url == "http://127.0.0.1:9/api" and started[1].poll() is not None
    assert all(process.poll() is not None for process in started) and not (tmp_path / "prefect.db").exists()


@pytest.mark.parametrize(
    ("asked", "configured", "seconds"), [("", False, None), ("60", False, 60), ("", True, 180)],
    ids=["own server", "asked for", "a server that others watch"],
)  # fmt: skip
def test_flows_send_no_heartbeat_to_a_server_of_tempers(
    asked: str, configured: bool, seconds: int | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At a flow's end its thread is waited for, which sleeps a second at a time."""
    from prefect.settings import PREFECT_API_URL, PREFECT_FLOWS_HEARTBEAT_FREQUENCY, temporary_settings

    from flows.services import temporary_server

    address = "http://127.0.0.1:9/api"
    monkeypatch.setattr(temporary_server, "known", lambda _: SimpleNamespace(prefect=address))
    monkeypatch.setattr(temporary_server, "_drain", lambda: None)
    monkeypatch.setenv("TEMPER_HOME", str(tmp_path))
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    if asked:
        monkeypatch.setenv("PREFECT_FLOWS_HEARTBEAT_FREQUENCY", asked)
    own = {PREFECT_API_URL: address} if configured else {}
    heard = {PREFECT_FLOWS_HEARTBEAT_FREQUENCY: int(asked or 180)}
    with temporary_settings({**own, **heard}), temporary_server.prefect_api():
        assert PREFECT_FLOWS_HEARTBEAT_FREQUENCY.value() == seconds


def test_ctrl_c_passes_servers_by_from_the_first() -> None:
    """A signal to the group, sent before they can say what it does, would end their interpreter with a traceback."""
    guarded = Guarded.start("sleep", ["sleep", "60"], env=os.environ, grace=0.1)
    server, _ = start_server()
    try:
        assert {os.getpgid(guarded.process.pid), os.getpgid(server.pid)} == {guarded.process.pid, server.pid}
    finally:
        guarded.end()
        assert server.stdin is not None
        server.stdin.close()
        server.kill()
        server.wait()


@pytest.mark.faults
def test_a_server_that_cannot_start_is_said() -> None:
    from flows.services.service_error import ServiceError
    from flows.services.temporary_server import _wait

    process = subprocess.Popen([sys.executable, "-c", "raise SystemExit(3)"])
    with pytest.raises(ServiceError, match="ended with code 3"):
        _wait(process, "http://127.0.0.1:9/api")


@pytest.mark.faults
def test_what_is_cached_is_not_loaded_ahead(tmp_path: Path, heard: list[Event]) -> None:
    loaded = recipe()
    assert due(planned(loaded)) == ["great_expectations", "tasks.learn.fit", "tasks.tracking.runs"]
    perform_until(loaded, "validate")
    assert due(planned(loaded)) == ["tasks.learn.fit", "tasks.tracking.runs"]
    perform(loaded, heard)
    assert due(planned(loaded)) == [] and not lookup._CHILD
    load_ahead(planned(loaded))
    assert lookup._CHILD and gc.isenabled()
    lookup.cool()
    rows = tmp_path / "rows.csv"
    missing = recipe("download={kind: file, path: " + str(rows) + "}")
    assert due(planned(missing)) == []  # and the run itself says that there is no such file
    rows.write_text("text,label\nGood.,pos\n", encoding="utf-8")
    assert "great_expectations" in due(planned(missing))


@pytest.mark.faults
def test_the_proof_gets_ready_when_a_model_was_trained() -> None:
    prove_ahead(Event("train", "started"))
    prove_ahead(Event("train", "finished", status="cached"))
    prove_ahead(Event("evaluate", "finished", status="run"))
    assert not proof._EARLY
    for _ in range(2):
        prove_ahead(Event("train", "finished", status="run"))
    (ready,) = proof._EARLY
    with proof.prover() as process:
        assert process is ready and not proof._EARLY
        done = process.ask("models:/nobody/1", "[]")
    assert done.returncode and "nobody" in done.stderr
    with proof.prover() as another:
        assert another is not ready
