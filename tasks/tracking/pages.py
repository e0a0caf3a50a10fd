"""Addresses of MLflow's pages, as a browser opens them; None where only a database is known."""

from collections.abc import Iterable
from urllib.parse import quote

from mlflow import MlflowClient

from configs.settings import settings
from configs.stages import CACHED

SIDE = "?workflowType=machine_learning"
"""MLflow's pages are shown next to links to chats and traces, and none to models, unless the address states it."""


def run_page(client: MlflowClient, run_id: str) -> str | None:
    """The page of a run."""
    place = settings().mlflow_pages
    if place is None:
        return None
    return f"{place}/#/experiments/{client.get_run(run_id).info.experiment_id}/runs/{run_id}{SIDE}"


def stage_folders(stages: Iterable[str]) -> dict[str, str]:
    """By stage the folder of its records among a run's artifacts."""
    held = set(stages)
    return {stage: f"{number}-{stage}" for number, stage in enumerate([name for name in CACHED if name in held], 1)}


def picture(run_id: str, path: str) -> str:
    """The address of one of a run's artifacts from MLflow's own pages."""
    return f"get-artifact?path={quote(path, safe='')}&run_uuid={run_id}"


def version_page(name: str, version: str) -> str | None:
    """The page of a registered version."""
    place = settings().mlflow_pages
    return None if place is None else f"{place}/#/models/{quote(name, safe='')}/versions/{version}{SIDE}"


def pages(client: MlflowClient, run_id: str, name: str, version: str) -> dict[str, str]:
    """Those of a version and its run that there are."""
    addresses = {"run": run_page(client, run_id), "version": version_page(name, version)}
    return {what: address for what, address in addresses.items() if address is not None}
