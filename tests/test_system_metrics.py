"""The machine's load in a run: measured however short the training, ended with it, and never in its way."""

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from mlflow import MlflowClient

from tasks.tracking.runs import client, experiment, last_steps
from tasks.tracking.system_metrics import PREFIX, UNMEASURED, measured


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MlflowClient]:
    assert "MLFLOW_TRACKING_URI" not in os.environ, "a test left the address of its own database, which is gone by now"
    patch = pytest.MonkeyPatch()
    patch.setenv("TEMPER_HOME", str(tmp_path_factory.mktemp("store")))
    yield client()
    patch.undo()


@pytest.fixture
def run(store: MlflowClient, home: Path) -> str:
    return str(store.create_run(experiment(store, "load")).info.run_id)


def steps(store: MlflowClient, run: str, name: str = "cpu_utilization_percentage") -> list[int]:
    return [point.step for point in store.get_metric_history(run, PREFIX + name)]


def threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name == "system-metrics"]


def test_even_the_shortest_training_is_measured_and_a_resumed_one_goes_on(store: MlflowClient, run: str) -> None:
    with measured(store, run):
        assert threads() == ["system-metrics"]
    assert threads() == []
    assert steps(store, run) == [1]
    with measured(store, run):
        pass
    assert steps(store, run) == [1, 2]
    values = store.get_run(run).data.metrics
    assert 0 < values[f"{PREFIX}system_memory_usage_percentage"] <= 100
    assert {f"{PREFIX}disk_usage_percentage", f"{PREFIX}network_receive_megabytes"} <= set(values)
    assert last_steps(store, run) == {}  # of the curves, where a resumed training looks


def test_a_training_that_fails_ends_it_too(store: MlflowClient, run: str) -> None:
    with pytest.raises(RuntimeError, match="the data centre"), measured(store, run):
        raise RuntimeError("the data centre is on fire")
    assert threads() == [] and steps(store, run) == [1]


def test_what_cannot_be_measured_is_said_and_stops_nothing(
    store: MlflowClient, run: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken() -> float:
        raise OSError("no /proc here")

    monkeypatch.setattr(psutil, "cpu_percent", broken)
    done = False
    with measured(store, run):
        done = True
    assert done and steps(store, run) == []
    assert store.get_run(run).data.tags[UNMEASURED] == "ended early: OSError: no /proc here"


def test_a_store_that_refuses_stops_nothing(store: MlflowClient) -> None:
    with measured(store, "0" * 32):
        pass
    assert threads() == []


def test_the_setting_switches_it_off(store: MlflowClient, run: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEMPER_SYSTEM_METRICS", "false")
    with measured(store, run):
        assert threads() == []
    assert store.get_run(run).data.metrics == {}
