"""A run that is told to end: within seconds, with the right exit code, no traceback, and everything to go on from."""

import os
import signal
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path

import pytest
import typer
from tiny import ROOT, TINY

from flows.cli.failures import failures
from flows.services.temporary_server import start_server

LONG = [*TINY, "train.epochs=500", "train.eval_steps=8"]
RECIPE = str(ROOT / "configs" / "reviews_demo.yaml")
PATIENCE = 45
"""Seconds on a machine with much else to do; Prefect asks a server that has gone for more than a minute each time."""


def temper(*words: str, env: dict[str, str]) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "flows", *words]
    return subprocess.Popen(
        command, cwd=ROOT, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, start_new_session=True
    )


def stop_during_training(process: subprocess.Popen[str], place: Path, number: int) -> tuple[int, str, float]:
    """Signal the whole group, as Ctrl-C and many supervisors do; the exit code, what was said, and the seconds."""
    try:
        for _ in range(2400):
            time.sleep(0.1)
            if len(list(place.glob(".artifacts/train/*.partial/scratch/checkpoints/checkpoint-*"))) >= 2:
                break
            assert process.poll() is None, process.communicate()[1]
        began = time.monotonic()
        os.killpg(process.pid, number)
        said = process.communicate(timeout=240)[1]
        return process.returncode, said, time.monotonic() - began
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()


@pytest.mark.faults
@pytest.mark.servers
@pytest.mark.parametrize(
    ("words", "number", "code"),
    [
        (["run", RECIPE, *LONG], signal.SIGTERM, 143),
        pytest.param(["run", RECIPE, *LONG], signal.SIGINT, 1, marks=pytest.mark.long),
        pytest.param(
            ["compare", RECIPE, RECIPE, "train.seed=7", "--seeds", "2", *(f"--set={one}" for one in LONG)],
            signal.SIGTERM,
            143,
            marks=pytest.mark.long,
        ),
    ],
)
def test_a_signal_to_the_group_ends_it_within_seconds(tmp_path: Path, words: list[str], number: int, code: int) -> None:
    place = tmp_path / "home"
    env = {**os.environ, "TEMPER_HOME": str(place), "TEMPER_THREADS": "1", "PREFECT_HOME": str(tmp_path / "prefect")}
    ended, said, seconds = stop_during_training(temper(*words, env=env), place, number)
    assert ended == code, said
    assert "stopped; what was finished is kept" in said, said
    assert "ConnectError" not in said, said
    assert seconds < PATIENCE
    plan = subprocess.run(
        [sys.executable, "-m", "flows", "plan", RECIPE, *LONG], cwd=ROOT, env=env, capture_output=True, text=True
    )
    assert "resumed" in plan.stdout, plan.stdout


@pytest.mark.faults
@pytest.mark.servers
def test_the_server_outlives_signals_and_ends_with_its_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from flows.services.temporary_server import _end, _wait, open_server

    monkeypatch.setenv("PREFECT_HOME", str(tmp_path))
    process, url = start_server()
    try:
        open_server(process)
        _wait(process, url)
        for number in (signal.SIGTERM, signal.SIGINT):
            process.send_signal(number)
        time.sleep(1)
        _wait(process, url)
        began = time.monotonic()
        _end(process)
        assert process.returncode == 0 and time.monotonic() - began < 10
    finally:
        process.kill()
        process.wait()


def test_sigterm_passes_through_what_is_open(capsys: pytest.CaptureFixture[str]) -> None:
    closed, before = list[bool](), signal.getsignal(signal.SIGTERM)
    stack = ExitStack()
    stack.callback(closed.append, True)
    with pytest.raises(typer.Exit) as ended, failures(), stack:
        signal.raise_signal(signal.SIGTERM)
    assert ended.value.exit_code == 143 and closed
    assert "goes on from its last checkpoint" in capsys.readouterr().err.replace("\n", " ")
    assert signal.getsignal(signal.SIGTERM) is before
