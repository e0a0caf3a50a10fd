"""A registered model by its name: which version is meant, what it predicts, what it needs, how it is asked."""

import importlib.metadata
import json
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mlflow
from mlflow.exceptions import MlflowException
from mlflow.models import Model
from packaging.requirements import InvalidRequirement, Requirement

from configs.settings import settings

from ..artifact import StageError
from .models import connect
from .wire_format import CHAMPION, MODEL_DIGEST

LIBRARIES = ("torch", "transformers", "numpy", "pandas")
"""What the last digits of a prediction depend on."""


@dataclass(frozen=True)
class Named:
    """A model's version: `uri` names this very one, whatever its alias points to later."""

    name: str
    version: str
    digest: str
    uri: str

    def identity(self) -> dict[str, object]:
        """What its predictions depend on, next to the questions."""
        libraries = {name: importlib.metadata.version(name) for name in LIBRARIES}
        return {"model": self.name, "version": self.version, "digest": self.digest, "libraries": libraries}

    def __str__(self) -> str:
        return f"{self.name} version {self.version}" if self.version else self.uri


def find_named(asked: str) -> Named:
    """The version that NAME (its champion), NAME@alias, NAME/version or a models:/ address means.

    Raises StageError where there is none, saying what there is.
    """
    connect()
    name_asked = asked.removeprefix("models:/")
    name, alias, number = _parts(name_asked)
    client = mlflow.MlflowClient()
    try:
        if asked.startswith("models:/m-") and not (alias or number):
            return Named(asked, "", name_asked, asked)
        if number:
            model_version = client.get_model_version(name, number)
        else:
            model_version = client.get_model_version_by_alias(name, alias or CHAMPION)
    except (MlflowException, OSError) as error:
        address, reason = f"models:/{name}{f'/{number}' if number else f'@{alias or CHAMPION}'}", str(error)
        raise StageError(
            f"{address} cannot be loaded from {settings().tracking}: {reason.splitlines()[0]}{_there_is(client, name)}"
        ) from None
    version = str(model_version.version)
    return Named(
        name, version, model_version.tags.get(MODEL_DIGEST) or model_version.source, f"models:/{name}/{version}"
    )


def trained_columns(named: Named) -> dict[str, str]:
    """Columns of the source that a version was trained on, by their keys in `download.columns`; empty where its run
    does not say."""
    if not named.version:
        return {}
    client, before = mlflow.MlflowClient(), "download.columns."
    try:
        params = client.get_run(str(client.get_model_version(named.name, named.version).run_id)).data.params
    except MlflowException:  # the run was deleted
        return {}
    return {key.removeprefix(before): value for key, value in params.items() if key.startswith(before)}


def _parts(name_asked: str) -> tuple[str, str, str]:
    """Name, alias and number; of the last two one is empty at least."""
    if "@" in name_asked:
        name, _, alias = name_asked.partition("@")
        return name, alias, ""
    name, _, number = name_asked.partition("/")
    return name, "", number


def _there_is(client: Any, name: str) -> str:
    """The versions and aliases of a model, or the names of models, to choose from."""
    try:
        versions = client.search_model_versions(f"name = '{name}'")
        if versions:
            numbers = ", ".join(sorted((str(version.version) for version in versions), key=int))
            aliases = ", ".join(sorted(f"@{alias}" for alias in client.get_registered_model(name).aliases))
            return f"; there is {name}/{numbers}{f' and {aliases}' if aliases else ''}"
        known = ", ".join(model.name for model in client.search_registered_models(max_results=8))
    except (MlflowException, OSError):
        return ""
    return f"; there is {known}" if known else "; no model is registered there"


def answers_of(model: Any) -> dict[str, str]:
    """Columns of a loaded model's predictions and MLflow's types of them; empty where it does not say."""
    outputs = model.metadata.get_output_schema()
    if outputs is None or not outputs.has_input_names():
        return {}
    return {str(column.name): str(getattr(column.type, "name", column.type)) for column in outputs.inputs}


@dataclass(frozen=True)
class Packed:
    """What MLflow's server needs to know of a model: its pinned packages, and a request that it takes."""

    requirements: tuple[str, ...]
    example: dict[str, Any]


def read_packed(named: Named) -> Packed:
    """Fetch the model's description. Raises StageError where it is not there."""

    def fetch(name: str, folder: str) -> Path:
        return Path(mlflow.artifacts.download_artifacts(f"{named.uri}/{name}", dst_path=folder))

    try:
        with tempfile.TemporaryDirectory() as scratch:
            example = Model.load(str(fetch("MLmodel", scratch))).saved_input_example_info or {}
            asked = example.get("serving_input_path")
            body = json.loads(fetch(asked, scratch).read_text(encoding="utf-8")) if asked else {}
            lines = fetch("requirements.txt", scratch).read_text(encoding="utf-8").splitlines()
    except (MlflowException, OSError, ValueError) as error:
        raise StageError(
            f"{named}: its files cannot be read from {settings().tracking}: "
            f"{str(error).splitlines()[0]}; run the recipe that makes it"
        ) from None
    plain = (line.split("#")[0].strip() for line in lines)
    return Packed(tuple(line for line in plain if line), body)


def mismatches(requirements: tuple[str, ...]) -> list[str]:
    """How the running environment differs from pinned requirements, a line for each package."""
    differing = []
    for line in requirements:
        try:
            wanted = Requirement(line)
        except InvalidRequirement:
            differing.append(f"{line}: not a requirement that can be compared")
            continue
        if wanted.marker is not None and not wanted.marker.evaluate():
            continue
        try:
            here = importlib.metadata.version(wanted.name)
        except importlib.metadata.PackageNotFoundError:
            differing.append(f"{line}: not installed")
            continue
        if not wanted.specifier.contains(here, prereleases=True):
            differing.append(f"{line}: here is {here}")
    return differing
