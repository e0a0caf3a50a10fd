"""A run killed during training goes on where it was."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from tiny import ROOT, TINY

LONG = [*TINY, "train.epochs=6", "train.eval_steps=8", "train.model.config={n_layer: 2, n_head: 2, n_embd: 64}"]


def kill_during_training(env: dict[str, str], place: Path) -> None:
    """Start `temper run`, and kill it with SIGKILL once a second checkpoint is there."""
    command = [Path(sys.executable).parent / "temper", "run", str(ROOT / "configs" / "reviews_demo.yaml"), *LONG]
    process = subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(1200):
            time.sleep(0.1)
            if len(list(place.glob(".artifacts/train/*.partial/scratch/checkpoints/checkpoint-*"))) >= 2:
                return
            assert process.poll() is None, "the run ended before it could be killed"
        raise AssertionError("no checkpoint appeared")
    finally:
        process.kill()
        process.wait()


@pytest.mark.long
@pytest.mark.faults
@pytest.mark.servers
def test_a_killed_training_resumes_in_its_mlflow_run_with_equal_weights(tmp_path: Path) -> None:
    """SIGKILL during train; the next run resumes in the same MLflow run and ends with bit-equal weights."""
    weights, runs = [], []
    for name, killed in (("whole", False), ("killed", True)):
        place = tmp_path / name
        place.mkdir()
        env = {
            **os.environ,
            "TEMPER_HOME": str(place),
            "TEMPER_THREADS": "1",
            "PREFECT_HOME": str(tmp_path / "prefect"),
        }
        if killed:
            kill_during_training(env, place)
        command = [Path(sys.executable).parent / "temper", "run", str(ROOT / "configs" / "reviews_demo.yaml"), *LONG]
        done = subprocess.run([*command, "--json"], env=env, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        document: dict[str, Any] = json.loads(done.stdout)
        train = next(stage for stage in document["stages"] if stage["stage"] == "train")
        assert train["status"] == ("resumed" if killed else "run")
        weights.append((place / ".artifacts" / "train" / train["key"] / "data" / "model.safetensors").read_bytes())
        found = __import__("mlflow").MlflowClient(f"sqlite:///{place}/mlruns/mlflow.db")
        experiment = found.get_experiment_by_name("reviews_demo").experiment_id
        runs.append([run.info.run_id for run in found.search_runs([experiment])])
        assert runs[-1] == [document["mlflow_run_id"]]
        steps = [point.step for point in found.get_metric_history(document["mlflow_run_id"], "validation/loss")]
        assert steps == sorted(set(steps)), "a step stands twice in the curve"
    assert weights[0] == weights[1]
