"""A year of schedules, whole in `make long`; here what its verdict sees."""

import copy
import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
import simulated_year
from simulated_year import BUDGET, SCHEDULES, Story, Told
from tiny import ROOT

DAYS = 40


def undisturbed() -> tuple[Story, Told, dict[str, Any], list[float], dict[str, int]]:
    """What is left of a time in which all went well."""
    story = Story.told(DAYS)
    told = Told([(day, name, "unchanged", "") for day in range(DAYS) for name in SCHEDULES if day not in story.off])
    parts = {name: 1 + len(days) for name, days in story.grows.items()}
    models = {
        name: {
            "versions": 1 + len(story.grows[name]), "undecided": [], "without entry": [], "champion": "1",
            "rows": simulated_year.texts(name, parts[name]).count("\n") - 1,
        }
        for name in SCHEDULES
    }  # fmt: skip
    end = {"states": {"COMPLETED": len(told.runs)}, "twice": [], "models": models, "open": [], "partial": []}
    return story, told, end, [BUDGET / 2], parts


def lose_a_run(told: Told, end: dict[str, Any], sizes: list[float]) -> None:
    del told.runs[0]


def fail_a_run(told: Told, end: dict[str, Any], sizes: list[float]) -> None:
    told.runs[4] = (*told.runs[4][:2], "failed", "train: something else")


def run_twice(told: Told, end: dict[str, Any], sizes: list[float]) -> None:
    end["twice"] = ["a deployment at three"]


def leave_a_run(told: Told, end: dict[str, Any], sizes: list[float]) -> None:
    end["states"]["RUNNING"] = 1


def stay_stale(told: Told, end: dict[str, Any], sizes: list[float]) -> None:
    end["models"]["london"]["rows"] -= 12


def decide_nothing(told: Told, end: dict[str, Any], sizes: list[float]) -> None:
    end["models"]["interval"]["undecided"] = ["3"]


def train_again(told: Told, end: dict[str, Any], sizes: list[float]) -> None:
    end["models"]["interval"]["versions"] += 2


def leave_a_half(told: Told, end: dict[str, Any], sizes: list[float]) -> None:
    end["partial"] = ["0123.partial"]


def fill_the_disk(told: Told, end: dict[str, Any], sizes: list[float]) -> None:
    sizes.append(BUDGET + 1)


PLANTED = [
    (lose_a_run, "no run on the days [0]"),
    (fail_a_run, "failed train: something else"),
    (run_twice, "due times with two runs"),
    (leave_a_run, "runs in the states {'RUNNING'}"),
    (stay_stale, "london: the newest version has"),
    (decide_nothing, "interval: versions without a decision"),
    (train_again, "versions of"),
    (leave_a_half, "left half done"),
    (fill_the_disk, "and the budget is"),
]


def test_a_time_in_which_all_went_well_has_no_fault() -> None:
    assert list(simulated_year.faults(*undisturbed())) == []


@pytest.mark.parametrize(("plant", "seen"), PLANTED)
def test_each_fault_of_a_year_is_seen(plant: Callable[..., None], seen: str) -> None:
    story, told, end, sizes, parts = copy.deepcopy(undisturbed())
    plant(told, end, sizes)
    (line,) = simulated_year.faults(story, told, end, sizes, parts)
    assert seen in line


def test_a_year_has_what_it_is_for() -> None:
    story = Story.told(365)
    assert len(story.killed) == 20 and len(story.full) == 2 and len(story.offline) == 30 and len(story.off) == 7
    assert all(day in story.grows[name] for day, name in story.killed)
    assert not set(story.off) & set(story.offline) and story == Story.told(365)


@pytest.mark.long
@pytest.mark.timeout(8 * 3600)
def test_a_year_of_scheduled_runs_loses_and_doubles_nothing() -> None:
    command = [sys.executable, str(ROOT / "tests" / "simulated_year.py")]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env={**os.environ, "PYTHONPATH": ""})
    print(done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr[-4000:]
