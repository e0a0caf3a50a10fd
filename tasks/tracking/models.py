"""A trained model -> a version in the MLflow registry that carries its code."""

import re
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import mlflow
import pandas as pd
from mlflow import MlflowClient
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException
from mlflow.models import Model

from configs.settings import settings

from ..artifact import Artifact, StageError
from . import model_package, runs
from .wire_format import ARTIFACT, IMAGE, MESSAGES, MODEL_DIGEST, TEXT, TEXT_PAIR, DialoguePredictor, Served

HEX = re.compile("[0-9a-f]{16,64}")
RESTORE = "If its files were deleted, restore them, or `temper run` its recipe, which registers it again"
"""The fix where the files of a version or of its run are gone."""


def connect() -> None:
    """Point mlflow at the store of the settings."""
    mlflow.set_tracking_uri(settings().tracking)
    mlflow.set_registry_uri(settings().tracking)


def load_model(name: str, *contents: str) -> Any:
    """Load NAME (its champion), NAME@alias, NAME/version or a models:/ address, to be given one of the contents (text,
    image, messages).

    Raises StageError where it cannot be loaded, or takes another.
    """
    address = name if name.startswith("models:/") else f"models:/{name}"
    if not set("@/") & set(address.removeprefix("models:/")):
        address += "@champion"
    connect()
    try:
        model = mlflow.pyfunc.load_model(address)
    except (MlflowException, OSError) as error:
        reason = str(error).splitlines()[0]
        gone = "No such artifact" in reason or isinstance(error, FileNotFoundError)
        fix = f". {RESTORE}" if gone else ""
        raise StageError(f"{address} cannot be loaded from {settings().shown_tracking}: {reason}{fix}") from None
    if model.metadata.signature is None or model.metadata.signature.inputs is None:
        raise StageError(
            f"{address} has no signature, so nobody knows what it takes: it was not registered by Temper; "
            "name another version, or register it again with a signature"
        )
    if (takes := content_of(model)) not in contents:
        fix = {
            "image": "give it an image file",
            "text": "give it a text",
            "messages": "use `temper chat`, or give it a file of dialogues",
        }[takes]
        raise StageError(f"{address} takes {takes}{'' if takes == 'messages' else 's'}; {fix}")
    return model


def dialogue_predictor(name: str) -> DialoguePredictor:
    """What of a registered dialogue model generates its turns. Raises StageError where it is none of Temper's."""
    predictor: DialoguePredictor = predictor_of(load_model(name, MESSAGES), name)
    return predictor


def content_of(model: Any) -> str:
    """What a loaded model takes: text, image or messages."""
    named = model.metadata.signature.inputs.input_names()
    return next((name for name in (IMAGE, MESSAGES) if name in named), TEXT)


def takes_pairs(model: Any) -> bool:
    """Whether a loaded model takes pairs of texts."""
    return TEXT_PAIR in model.metadata.signature.inputs.input_names()


def predictor_of(model: Any, name: str) -> Any:
    """The predictor in a loaded model. Raises StageError where it is none of Temper's."""
    try:
        served: Served = model.unwrap_python_model()
        return served.predictor
    except (AttributeError, MlflowException):
        raise StageError(
            f"{name} was not registered by Temper, so `temper chat` cannot talk to it; ask over HTTP "
            f"(`temper serve {name}`)"
        ) from None


def model_folder(name: str, version: str) -> Path:
    """The files of a registered version (a number, or an alias), as training wrote them.

    Raises StageError where there is no such version, or its files are not there.
    """
    client, folder = runs.client(), settings().store / "registered"
    try:
        known = named_version(client, name, version)
        connect()
        tagged = known.tags.get(MODEL_DIGEST, "")
        digest = tagged if HEX.fullmatch(tagged) else f"{name}-{known.version}"  # others write tags too: never a path
        root = Path(
            mlflow.artifacts.download_artifacts(f"models:/{name}/{known.version}", dst_path=str(folder / digest))
        )
    except (MlflowException, OSError) as error:
        raise _not_had(name, version, error) from None
    model = Model.load(str(root))
    return root / str(model.flavors["python_function"]["artifacts"][ARTIFACT]["path"])


def named_version(client: MlflowClient, name: str, version: str) -> ModelVersion:
    """A version by its number, or by an alias. Raises MlflowException."""
    return (
        client.get_model_version(name, version)
        if version.isdigit()
        else client.get_model_version_by_alias(name, version)
    )


def version_number(name: str, version: str) -> str:
    """The number of a registered version, itself or by an alias. Raises StageError where there is no such version."""
    try:
        return str(named_version(runs.client(), name, version).version)
    except MlflowException as error:
        raise _not_had(name, version, error) from None


def _not_had(name: str, version: str, error: Exception) -> StageError:
    reason, place = str(error).splitlines()[0], settings().shown_tracking
    return StageError(
        f"the registered model {name} {version} cannot be had from {place}: {reason}; run the recipe that makes it"
    )


def answer(model: Any, contents: Any) -> pd.DataFrame:
    """A loaded model's predictions. Raises StageError where it cannot read what it is given, or gives no table."""
    try:
        predictions: Any = model.predict(contents)
    except Exception as error:  # a model that Temper did not register may raise anything
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        if isinstance(error, ValueError | MlflowException):
            raise StageError(reason) from None
        raise StageError(f"the model fails on what it is given ({type(error).__name__}: {reason})") from None
    if not isinstance(predictions, pd.DataFrame):
        raise StageError(
            f"the model predicts {type(predictions).__name__}, not a table: it was not registered by "
            "Temper; load it with mlflow.pyfunc instead"
        )
    return predictions


def find_version(client: MlflowClient, name: str, digest: str) -> ModelVersion | None:
    """The newest version of this model digest whose files are still there."""
    return newest_version(client, name, {MODEL_DIGEST: digest})


def newest_version(client: MlflowClient, name: str, tags: Mapping[str, str]) -> ModelVersion | None:
    """The newest version with all these tags whose files are still there."""
    fitting = [
        version
        for version in client.search_model_versions(f"name = '{name}'")
        if tags.items() <= version.tags.items() and has_files(client, version)
    ]
    return max(fitting, key=lambda version: int(version.version), default=None)


def has_files(client: MlflowClient, version: ModelVersion) -> bool:
    """Whether a locally stored version is where the registry says (a moved repository leaves old paths behind)."""
    local = local_folder(client.get_model_version_download_uri(version.name, version.version))
    return local is None or (local / "MLmodel").is_file()


def local_folder(address: str) -> Path | None:
    """The folder behind a path or a file:// address; None where a server or another store has it."""
    if address.startswith("file://"):
        return Path(unquote(urlsplit(address).path))
    return Path(address) if address.startswith("/") else None


def log_version(
    client: MlflowClient, name: str, run_id: str, model: Artifact, evaluated: model_package.Evaluated
) -> ModelVersion:
    """Log the model with its own code, signature, example and pinned requirements, and register it."""
    connect()
    folder = model.file("config.json").parent
    needed = model_package.requirements(str(evaluated.facts["kind"]), folder / "config.json")
    with tempfile.TemporaryDirectory() as scratch:
        package = f"temper_model_{model.digest[:16]}"
        packed = model_package.pack(folder, Path(scratch), package, evaluated, needed)
        logged = model_package.log_packed(client, run_id, packed)
    try:
        client.create_registered_model(name)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    return client.create_model_version(
        name, logged.model_uri, run_id, tags={MODEL_DIGEST: model.digest}, model_id=logged.model_id
    )
