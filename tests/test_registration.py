"""A model is registered once per digest, however many processes reach `register` at the same moment."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tiny import ROOT, recipe

from configs.literal import complete
from flows.stage_graph import perform_until
from tasks.artifact import Artifact
from tasks.tracking import runs

AT_ONCE = """
import json, os, sys, time, warnings
warnings.simplefilter("ignore")
from dataclasses import replace
import mlflow, torch, transformers
from tasks.artifact import Artifact
from tasks.register import register
from tasks.tracking import evidence, models, proof, registry, run_data, runs
from configs.schema import Register
from pydantic import TypeAdapter
section, model, report = json.loads(sys.argv[1])
section, count = TypeAdapter(Register).validate_python(section), int(sys.argv[2])
links = {"temper.recipe": "reviews_demo"}
begin = time.monotonic() + 1
children = []
for number in range(count):
    child = os.fork()
    if child == 0:
        time.sleep(max(0, begin - time.monotonic()))
        try:
            version = register.__wrapped__(links, section, Artifact(*model), Artifact(*report))
            print(json.dumps([version.version, version.run_id, version.known]), flush=True)
        except BaseException as error:
            print(json.dumps([type(error).__name__ + ": " + str(error)[:300]]), flush=True)
        os._exit(0)
    children.append(child)
for child in children:
    os.waitpid(child, 0)
os._exit(0)
"""


def at_once(count: int, home: Path, section: object, stages: dict[str, Artifact]) -> list[list[object]]:
    """What each of so many processes says that register the same model at the same moment."""
    model, report = ([one.stage, one.key, one.digest] for one in (stages["train"], stages["evaluate"]))
    given = json.dumps([complete(section), model, report])
    done = subprocess.run(
        [sys.executable, "-c", AT_ONCE, given, str(count)],
        env={**os.environ, "TEMPER_HOME": str(home), "OMP_NUM_THREADS": "1"},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return [json.loads(line) for line in done.stdout.splitlines()]


def once_per_digest(count: int, home: Path, *, fresh: bool) -> None:
    """One version, one run, one of the processes that made it and the others that found it."""
    loaded = recipe("register.model=up")
    stages = {name: outcome.result for name, outcome in perform_until(loaded, "evaluate").items()}
    if fresh:
        shutil.rmtree(home / "mlruns")
    found = at_once(count, home, loaded.register, stages)
    assert all(len(one) == 3 for one in found), found
    assert len(found) == count and len({(version, run) for version, run, _ in found}) == 1, found
    assert sum(1 for *_, known in found if not known) <= 1, found
    client = runs.client()
    assert len(client.search_model_versions("name = 'up'")) == 1
    assert len(client.search_runs([one.experiment_id for one in client.search_experiments()])) == 1


@pytest.mark.faults
@pytest.mark.timeout(600)
def test_four_processes_register_one_version_on_a_fresh_home(home: Path) -> None:
    once_per_digest(4, home, fresh=True)


@pytest.mark.long
@pytest.mark.timeout(7200)
def test_eight_processes_register_one_version_twenty_times(home: Path) -> None:
    """On a fresh home each time, and once more on the home as it is then."""
    for _ in range(20):
        once_per_digest(8, home, fresh=True)
        once_per_digest(8, home, fresh=False)
