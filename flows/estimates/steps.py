"""Real steps asked of a child process, and what a whole training follows from them."""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from configs.settings import settings
from tasks.artifact import StageError
from tasks.store import workload
from tasks.store.measurements import Measurement, load, machine, record

if TYPE_CHECKING:
    from configs.schema import Recipe
    from tasks.artifact import Artifact

    from .past_runs import Task
    from .row_forecast import Rows

PATIENCE = 900.0
"""Seconds after which a child that measures is given up."""
KEPT = 3
"""Checkpoints that lie on the disk at once: two newest and the best."""
STAGE = "steps"
"""Under this name a training that real steps foresee is recorded, so that the next estimate needs no child."""


@dataclass(frozen=True)
class Source:
    """A recipe's file and changes, as a child process reads them again."""

    path: Path
    overrides: Sequence[str]


class Exceeded(Exception):
    """The steps took more memory than the limit. before: bytes held before the first row, 0 where loading the model
    took more already; batch_norms: of the model, such layers that are trained."""

    def __init__(self, before: int, batch_norms: int) -> None:
        super().__init__(before, batch_norms)
        self.before, self.batch_norms = before, batch_norms


def ask(source: Source, encoded: "Artifact", limit: int | None = None) -> Any:
    """What the child measured of time and bytes. limit: bytes of memory at which it ends, if any.

    Raises StageError, and Exceeded at the limit.
    """
    request = {"recipe": str(source.path), "overrides": list(source.overrides), "encoded": encoded.key, "limit": limit}
    command = [sys.executable, "-m", "flows.estimates.real_steps"]
    with tempfile.TemporaryDirectory() as scratch:  # a child that is ended leaves its checkpoints
        own = {**os.environ, "TMPDIR": scratch}
        try:
            done = subprocess.run(
                command, input=json.dumps(request), capture_output=True, text=True, timeout=PATIENCE, env=own
            )
        except subprocess.TimeoutExpired:
            raise StageError(f"a few steps of the training took more than {PATIENCE:.0f} s") from None
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or [f"the process ended with {done.returncode}"])[-1]
        raise StageError(f"a few steps of the training could not be measured: {reason}")
    taken = json.loads(done.stdout)
    if "exceeded" in taken:
        raise Exceeded(**taken["exceeded"])
    return taken


def why_unmeasured(recipe: "Recipe") -> str:
    """Why real steps of a training are not measured; empty where they are."""
    from tasks.kinds.spec import open_kind

    if recipe.train.teacher is not None or open_kind(recipe.encode.kind).reference:
        return "the training reads scores of another model, which a few steps would have to wait for"
    return ""


def remember_steps(taken: Any, task: "Task", rows: "Rows", recipe: "Recipe") -> Measurement:
    """Record the whole training that follows from what was measured."""
    train, validation = rows.parts["train"].expected, rows.parts["validation"].expected
    checks = workload.validations(recipe.train, train)
    work = workload.passes(recipe.train, train, validation)
    trained = workload.epochs(recipe.train) * train * taken["each"]
    seconds = taken["begin"] + trained + checks * (validation * taken["validate"] + taken["keep"])
    measurement = Measurement(
        stage=STAGE,
        recipe=task.recipe,
        kind=task.kind,
        alike=task.alike,
        work=work,
        seconds=round(seconds, 3),
        memory=taken["memory"],
        disk=taken["weights"] + min(checks, KEPT) * taken["checkpoint"],
        load=load(),
        machine=machine(),
        at=int(time.time()),
        key="",
    )
    record(settings().store, measurement)
    return measurement
