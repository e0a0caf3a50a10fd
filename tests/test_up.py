"""temper up, temper schedule, retrain: three runs by themselves, a killed server, foreign ones, nothing left."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from datetime import datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pandas as pd
import pytest
from tiny import planted

BIN = Path(sys.executable).parent
ROOT = Path(__file__).resolve().parent.parent
RECIPE = """
name: tiny_trial
download: {kind: file, path: rows.csv}
encode:
  kind: label_word
  tokenizer: {kind: train, vocab_size: 400}
  label_words: {neg: " bad", pos: " good"}
  max_length: 64
train:
  model: {kind: new, family: gpt2, config: {n_layer: 1, n_head: 2, n_embd: 32, n_positions: 64}}
  learning_rate: 3e-3
  epochs: 3
  batch_size: 16
  logging_steps: 5
  eval_steps: 5
evaluate: {bootstrap: 100}
register: {model: tiny-trial}
schedule: {interval: 15}
"""
AUTOMATION = """
import sys
from prefect.automations import Automation, EventTrigger
from prefect.blocks.webhook import Webhook
from prefect.events.actions import CallWebhook
block = Webhook(url=sys.argv[1]).save("listener")
trigger = EventTrigger(expect={"temper.model.promoted"}, posture="Reactive", threshold=1)
payload = "{{ event.payload.model }} {{ event.payload.version }}"
Automation(name="promoted", trigger=trigger, actions=[CallWebhook(block_document_id=block, payload=payload)]).create()
"""
"""As docs/guides/notifications.md shows it, with a webhook for the notification."""
PATIENCE = 400.0


def free_ports(count: int) -> list[int]:
    probes = [socket.socket() for _ in range(count)]
    try:
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in probes]
    finally:
        for probe in probes:
            probe.close()


class Listener(BaseHTTPRequestHandler):
    """Keeps what is posted to it."""

    def do_POST(self) -> None:
        self.server.heard.append(self.rfile.read(int(self.headers["content-length"])).decode())
        self.send_response(200)
        self.end_headers()

    def log_message(self, *words: Any) -> None: ...


@pytest.fixture
def listener() -> Iterator[HTTPServer]:
    with HTTPServer(("127.0.0.1", 0), Listener) as server:
        server.heard = []
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


class Up:
    """`temper up` with a home, databases and ports of its own."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.folder, self.options = folder, options
        for name in ("a home", "data", "user", "prefect"):
            (folder / name).mkdir(exist_ok=True)
        self.prefect, self.mlflow = free_ports(2)
        self.env = {
            **os.environ,
            "HOME": str(folder / "user"),
            "PREFECT_HOME": str(folder / "prefect"),
            "TEMPER_HOME": str(folder / "a home"),
            "TEMPER_DATA": str(folder / "data"),
            "OMP_NUM_THREADS": "1",
            "PREFECT_LOGGING_LEVEL": "INFO",
        }
        self.log = folder / "up.log"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, until: str = "ready; Ctrl-C") -> None:
        command = [BIN / "temper", "up", "--prefect-port", str(self.prefect), "--mlflow-port", str(self.mlflow)]
        with self.log.open("wb") as out:
            self.process = subprocess.Popen(
                [*command, *self.options], env=self.env, cwd=self.folder, stdout=out, stderr=out, start_new_session=True
            )
        self.wait_for(until, lambda: until in self.said())

    def temper(self, *words: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        done = subprocess.run([BIN / "temper", *words], env=self.env, cwd=self.folder, capture_output=True, text=True)
        assert done.returncode == code, done.stdout + done.stderr
        return done

    def said(self) -> str:
        return self.log.read_text(errors="replace")

    def wait_for(self, what: str, seen: Callable[[], Any]) -> Any:
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            if found := seen():
                return found
            assert self.process is not None and self.process.poll() is None, self.said()
            time.sleep(0.5)
        raise AssertionError(f"{what}: not within {PATIENCE:.0f} s\n{self.said()}")

    def runs(self, *types: str) -> list[dict[str, Any]]:
        """Runs of retrain that are or were at work, or of the state types that are named, the newest first.

        Prefect schedules a hundred runs ahead, as many as it lists.
        """
        states = {"type": {"any_": types or ["RUNNING", "COMPLETED", "FAILED", "CRASHED"]}}
        asked = {"flows": {"name": {"any_": ["retrain"]}}, "flow_runs": {"state": states}}
        return list(
            ask(
                f"http://127.0.0.1:{self.prefect}/api/flow_runs/filter",
                {**asked, "sort": "EXPECTED_START_TIME_DESC", "limit": 200},
            )
        )

    def states(self) -> list[str]:
        """What the runs that have ended came to, as their names say, the oldest first; else their states' names."""
        ended = sorted([run for run in self.runs() if run["end_time"]], key=lambda run: run["end_time"])
        return [
            run["name"].rpartition(": ")[2].partition(",")[0] if ": " in run["name"] else run["state_name"]
            for run in ended
        ]

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()
        end = time.monotonic() + 60
        while self.open_ports() and time.monotonic() < end:
            time.sleep(0.2)
        assert not self.open_ports(), "a server outlived the killed `temper up`"

    def stop(self, number: int = signal.SIGINT) -> int:
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(90)

    def open_ports(self) -> list[int]:
        found = []
        for port in (self.prefect, self.mlflow):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    found.append(port)
        return found


def ask(url: str, body: Any = None, **headers: str) -> Any:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"content-type": "application/json", **headers})
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as refused:
        refused.close()
        raise


def grow(folder: Path, rows: int) -> None:
    """More rows in the source: the ones that were there stay."""
    parts = [planted(300, seed=seed) for seed in range(rows // 300)]
    pd.concat(parts).to_csv(folder / "new.csv", index=False)
    os.replace(folder / "new.csv", folder / "data" / "rows.csv")


@pytest.fixture
def up(tmp_path: Path) -> Iterator[Up]:
    made = Up(tmp_path)
    yield made
    if made.process is not None and made.process.poll() is None:
        made.process.kill()
        made.process.wait()


@pytest.mark.long
@pytest.mark.faults
@pytest.mark.servers
@pytest.mark.timeout(1500)
def test_a_schedule_runs_by_itself_survives_a_kill_and_leaves_nothing(up: Up, listener: HTTPServer) -> None:
    recipe = up.folder / "tiny.yaml"
    recipe.write_text(RECIPE)
    grow(up.folder, 600)
    up.start()
    told = f"http://127.0.0.1:{listener.server_port}"
    api = {**up.env, "PREFECT_API_URL": f"http://127.0.0.1:{up.prefect}/api"}
    subprocess.run([sys.executable, "-c", AUTOMATION, told], env=api, cwd=up.folder, check=True)
    assert "every 0:00:15" in up.temper("schedule", str(recipe)).stderr

    # the first run trains, the second has nothing to do, the third meets the champion on more rows
    up.wait_for("the first run", lambda: up.states()[:1])
    up.wait_for("the second run", lambda: len(up.states()) >= 2)
    assert up.states()[:2] == ["promoted", "unchanged"], up.said()
    up.wait_for("the automation", lambda: listener.heard)
    assert "tiny-trial 1" in listener.heard[0]
    grow(up.folder, 900)
    up.wait_for("the third run", lambda: [name for name in up.states()[2:] if name != "unchanged"])
    assert "rows against version 1: 300 came, 0 went, 600 stayed" in up.said()
    assert "tiny-trial version 2: " in up.said()

    # a run that is started elsewhere finds the servers by itself, and its output is JSON alone
    made = json.loads(up.temper("run", str(recipe), "--json").stdout)
    assert made["tracking_uri"] == f"http://127.0.0.1:{up.mlflow}"
    assert {stage["status"] for stage in made["stages"]} == {"cached"}
    finetunes = ask(f"http://127.0.0.1:{up.prefect}/api/flow_runs/filter", {"flows": {"name": {"any_": ["finetune"]}}})
    assert [run for run in finetunes if run["parent_task_run_id"] is None], "the run by hand is not at this server"

    # killed in the middle of a training: nothing is left running, the next start says so, the next run goes on
    grow(up.folder, 1200)
    checkpoints = "a home/.artifacts/train/*.partial/scratch/checkpoints/checkpoint-*"
    up.wait_for("a checkpoint", lambda: list(up.folder.glob(checkpoints)))
    [running] = [run for run in up.runs() if run["state_type"] == "RUNNING"]
    up.kill()
    up.start()
    assert "its process is gone; marked as crashed" in up.said()
    crashed = next(run for run in up.runs() if run["id"] == running["id"])
    assert crashed["state_type"] == "CRASHED"
    inside = ask(
        f"http://127.0.0.1:{up.prefect}/api/task_runs/filter",
        {"flow_runs": {"parent_flow_run_id": {"any_": [running["id"]]}}},
    )
    assert {task["state_type"] for task in inside} <= {"COMPLETED", "CRASHED"}, "a task of it still counts as running"
    up.wait_for("the run after the crash", lambda: "tiny-trial version 3: " in up.said())
    assert "train resumed in" in up.said()

    # Ctrl-C ends everything
    assert up.stop() == 0
    assert not up.open_ports()
    assert "stopping" in up.said()
    for foreign in ("great_expectations", "Finished in state", "Running hook", "Worker '", "SIGTERM"):
        assert foreign not in up.said(), "a library speaks between Temper's lines"
    assert not (up.folder / "a home" / "mlruns" / "up.json").exists()


@pytest.mark.faults
@pytest.mark.servers
@pytest.mark.timeout(600)
def test_servers_refuse_foreign_names_and_pages_and_a_second_temper_up(up: Up) -> None:
    up.start()
    api = f"http://127.0.0.1:{up.prefect}/api/flow_runs/filter"
    tracking = f"http://127.0.0.1:{up.mlflow}/api/2.0/mlflow/experiments/search"
    for url, body in ((api, {}), (tracking, {"max_results": 1})):
        assert ask(url, body) is not None
        for headers in (
            {"Host": "evil.example"},
            {"Origin": "http://evil.example"},
            {"Origin": "http://127.0.0.1:8888"},
        ):
            with pytest.raises(urllib.error.HTTPError) as refused:
                ask(url, body, **headers)
            assert refused.value.code in (401, 403), (url, headers)
    assert ask(api, {}, Origin=f"http://localhost:{up.prefect}") == []
    assert ask(tracking, {"max_results": 1}, Origin=f"http://127.0.0.1:{up.mlflow}")["experiments"]
    recipe = up.folder / "nightly.yaml"
    recipe.write_text(
        RECIPE.replace("{interval: 15}", "{cron: 30 3 * * 1, timezone: Europe/Zurich, overrides: [train.epochs=5]}")
    )
    assert "cron 30 3 * * 1 (Europe/Zurich)" in up.temper("schedule", str(recipe)).stderr
    [first, *_] = up.wait_for("runs by cron", lambda: up.runs("SCHEDULED"))
    assert first["parameters"] == {"recipe": str(recipe), "overrides": ["train.epochs=5"]}
    local = datetime.fromisoformat(first["expected_start_time"]).astimezone(ZoneInfo("Europe/Zurich"))
    assert (local.weekday(), local.hour, local.minute) == (0, 3, 30)
    deployment = ask(f"http://127.0.0.1:{up.prefect}/api/deployments/name/retrain/tiny_trial")
    form = deployment["parameter_openapi_schema"]["properties"]
    assert (form["recipe"]["type"], form["recipe"]["description"][:18]) == ("string", "File of the recipe")
    assert deployment["concurrency_options"]["collision_strategy"] == "ENQUEUE"
    assert "off the schedule" in up.temper("schedule", "--remove", str(recipe)).stderr
    assert up.runs("SCHEDULED") == []
    second = up.temper("up", code=1)
    assert "is at work for" in second.stderr
    other = Up(up.folder / "other") if (up.folder / "other").mkdir() is None else None
    assert other is not None
    taken = subprocess.run(
        [BIN / "temper", "up", "--prefect-port", str(up.prefect)],
        env=other.env,
        cwd=other.folder,
        capture_output=True,
        text=True,
    )
    assert taken.returncode == 1
    assert f"cannot have port {up.prefect}" in taken.stderr
    assert "did not start" in taken.stderr
    assert ask(api, {}) == [], "the server that was there first is gone"
    assert up.stop(signal.SIGTERM) == 0
    assert up.said().splitlines()[-1] == "stopping", "the worker speaks of itself"
    assert not up.open_ports()


@pytest.mark.faults
@pytest.mark.servers
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_is_stopped_while_it_starts(up: Up, number: int) -> None:
    up.start(until="starting MLflow's server")
    assert up.stop(number) == 0
    assert up.said().splitlines()[-1] == "stopping"
    assert not up.open_ports()
    assert not (up.folder / "a home" / "mlruns" / "up.json").exists()


@pytest.mark.faults
def test_a_port_that_is_taken_is_named(up: Up) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        said = up.temper("up", "--mlflow-port", str(port), "--prefect-port", str(up.prefect), code=1).stderr
    assert f"MLflow's server cannot have port {port}" in said
    assert "--mlflow-port" in said
    assert "did not start" not in said  # what listens there is no server


def test_a_database_of_another_version_is_refused(up: Up) -> None:
    import sqlite3
    from contextlib import closing

    file = up.folder / "a home" / "mlruns" / "mlflow.db"
    file.parent.mkdir(parents=True)
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("create table alembic_version (version_num text)")
        connection.execute("insert into alembic_version values ('451aebb31d03')")
        connection.commit()
    said = up.temper("up", "--mlflow-port", str(up.mlflow), "--prefect-port", str(up.prefect), code=1).stderr
    assert "older than the package" in said
    assert "mlflow db upgrade" in said


def test_a_configured_server_that_is_away_is_named(up: Up) -> None:
    up.env["MLFLOW_TRACKING_URI"] = f"http://127.0.0.1:{up.mlflow}"
    up.env["PREFECT_API_URL"] = f"http://127.0.0.1:{up.prefect}/api"
    said = up.temper("up", code=1).stderr
    assert f"127.0.0.1:{up.mlflow} does not answer" in said and "MLFLOW_TRACKING_URI" in said
    del up.env["MLFLOW_TRACKING_URI"]
    said = up.temper("up", code=1).stderr
    assert f"127.0.0.1:{up.prefect}" in said and "PREFECT_API_URL" in said
