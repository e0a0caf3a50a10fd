"""An exported model in MLflow: what it is made of, asked in a process of its own, registered next to its origin."""

import importlib.metadata
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import mlflow
import numpy as np
import pandas as pd
import yaml
from mlflow import MlflowClient
from mlflow.entities.model_registry import ModelVersion

from ..artifact import Artifact, StageError
from ..documents import ReportFacts, SampleRow
from ..kinds.spec import open_kind
from ..learn.metrics import Floats
from . import evidence, model_package, models, report_pages
from .fresh import environment
from .rescoring import in_place, rescore
from .wire_format import CHAMPION, EXPORT_GATE, EXPORT_OF, EXPORT_ROUTE, MODEL_DIGEST

BASE = ("mlflow-skinny", "numpy", "pandas")
"""What serves any exported model, next to what its form and its kind need."""
COLD = """
import sys, json, warnings
warnings.simplefilter("ignore")
import mlflow
model = mlflow.pyfunc.load_model(sys.argv[1])
model.predict(json.load(sys.stdin)["given"])
"""


class Form(NamedTuple):
    """The form of an export: the route's name on the command line, and the packages that serve it."""

    route: str
    serves: tuple[str, ...]


@dataclass(frozen=True)
class Origin:
    """A registered version to be exported. folder: its files; stages: the artifacts that it was made of."""

    version: ModelVersion
    folder: Path
    facts: ReportFacts
    samples: list[SampleRow]
    stages: Mapping[str, Artifact]

    @property
    def digest(self) -> str:
        """Of the trained model."""
        return str(self.version.tags[MODEL_DIGEST])

    @property
    def named(self) -> str:
        """Name and number, for people."""
        return f"{self.version.name} version {self.version.version}"

    @property
    def uri(self) -> str:
        """MLflow's address of this very version."""
        return f"models:/{self.version.name}/{self.version.version}"

    def predictions(self) -> pd.DataFrame:
        """Those of the test rows, as `evaluate` kept them."""
        return pd.read_parquet(self.stages["evaluate"].file("predictions.parquet"))

    def asked(self, predictions: pd.DataFrame) -> pd.DataFrame:
        """The rows of these predictions with their contents."""
        return evidence.asked_rows(self.stages, predictions, str(self.facts["kind"]))

    def units(self, predictions: pd.DataFrame) -> list[str] | None:
        """The independent unit of each row of predictions, as promotion's test takes them."""
        return evidence.units_of(self.stages, predictions)

    def validation(self, count: int) -> list[Any]:
        """Contents of some validation rows, by which choices are made: no test row decides what is tested on it."""
        return evidence.part_contents(self.stages, "validation", str(self.facts["kind"]), count)

    def how(self) -> Mapping[str, Any]:
        """evaluate's section."""
        return dict(self.stages["evaluate"].manifest()["section"])

    def metric(self) -> str:
        """What the recipe judges by."""
        return str(yaml.safe_load(report_pages.kept_recipe(self.version)[1])["register"]["metric"])


def find_origin(asked: str) -> Origin:
    """The version that NAME (its champion), NAME@alias or NAME/version means, with what it was made of.

    Raises StageError where it is an export itself, was not registered by Temper, or its artifacts are not here.
    """
    version = report_pages.find_version(asked)
    named = f"{version.name} version {version.version}"
    if of := version.tags.get(EXPORT_OF):
        raise StageError(f"{named} is an export of version {of} itself; export {version.name}/{of}")
    if MODEL_DIGEST not in version.tags:
        raise StageError(f"{named} was not registered by Temper, so nobody knows its test rows; export another one")
    stages = report_pages.kept_artifacts(version)
    if stages is None:
        raise StageError(
            f"{named}: the artifacts that it was made of, its test rows among them, are not on this machine; "
            f"`temper pull {version.name}/{version.version}` or `temper run` its recipe brings them"
        )
    facts: ReportFacts = json.loads(stages["evaluate"].file("report.json").read_text(encoding="utf-8"))
    samples = json.loads((stages["evaluate"].records / "samples.json").read_text(encoding="utf-8"))
    folder = models.model_folder(str(version.name), str(version.version))
    return Origin(version, folder, facts, samples, stages)


def save_model(origin: Origin, folder: Path, target: Path, serves: tuple[str, ...]) -> Path:
    """An exported model's files as a folder that mlflow.pyfunc loads."""
    with tempfile.TemporaryDirectory() as scratch:
        mlflow.pyfunc.save_model(path=str(target), **_packed(origin, folder, Path(scratch), serves))
    return target


def _packed(origin: Origin, folder: Path, scratch: Path, serves: tuple[str, ...]) -> model_package.Packed:
    package = f"temper_export_{origin.digest[:16]}"
    needed = [*BASE, *open_kind(str(origin.facts["kind"])).requirements, *serves]
    pinned = [f"{name}=={importlib.metadata.version(name)}" for name in dict.fromkeys(needed)]
    return model_package.pack(
        folder, scratch, package, model_package.Evaluated(origin.facts, origin.samples[:2]), pinned
    )


def ask(origin: Origin, uri: str, rows: pd.DataFrame, predictions: pd.DataFrame) -> tuple[pd.DataFrame, Floats]:
    """What the model at `uri` predicts for rows, as a table like `predictions`, and its net's scores; asked in a
    process of its own. Raises DataError where it does not load or cannot predict."""
    with tempfile.TemporaryDirectory() as scratch:
        scores = Path(scratch) / "scores.npy"
        table = rescore(uri, str(origin.facts["kind"]), rows, origin.how(), scores)
        return in_place(predictions, table), np.load(scores)


def ask_table(origin: Origin, uri: str, rows: pd.DataFrame, predictions: pd.DataFrame) -> pd.DataFrame:
    """The table of `ask` alone, of a model that gives no scores. Raises DataError as `ask` does."""
    return in_place(predictions, rescore(uri, str(origin.facts["kind"]), rows, origin.how()))


def cold_start(uri: str, content: Any) -> float:
    """Seconds from the start of a process to its first prediction."""
    given = json.dumps({"given": [content]})
    started = time.perf_counter()
    command = [sys.executable, "-c", COLD, uri]
    done = subprocess.run(
        command, input=given, capture_output=True, text=True, cwd=tempfile.gettempdir(), env=environment()
    )
    if done.returncode:
        raise StageError(f"{uri} does not start: {''.join(done.stderr.strip().splitlines()[-1:])}")
    return time.perf_counter() - started


def registered(client: MlflowClient, origin: Origin, route: str) -> ModelVersion | None:
    """The newest version that is this origin in this form; None where there is none."""
    tags = {EXPORT_OF: str(origin.version.version), EXPORT_ROUTE: route}
    return models.newest_version(client, str(origin.version.name), tags)


def keep_report(client: MlflowClient, origin: Origin, route: str, report: Mapping[str, Any], page: str) -> None:
    """Put a gate's report into the origin's run, whatever it came to."""
    stem = f"{report_pages.EXPORTS}/{origin.version.name}-{origin.version.version}-{route}"
    client.log_dict(str(origin.version.run_id), dict(report), f"{stem}.json")
    client.log_text(str(origin.version.run_id), page, f"{stem}.md")


def register(client: MlflowClient, origin: Origin, folder: Path, *, form: Form, gate: str) -> ModelVersion:
    """Log an exported model in its origin's run and register it as a version of the same model; gate: what its gate
    came to."""
    name, run_id = str(origin.version.name), str(origin.version.run_id)
    models.connect()
    with tempfile.TemporaryDirectory() as scratch:
        logged = model_package.log_packed(
            client, run_id, _packed(origin, folder, Path(scratch), form.serves), f"model-{form.route}"
        )
    tags = {EXPORT_OF: str(origin.version.version), EXPORT_ROUTE: form.route, EXPORT_GATE: gate}
    version = client.create_model_version(name, logged.model_uri, run_id, tags=tags, model_id=logged.model_id)
    about = f"Version {origin.version.version} of this model as {form.route}, made by `temper export`. {gate}."
    client.update_model_version(name, version.version, about)
    return version


def follow_champion(client: MlflowClient, origin: Origin, version: ModelVersion, ending: str) -> str | None:
    """Give the export of the champion its alias; which, or None where its origin is not the champion."""
    now = client.get_model_version(origin.version.name, origin.version.version)
    if CHAMPION not in now.aliases:
        return None
    alias = f"{CHAMPION}-{ending}"
    client.set_registered_model_alias(str(origin.version.name), alias, str(version.version))
    return alias
