"""A trained model -> a version in the MLflow registry that carries its code, proven in a process of its own."""

import importlib.metadata
import json
import os
import shutil
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path
from typing import Any

import grimp
import mlflow
import pandas as pd
from mlflow import MlflowClient
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException
from mlflow.models import ModelSignature
from mlflow.types import ColSpec, Schema

from configs.settings import HOME, settings

from ..artifact import Artifact, StageError

DIGEST = "temper.model_digest"
REQUIRED = ("mlflow", "torch", "transformers", "safetensors", "numpy", "pandas")
SERVING = {"text": "tasks.text.predictor", "image": "tasks.vision.predictor"}
"""Per content the module that predicts, and travels with the model."""
FURTHER = {"text": ("tokenizers",), "image": ("pillow", "pyarrow")}
"""What else such a model needs."""
TOLERANCE = 1e-5
"""Largest difference of a probability between here and the fresh process (batch shapes differ)."""

FRESH = """
import json, sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("tasks", "flows", "configs"):
            raise ImportError(f"{name}: the model must not need Temper's working tree")
sys.meta_path.insert(0, Absent())
import mlflow
mlflow.set_tracking_uri(sys.argv[1]); mlflow.set_registry_uri(sys.argv[1])
given = json.load(sys.stdin)
if sys.argv[3] == "image":
    import base64, pandas
    given = pandas.DataFrame({"image": [base64.b64decode(one) for one in given]})
answers = mlflow.pyfunc.load_model(sys.argv[2]).predict(given)
columns = [name for name in answers.columns if name.startswith("probability of ")]
print("ANSWERS" + json.dumps(answers[columns].to_numpy().tolist()))
"""


def _connect() -> None:
    mlflow.set_tracking_uri(settings().tracking)
    mlflow.set_registry_uri(settings().tracking)
    warnings.filterwarnings("ignore", message=".*type hints.*", category=UserWarning)  # served.py says why it has none


def load_model(name: str, content: str) -> Any:
    """Load NAME (its champion), NAME@alias, NAME/version or a models:/ address, to be given texts or images.

    Raises StageError where it cannot be loaded, or takes the other.
    """
    address = name if name.startswith("models:/") else f"models:/{name}"
    if not set("@/") & set(address.removeprefix("models:/")):
        address += "@champion"
    _connect()
    try:
        model = mlflow.pyfunc.load_model(address)
    except (MlflowException, OSError) as error:
        reason = str(error).splitlines()[0]
        raise StageError(f"{address} cannot be loaded from {settings().tracking}: {reason}") from None
    takes = "image" if "image" in model.metadata.signature.inputs.input_names() else "text"
    if takes != content:
        raise StageError(f"{address} takes {takes}s; give it {'an image file' if takes == 'image' else 'a text'}")
    return model


def answer(model: Any, contents: Any) -> pd.DataFrame:
    """A loaded model's answers. Raises StageError where it cannot read what it is given."""
    try:
        found: pd.DataFrame = model.predict(contents)
    except (ValueError, MlflowException) as error:
        raise StageError(str(error).splitlines()[0]) from None
    return found


def find_version(client: MlflowClient, name: str, digest: str) -> ModelVersion | None:
    """The newest version of this model digest whose files are still there."""
    found = client.search_model_versions(f"name = '{name}'")
    fitting = [version for version in found if version.tags.get(DIGEST) == digest and _has_files(client, version)]
    return max(fitting, key=lambda version: int(version.version), default=None)


def _has_files(client: MlflowClient, version: ModelVersion) -> bool:
    """Whether a locally stored version is where the registry says (a moved repository leaves old paths behind)."""
    place = client.get_model_version_download_uri(version.name, version.version)
    local = Path(place.removeprefix("file://")) if place.startswith(("file://", "/")) else None
    return local is None or (local / "MLmodel").is_file()


def log_version(
    client: MlflowClient, name: str, run_id: str, model: Artifact, example: pd.DataFrame, labels: list[str]
) -> ModelVersion:
    """Log the model with its own code, signature, example and pinned requirements, and register it.

    `example`: rows with a column `text`, or `image` with the bytes of files.
    """
    _connect()
    content = str(example.columns[0])
    package = f"temper_model_{model.digest[:16]}"
    with tempfile.TemporaryDirectory() as scratch, mlflow.start_run(run_id=run_id):
        code = carry_code(Path(scratch), package, SERVING[content])
        logged = mlflow.pyfunc.log_model(
            name="model",
            python_model=str(Path(__file__).with_name("served.py")),
            artifacts={"model": str(model.file("config.json").parent)},
            code_paths=[str(code)],
            model_config={"package": package, "predictor": SERVING[content]},
            signature=_signature(content, labels),
            input_example=example,
            pip_requirements=requirements(content, model.file("config.json")),
        )
    try:
        client.create_registered_model(name)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    return client.create_model_version(
        name, logged.model_uri, run_id, tags={DIGEST: model.digest}, model_id=logged.model_id
    )


def requirements(content: str, config: Path) -> list[str]:
    """Pinned packages that a model needs where it is served; `config` is its config.json."""
    source = json.loads(config.read_text(encoding="utf-8"))
    own = [name for name in ("keras", "torchvision") if name in (source.get("framework"), source.get("kind"))]
    return [f"{name}=={importlib.metadata.version(name)}" for name in (*REQUIRED, *FURTHER[content], *own)]


def _signature(content: str, labels: list[str]) -> ModelSignature:
    """Texts: one unnamed string column, so that lists pass as well as tables. Images: a column of bytes."""
    outputs = [ColSpec("string", "label"), ColSpec("double", "probability")]
    outputs += [ColSpec("double", f"probability of {label}") for label in labels]
    given = ColSpec("string") if content == "text" else ColSpec("binary", content)
    return ModelSignature(Schema([given]), Schema(outputs))


def carry_code(folder: Path, package: str, serving: str) -> Path:
    """Copy the modules that prediction reaches into a package of a name of its own.

    MLflow puts a model's code on sys.path; under one shared name a second model in the same process would
    silently run the first one's code.
    """
    graph = grimp.build_graph("tasks", cache_dir=None)
    modules = {serving, *graph.find_upstream_modules(serving)}
    modules |= {name.rsplit(".", depth)[0] for name in modules for depth in range(1, name.count(".") + 1)}
    root = folder / package
    root.mkdir()
    (root / "__init__.py").touch()
    for name in sorted(modules):
        source = HOME.joinpath(*name.split("."))
        target = root.joinpath(*name.split("."))
        if source.is_dir():
            target.mkdir(parents=True, exist_ok=True)
            (target / "__init__.py").touch()
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source.with_suffix(".py"), target.with_suffix(".py"))
    return root


def prove(uri: str, samples: list[dict[str, Any]]) -> float:
    """Load the logged model in a fresh process without this repository; the largest difference from the report.

    Raises StageError where it does not load or answers otherwise.
    """
    content = "image" if samples and "image" in samples[0] else "text"
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
    pairs = zip(answers, (sample["probabilities"] for sample in samples), strict=True)
    apart = max(abs(a - b) for row, expected in pairs for a, b in zip(row, expected, strict=True))
    if not apart <= TOLERANCE:
        raise StageError(f"the logged model's answers differ by {apart:.2g} from the report's; no alias was moved")
    return float(apart)
