"""A short program -> its output from a process of its own, in which Temper's working tree cannot be imported."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from typing import Self

from configs.settings import settings

WITHOUT_TEMPER = """
import sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("tasks", "flows", "configs"):
            raise ImportError(f"{name}: the model must not need Temper's working tree")
sys.meta_path.insert(0, Absent())
"""
"""Begins a program in which Temper's packages cannot be imported."""
PRELUDE = """
import contextlib, gc, importlib, json
gc.disable()
import mlflow, torch
for name in json.loads(sys.argv.pop(1)):
    with contextlib.suppress(ImportError):
        importlib.import_module(name)
gc.enable()
sys.argv.insert(1, sys.stdin.readline().rstrip("\\n"))
model = mlflow.pyfunc.load_model(sys.argv[1])
"""


class Fresh:
    """A process that loads mlflow and torch, so that it is ready when it is asked, once; ended when this is left.

    ahead: modules that the model will import anyway; loaded by then they cost no time. The process runs a program
    behind the PRELUDE, which loads the model; the program's arguments start at sys.argv[2]. The store's address goes
    through the environment: a command line, with a password in it, is everybody's to read.
    """

    def __init__(self, program: str, *arguments: str, ahead: Sequence[str] = ()) -> None:
        self._elsewhere = tempfile.TemporaryDirectory()
        self._process = subprocess.Popen(
            [sys.executable, "-c", WITHOUT_TEMPER + PRELUDE + program, json.dumps(list(ahead)), *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=self._elsewhere.name,
            env=environment(),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self._process.kill()
        self._process.communicate()
        self._elsewhere.cleanup()

    def ask(self, uri: str, given: str = "") -> subprocess.CompletedProcess[str]:
        """What the program states about the model at `uri`; `given` is its standard input."""
        out, err = self._process.communicate(f"{uri}\n{given}")
        return subprocess.CompletedProcess(self._process.args, self._process.returncode, out, err)


def environment() -> dict[str, str]:
    """The variables of a process without Temper's working tree and without a run of MLflow's."""
    quiet = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "MLFLOW_RUN_ID")}
    return quiet | {"MLFLOW_TRACKING_URI": settings().tracking, "MLFLOW_REGISTRY_URI": settings().tracking}


def run_fresh(program: str, uri: str, *arguments: str, given: str = "") -> subprocess.CompletedProcess[str]:
    """Ask a program of a model in a process that starts now."""
    with Fresh(program, *arguments) as process:
        return process.ask(uri, given)
