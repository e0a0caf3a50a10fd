"""The temporary Prefect server: on loopback, found by the run, gone with it, even when the run is killed."""

import gc
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tiny import perform, recipe

from flows.preload import due, load_ahead, prove_ahead
from flows.services.child_processes import Guarded
from flows.services.temporary_server import start_server
from flows.stage_graph import perform_until
from tasks.store.events import Event
from tasks.tracking import lookup, proof

PARENT = """
import sys, time
from flows.services.temporary_server import start_server, _wait
process, url = start_server()
_wait(process, url)
print(url, flush=True)
time.sleep(600)
"""


@pytest.mark.faults
@pytest.mark.servers
def test_a_killed_run_leaves_no_server_behind(tmp_path: Path) -> None:
    env = {**os.environ, "PREFECT_HOME": str(tmp_path)}
    parent = subprocess.Popen([sys.executable, "-c", PARENT], env=env, stdout=subprocess.PIPE, text=True)
    try:
        assert parent.stdout is not None
        url = parent.stdout.readline().strip()
        port = int(url.split(":")[2].split("/")[0])
        with socket.create_connection(("127.0.0.1", port), timeout=5):
            pass
    finally:
        parent.send_signal(signal.SIGKILL)
        parent.wait()
        parent.stdout.close()
    for _ in range(100):
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            return
        time.sleep(0.1)
    raise AssertionError("the server is still there ten seconds after its run was killed")


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
    from flows.services.temporary_server import ServiceError, _wait

    process = subprocess.Popen([sys.executable, "-c", "raise SystemExit(3)"])
    with pytest.raises(ServiceError, match="ended with code 3"):
        _wait(process, "http://127.0.0.1:9/api")


@pytest.mark.faults
def test_what_is_cached_is_not_loaded_ahead(tmp_path: Path, heard: list[Event]) -> None:
    loaded = recipe()
    assert due(loaded) == ["great_expectations", "tasks.learn.fit", "tasks.tracking.runs"]
    perform_until(loaded, "validate")
    assert due(loaded) == ["tasks.learn.fit", "tasks.tracking.runs"]
    perform(loaded, heard)
    assert due(loaded) == [] and not lookup._CHILD
    load_ahead(loaded)
    assert lookup._CHILD and gc.isenabled()
    lookup.cool()
    rows = tmp_path / "rows.csv"
    missing = recipe("download={kind: file, path: " + str(rows) + "}")
    assert due(missing) == []  # and the run itself says that there is no such file
    rows.write_text("text,label\nGood.,pos\n", encoding="utf-8")
    assert "great_expectations" in due(missing)


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
