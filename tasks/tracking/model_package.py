"""What MLflow is given of a trained model: its files, the code that predicts, signature, example, pinned packages."""

import importlib.metadata
import json
import shutil
from pathlib import Path
from typing import Any, NamedTuple

import grimp
import mlflow
from mlflow import MlflowClient
from mlflow.models import Model

from configs.settings import HOME

from ..documents import ReportFacts, SampleRow
from ..kinds.spec import module_of, open_kind
from ..runtime.quiet import without
from ..store.living import alive
from .signatures import example, signature
from .wire_format import ARTIFACT

Packed = dict[str, Any]
"""Arguments of MLflow's that describe a model."""
CONFIG_REMARK = "Failed to log model config as params"
"""Of a run's second model, whose configuration is another than the parameters of its first."""
REQUIRED = ("mlflow", "torch", "transformers", "safetensors", "numpy", "pandas")
OWN = {"keras": ("keras",), "torchvision": ("torchvision",), "timm": ("timm", "torchvision")}
"""By framework or kind of an image model what it needs beyond that; timm takes the torchvision that fits torch."""


class Evaluated(NamedTuple):
    """What an evaluation left of a model: its report's facts (kind, content and labels are read), and sample rows as
    the report keeps them, for the example."""

    facts: ReportFacts
    samples: list[SampleRow]


def pack(folder: Path, scratch: Path, package: str, evaluated: Evaluated, needed: list[str]) -> Packed:
    """What MLflow is given of a model's files: the code below `scratch` that predicts, signature, example, packages."""
    facts = evaluated.facts
    serving = module_of(str(facts["kind"]), "predictor")
    return {
        "python_model": str(Path(__file__).with_name("served.py")),
        "artifacts": {ARTIFACT: str(folder)},
        "code_paths": [str(carry_code(scratch, package, serving))],
        "model_config": {"package": package, "predictor": serving},
        "signature": signature(facts),
        "input_example": example(str(facts["content"]), evaluated.samples),
        "pip_requirements": needed,
    }


def log_packed(client: MlflowClient, run_id: str, packed: Packed, name: str = "model") -> Any:
    """Log a packed model in a run, whose state and times stay; MLflow is connected."""
    run = client.get_run(run_id)
    with alive("mlflow", run_id), without(CONFIG_REMARK, "mlflow.models.model"):
        pending = mlflow.initialize_logged_model(
            name, source_run_id=run_id, params=run.data.params, experiment_id=run.info.experiment_id
        )
        return Model.log(  # pyfunc.log_model needs an active run, whose end it moves
            artifact_path=None,
            name=name,
            flavor=mlflow.pyfunc,
            run_id=run_id,
            model_id=pending.model_id,
            **packed,
        )


def requirements(kind: str, config: Path) -> list[str]:
    """Pinned packages that a model needs where it is served; `config` is its config.json."""
    source = json.loads(config.read_text(encoding="utf-8"))
    own = [name for word in ("framework", "kind") for name in OWN.get(source.get(word), ())]
    return [f"{name}=={importlib.metadata.version(name)}" for name in (*REQUIRED, *open_kind(kind).requirements, *own)]


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
