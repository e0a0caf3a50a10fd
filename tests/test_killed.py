"""Runs whose process is gone, begun by hand or by a schedule: marked at the next start, in Prefect and in MLflow."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tiny import ROOT

from tasks.store import living

FLOW = """
import os, signal
from prefect import flow
from flows.hooks import watched

@flow(name="finetune", **watched())
def inner():
    os.kill(os.getpid(), signal.SIGKILL)

@flow(name="compare", **watched())
def outer():
    inner()

outer()
"""
TRAINING = """
import os, signal, sys
import mlflow
from tasks.tracking import models, runs
with runs.live_run(sys.argv[1], {}, {"train.epochs": 1}, lambda report: None):
    models.connect()
    found = runs.client().search_experiments(filter_string="name = 'temper'")[0]
    known = runs.client().search_runs([found.experiment_id], "tags.`temper.training_key` = '%s'" % sys.argv[1])[0]
    mlflow.initialize_logged_model("model", source_run_id=known.info.run_id, experiment_id=found.experiment_id)
    os.kill(os.getpid(), signal.SIGKILL)
"""


ONE, TWO, OLD = (f"0190c6bc-0000-7000-8000-00000000000{number}" for number in range(3))


def test_a_file_is_held_for_as_long_as_its_process_lives(home: Path) -> None:
    with living.alive("flow", ONE), living.alive("flow", ONE):
        assert living.gone("flow") == []
        other = subprocess.run(
            [sys.executable, "-c", "from tasks.store import living; print(living.gone('flow'))"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        )
        assert other.stdout.strip() == "[]"
    assert not living.mark_of("flow", ONE).exists()
    living.mark_of("flow", TWO).touch()
    living.mark_of("flow", OLD).touch()
    os.utime(living.mark_of("flow", OLD), (time.time() - 2 * living.KEPT,) * 2)
    assert living.gone("flow") == [TWO] and not living.mark_of("flow", OLD).exists()


def test_what_else_lies_in_the_folder_of_runs_is_no_run_and_opens_without_waiting(home: Path) -> None:
    folder = living.mark_of("flow", TWO).parent
    (folder / ONE).mkdir(parents=True)
    os.mkfifo(folder / OLD)
    for name in (".DS_Store", "desktop.ini", f"{TWO}.bak", TWO.upper()):
        (folder / name).touch()
    assert living.gone("flow") == [] and not living.held(folder / OLD) and not living.held(folder / ONE)
    living.mark_of("flow", TWO).touch()
    living.mark_of("mlflow", "0" * 32).parent.mkdir()
    living.mark_of("mlflow", "0" * 32).touch()
    assert (living.gone("flow"), living.gone("mlflow")) == ([TWO], ["0" * 32])


@pytest.mark.faults
def test_flow_runs_by_hand_are_marked_after_a_kill(harness: None, home: Path) -> None:
    from prefect.client.orchestration import get_client
    from prefect.settings import PREFECT_API_URL

    from flows.services.crashed_runs import mark_gone

    env = {**os.environ, "PREFECT_API_URL": str(PREFECT_API_URL.value())}
    killed = subprocess.run([sys.executable, "-c", FLOW], cwd=ROOT, env=env, capture_output=True, text=True)
    assert killed.returncode == -9, killed.stderr
    said: list[str] = []
    with get_client(sync_client=True) as api:
        left = [api.read_flow_run(one) for one in living.gone("flow")]
        assert [run.state_type.value for run in left] == ["RUNNING", "RUNNING"]
        living.mark_of("flow", "0190c6bc-0000-7000-8000-000000000000").touch()  # another server's
        mark_gone(api, said.append)
        assert [api.read_flow_run(run.id).state_type.value for run in left] == ["CRASHED", "CRASHED"]
    assert len(said) == 1 and "its process is gone" in said[0]  # what ran inside goes with it
    assert living.gone("flow") == ["0190c6bc-0000-7000-8000-000000000000"]


@pytest.mark.faults
def test_mlflow_runs_and_models_of_a_killed_training_are_marked(home: Path) -> None:
    from tasks.tracking import killed, runs

    done = subprocess.run([sys.executable, "-c", TRAINING, "k" * 8], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == -9, done.stderr
    (run_id,) = living.gone("mlflow")
    client, said = runs.client(), []
    assert client.get_run(run_id).info.status == "RUNNING"
    killed.mark_killed(said.append)
    info = client.get_run(run_id).info
    assert info.status == "KILLED" and len(said) == 1 and not living.gone("mlflow")
    (model,) = client.search_logged_models([info.experiment_id])
    assert str(model.status) == "FAILED"
    with runs.live_run("k" * 8, {}, {}, lambda report: None):  # the next run goes on with it
        assert client.get_run(run_id).info.status == "RUNNING"
    assert client.get_run(run_id).info.status == "FINISHED"
