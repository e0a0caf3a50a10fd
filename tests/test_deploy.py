"""prefect.yaml: Prefect's own command deploys retrain, and a worker in another folder runs it."""

import json
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from test_up import BIN, PATIENCE, ROOT, ask, free_ports
from tiny import TINY, planted

from flows.services.child_processes import Guarded, child_environment
from flows.services.servers import answers

SMALL = [*TINY, "download={kind: file, path: rows.csv}", "validate.min_rows=100"]


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A Prefect server of the test's own; its address, which is in the environment too."""
    for name, folder in (("HOME", "user"), ("PREFECT_HOME", "prefect"), ("TEMPER_HOME", "home")):
        (tmp_path / folder).mkdir(exist_ok=True)
        monkeypatch.setenv(name, str(tmp_path / folder))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    [port] = free_ports(1)
    url = f"http://127.0.0.1:{port}/api"
    command = [BIN / "python", "-m", "flows.services.prefect_server", str(port)]
    env = child_environment(PYTHONPATH=str(ROOT))
    process = Guarded.start("Prefect", command, env=env, grace=5.0, log=tmp_path / "server.log")
    try:
        end = time.monotonic() + PATIENCE
        while not answers(f"{url}/health"):
            assert process.ended() is None and time.monotonic() < end, process.last_words()
            time.sleep(0.2)
        for name, value in (("PREFECT_API_URL", url), ("PREFECT_LOGGING_LEVEL", "INFO"), ("PYTHONPATH", str(ROOT))):
            monkeypatch.setenv(name, value)
        for name in ("PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL", "GX_ANALYTICS_ENABLED", "MLFLOW_LOGGING_LEVEL"):
            monkeypatch.delenv(name, raising=False)  # as where Temper's command line has not been
        yield url
    finally:
        process.end()


def prefect(*words: str, at: Path = ROOT) -> str:
    done = subprocess.run(
        [BIN / "prefect", "--no-prompt", *words],
        cwd=at,
        env={**os.environ, "PWD": str(at)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.mark.long
@pytest.mark.faults
@pytest.mark.servers
@pytest.mark.timeout(900)
def test_prefects_own_command_deploys_and_a_worker_elsewhere_runs_it(server: str, tmp_path: Path) -> None:
    planted(300).to_csv(tmp_path / "data" / "rows.csv", index=False)
    prefect("work-pool", "create", "temper", "--type", "process")
    prefect("deploy", "--name", "reviews_demo")
    made = ask(f"{server}/deployments/name/retrain/reviews_demo")
    assert made["entrypoint"] == "flows.retrain.retrain"
    assert made["concurrency_options"]["collision_strategy"] == "ENQUEUE"
    assert made["parameter_openapi_schema"]["properties"]["recipe"]["description"].startswith("File of the recipe")
    prefect("deployment", "run", "retrain/reviews_demo", "--param", f"overrides={json.dumps(SMALL)}", at=tmp_path)
    said = prefect("worker", "start", "--pool", "temper", "--type", "process", "--run-once", at=tmp_path)
    [run] = ask(f"{server}/flow_runs/filter", {"flows": {"name": {"any_": ["retrain"]}}})
    assert (run["state_name"], run["name"]) == ("Completed", "retrain reviews_demo: promoted, version 1"), said
    assert "train done in" in said and "reviews-demo version 1: promoted" in said
    remarks = [line for line in said.splitlines() if "INFO" in line and ("great_exp" in line or "mlflow" in line)]
    assert remarks == [], "libraries speak between Temper's lines"
