"""A logged model -> the proof that it predicts in a process of its own as it did where it was scored."""

import contextlib
import json
import math
import sys
from typing import Any

from mlflow import MlflowClient
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException
from mlflow.models import Model

from configs.settings import settings

from ..artifact import StageError
from ..documents import SampleRow
from ..kinds.spec import open_kind
from .fresh import Fresh
from .models import RESTORE, local_folder
from .wire_format import REPORT

_EARLY: list[Fresh] = []
TOLERANCE = 1e-5
"""Largest difference of a number between here and the fresh process (batch shapes differ), by its size if above 1."""

FRESH = """
content, given = json.load(sys.stdin)
if content == "messages":
    asked = [one if isinstance(one, dict) else {"messages": one} for one in given]
    predictions = [model.predict(one)["choices"][0]["message"] for one in asked]
else:
    if content == "image":
        import base64, pandas
        given = pandas.DataFrame({"image": [base64.b64decode(one) for one in given]})
    table = model.predict(given)
    if "label" in table:
        table = table[[name for name in table.columns if name.startswith("probability of ")]]
    predictions = table.to_numpy().tolist()
print("PREDICTIONS" + json.dumps(predictions))
"""


def require_described(client: MlflowClient, version: ModelVersion) -> None:
    """Raise StageError unless the registered version has a signature and its run has the report."""
    place = f"{version.name} version {version.version}"
    try:
        files = client.get_model_version_download_uri(version.name, version.version)
        signature = Model.load(local_folder(files) or files).signature  # Model.load takes no file://
        kept = {item.path for item in client.list_artifacts(str(version.run_id))} if version.run_id else set()
    except (MlflowException, OSError) as error:
        reason = str(error).splitlines()[0]
        raise StageError(f"{place} cannot be read: {reason}; no alias was moved. {RESTORE}") from None
    if signature is None or signature.inputs is None or signature.outputs is None:
        raise StageError(f"{place} has no signature, so nobody could say what it takes; no alias was moved")
    if REPORT not in kept:
        lack = f"{place} has no {REPORT} in its run, so nobody could say how good it is; no alias was moved"
        raise StageError(f"{lack}. {RESTORE}")


def prover() -> Fresh:
    """A fresh process without this repository that will prove a model: one that was started early, else a new one."""
    return _EARLY.pop() if _EARLY else _start()


def prove_soon() -> None:
    """Start that process before it is needed, so that its libraries are loaded by then; it ends with this one, since
    its input ends."""
    if not _EARLY:
        _EARLY.append(_start())


def _start() -> Fresh:
    """It loads the store, and what this process, which trained or scored the model, has loaded of transformers."""
    store = ("mlflow.store.tracking.sqlalchemy_store", "mlflow.store.model_registry.sqlalchemy_store")
    models = sorted(name for name in sys.modules if name.startswith("transformers.models.") and name.count(".") == 3)
    return Fresh(FRESH, ahead=("pandas", *(store if settings().tracking.startswith("sqlite") else ()), *models))


def prove(process: Fresh, uri: str, kind: str, samples: list[SampleRow]) -> float:
    """Load the logged model in the fresh process; the largest difference from the report.

    Raises StageError where it does not load or predicts otherwise.
    """
    content = open_kind(kind).traits.content
    done = process.ask(uri, json.dumps([content, [dict(sample)[content] for sample in samples]]))
    line = next((line for line in done.stdout.splitlines() if line.startswith("PREDICTIONS")), None)
    if done.returncode or line is None:
        tail = done.stderr.strip().splitlines()[-1:]
        raise StageError(f"the logged model does not load in a fresh process: {''.join(tail)}; no alias was moved")
    predictions = json.loads(line.removeprefix("PREDICTIONS"))
    apart = max(difference(predicted, sample["answer"]) for predicted, sample in zip(predictions, samples, strict=True))
    if not apart <= TOLERANCE:
        raise StageError(f"the logged model's predictions differ by {apart:.2g} from the report's; no alias was moved")
    return float(apart)


def difference(predicted: Any, expected: Any) -> float:
    """The largest difference of numbers, in JSON too; infinite where anything else differs, or is not a number."""
    if isinstance(predicted, float) and math.isnan(predicted):
        return math.inf
    if isinstance(expected, list) and isinstance(predicted, list) and len(predicted) == len(expected):
        return max((difference(a, b) for a, b in zip(predicted, expected, strict=True)), default=0.0)
    if isinstance(expected, float) and isinstance(predicted, int | float):
        return abs(predicted - expected) / max(1.0, abs(expected))
    if isinstance(expected, dict) and isinstance(predicted, dict) and predicted.keys() == expected.keys():
        return max((difference(predicted[name], value) for name, value in expected.items()), default=0.0)
    if predicted == expected:
        return 0.0
    if isinstance(expected, str) and isinstance(predicted, str) and expected[:1] == predicted[:1] == "[":
        with contextlib.suppress(json.JSONDecodeError):  # no JSON: texts that differ
            return difference(json.loads(predicted), json.loads(expected))
    return math.inf
