"""A logged model -> the proof that it answers in a process of its own as it did where it was scored."""

import json
import math
import os
import subprocess
import sys
import tempfile
from typing import Any

from configs.encodings import READS
from configs.settings import settings

from ..artifact import StageError

TOLERANCE = 1e-5
"""Largest difference of a number between here and the fresh process (batch shapes differ), by its size if above 1."""

FRESH = """
import json, sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("tasks", "flows", "configs"):
            raise ImportError(f"{name}: the model must not need Temper's working tree")
sys.meta_path.insert(0, Absent())
import mlflow
mlflow.set_tracking_uri(sys.argv[1]); mlflow.set_registry_uri(sys.argv[1])
content, given = sys.argv[3], json.load(sys.stdin)
model = mlflow.pyfunc.load_model(sys.argv[2])
if content == "messages":
    told = [model.predict({"messages": one})["choices"][0]["message"] for one in given]
else:
    if content == "image":
        import base64, pandas
        given = pandas.DataFrame({"image": [base64.b64decode(one) for one in given]})
    answers = model.predict(given)
    columns = [name for name in answers.columns if name.startswith("probability of ")]
    told = answers[columns or list(answers.columns)].to_numpy().tolist()
print("ANSWERS" + json.dumps(told))
"""


def prove(uri: str, kind: str, samples: list[dict[str, Any]]) -> float:
    """Load the logged model in a fresh process without this repository; the largest difference from the report.

    Raises StageError where it does not load or answers otherwise.
    """
    content = READS[kind][0]
    quiet = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "MLFLOW_RUN_ID")}
    with tempfile.TemporaryDirectory() as elsewhere:
        process = subprocess.run(
            [sys.executable, "-c", FRESH, settings().tracking, uri, content],
            input=json.dumps([sample[content] for sample in samples]),
            capture_output=True, text=True, cwd=elsewhere, env=quiet, check=False,
        )  # fmt: skip
    line = next((line for line in process.stdout.splitlines() if line.startswith("ANSWERS")), None)
    if process.returncode or line is None:
        tail = process.stderr.strip().splitlines()[-1:]
        raise StageError(f"the logged model does not load in a fresh process: {''.join(tail)}; no alias was moved")
    answers = json.loads(line.removeprefix("ANSWERS"))
    apart = max(_apart(answer, sample["answer"]) for answer, sample in zip(answers, samples, strict=True))
    if not apart <= TOLERANCE:
        raise StageError(f"the logged model's answers differ by {apart:.2g} from the report's; no alias was moved")
    return float(apart)


def _apart(answer: Any, expected: Any) -> float:
    """The largest difference of numbers; infinite where anything else differs."""
    if isinstance(expected, list) and isinstance(answer, list) and len(answer) == len(expected):
        return max((_apart(a, b) for a, b in zip(answer, expected, strict=True)), default=0.0)
    if isinstance(expected, float) and isinstance(answer, int | float):
        return abs(answer - expected) / max(1.0, abs(expected))
    return 0.0 if answer == expected else math.inf
