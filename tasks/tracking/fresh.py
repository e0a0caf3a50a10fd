"""A short program -> its output from a process of its own, in which Temper's working tree cannot be imported."""

import os
import subprocess
import sys
import tempfile

from configs.settings import settings

PRELUDE = """
import json, sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("tasks", "flows", "configs"):
            raise ImportError(f"{name}: the model must not need Temper's working tree")
sys.meta_path.insert(0, Absent())
import mlflow
model = mlflow.pyfunc.load_model(sys.argv[1])
"""


def run_fresh(program: str, uri: str, *arguments: str, given: str = "") -> subprocess.CompletedProcess[str]:
    """Run a program behind the PRELUDE, which loads the model at `uri`; its arguments start at sys.argv[2].

    The store's address goes through the environment: a command line, with a password in it, is everybody's to read.
    """
    quiet = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "MLFLOW_RUN_ID")}
    quiet |= {"MLFLOW_TRACKING_URI": settings().tracking, "MLFLOW_REGISTRY_URI": settings().tracking}
    with tempfile.TemporaryDirectory() as elsewhere:
        return subprocess.run(
            [sys.executable, "-c", PRELUDE + program, uri, *arguments],
            input=given, capture_output=True, text=True, cwd=elsewhere, env=quiet, check=False,
        )  # fmt: skip
