"""Registered versions that have an alias, and MLflow runs that were deleted: what `temper gc` asks of MLflow."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator

from mlflow import MlflowClient
from mlflow.entities import Run, ViewType
from mlflow.entities.model_registry import RegisteredModel
from mlflow.exceptions import MlflowException

from configs.settings import settings

from ..artifact import StageError
from . import runs
from .decisions import ABSENT
from .wire_format import STAGE_DIGEST

PATIENCE = 600.0
"""Seconds that MLflow may take to delete."""


def aliased_versions() -> Iterator[tuple[str, dict[str, str]]]:
    """Every registered version with an alias: its name in words, and the digests of what it was made of, by stage."""
    client = runs.client()
    for model in _models(client):
        by_version: dict[str, list[str]] = {}
        for alias, version in model.aliases.items():
            by_version.setdefault(str(version), []).append(alias)
        for number, aliases in by_version.items():
            try:
                tags = client.get_model_version(model.name, number).tags
            except MlflowException as error:
                if error.error_code in ABSENT:  # an alias that points to a version that was deleted
                    continue
                raise
            digests = {
                name.removeprefix(STAGE_DIGEST): value for name, value in tags.items() if name.startswith(STAGE_DIGEST)
            }
            yield f"{model.name} version {number} @{' @'.join(sorted(aliases))}", digests


def _models(client: MlflowClient) -> Iterator[RegisteredModel]:
    token = None
    while True:
        page = client.search_registered_models(page_token=token)
        yield from page
        if not (token := page.token):
            return


def deleted_runs(older_than: float) -> list[str]:
    """Ids of runs that a person deleted in MLflow more than so many seconds ago, and that no version rests on."""
    client, before = runs.client(), (time.time() - older_than) * 1000
    return [
        str(run.info.run_id)
        for run in _deleted(client)
        if _ended(run) < before and not client.search_model_versions(f"run_id = '{run.info.run_id}'")
    ]


def _ended(run: Run) -> int:
    """When it was over, in milliseconds: MLflow's clients are not given the moment of its deletion."""
    return int(run.info.end_time or run.info.start_time)


def _deleted(client: MlflowClient) -> Iterator[Run]:
    experiments = [
        experiment.experiment_id for experiment in client.search_experiments(ViewType.ALL, max_results=10_000)
    ]
    token = None
    while experiments:
        page = client.search_runs(experiments, run_view_type=ViewType.DELETED_ONLY, page_token=token)
        yield from page
        if not (token := page.token):
            return


def remove_deleted(run_ids: list[str]) -> None:
    """Delete these runs and their files for good, by `mlflow gc`, which works on the database itself.

    Raises StageError.
    """
    command = [
        sys.executable,
        "-m",
        "mlflow",
        "gc",
        "--backend-store-uri",
        settings().database,
        "--run-ids",
        ",".join(run_ids),
    ]
    env = os.environ | {"MLFLOW_TRACKING_URI": settings().database}
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=PATIENCE)
    if done.returncode:
        raise StageError(f"`mlflow gc` ended with code {done.returncode}: {done.stderr.strip()[-500:]}")
