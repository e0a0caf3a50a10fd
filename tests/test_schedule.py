"""The pinned stack schedules: a cron deployment on a real server yields runs (with SQLAlchemy 2.1 it does not)."""

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

SCRIPT = """
import sys, time
from prefect import flow
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import DeploymentScheduleCreate
from prefect.client.schemas.schedules import CronSchedule

@flow
def tick() -> None: ...

with get_client(sync_client=True) as api:
    flow_id = api.create_flow(tick)
    schedule = DeploymentScheduleCreate(schedule=CronSchedule(cron="* * * * *", timezone="UTC"), active=True)
    api.create_deployment(flow_id, name="tick", schedules=[schedule], entrypoint="nowhere:tick")
    for _ in range(120):
        runs = api.read_flow_runs()
        if runs:
            print(sorted({run.state_name for run in runs}), len(runs))
            sys.exit(0)
        time.sleep(0.5)
sys.exit("no run was scheduled within a minute")
"""


@pytest.mark.servers
@pytest.mark.faults
def test_a_cron_deployment_yields_scheduled_runs(tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    url = f"http://127.0.0.1:{port}/api"
    env = {**os.environ, "PREFECT_HOME": str(tmp_path), "PREFECT_API_URL": url}
    server_env = {name: value for name, value in env.items() if name != "PREFECT_API_URL"}
    prefect = Path(sys.executable).parent / "prefect"
    log = (tmp_path / "server.log").open("wb")
    command = [prefect, "server", "start", "--host", "127.0.0.1", "--port", port]
    server = subprocess.Popen(command, env=server_env, stdout=log, stderr=log)
    try:
        _wait(server, url)
        done = subprocess.run([sys.executable, "-c", SCRIPT], env=env, capture_output=True, text=True, timeout=180)
        assert done.returncode == 0, done.stderr + (tmp_path / "server.log").read_text()[-2000:]
        assert "Scheduled" in done.stdout
    finally:
        server.terminate()
        server.wait(30)
        log.close()


def _wait(server: subprocess.Popen[bytes], url: str) -> None:
    import httpx

    for _ in range(600):
        assert server.poll() is None, "the server ended"
        try:
            if httpx.get(f"{url}/health").status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.2)
    raise AssertionError("the server did not answer")
