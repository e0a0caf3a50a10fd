"""Reports in MLflow: a version's page is logged in its run, and what a page states of the version is read there."""

import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import yaml
from mlflow import MlflowClient
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException

from configs.settings import settings

from ..artifact import Artifact, StageError, lineage
from ..report_page.page import build_page
from ..report_page.registration import Decision, Registration
from ..store.disk import find, newest_manifests
from . import decisions, models, registry, runs
from .named import find_named
from .wire_format import (
    EXPORT_GATE,
    EXPORT_OF,
    EXPORT_ROUTE,
    MODEL_DIGEST,
    RECIPE,
    REPORT_PAGES,
    STAGE_DIGEST,
    VERDICT,
)

EXPORTS = "exports"
"""Folder of a run with the reports of exports, of those that were refused too."""


def log_page(client: MlflowClient, version: ModelVersion, stages: Mapping[str, Artifact], verdict: str) -> None:
    """Put the page of a version that was just settled into its run."""
    name, text = kept_recipe(version)
    page = build_page(name, stages, text, _registration(client, version, verdict))
    client.log_text(str(version.run_id), page, _place(version))


def _place(version: ModelVersion) -> str:
    return f"{REPORT_PAGES}/{version.name}-{version.version}.html"


def find_version(asked: str) -> ModelVersion:
    """The version that NAME (its champion), NAME@alias or NAME/version means. Raises StageError."""
    named = find_named(asked)
    if not named.version:
        raise StageError(f"{asked} is no registered version; give NAME, NAME@alias or NAME/version")
    return runs.client().get_model_version(named.name, named.version)


def find_registration(name: str, digest: str) -> Registration | None:
    """What the registry states about the settled version of a model digest; None where there is none."""
    client = runs.client()
    version = models.find_version(client, name, digest)
    if version is None or VERDICT not in version.tags:
        return None
    return _registration(client, version, version.tags[VERDICT])


def registration(version: ModelVersion) -> Registration:
    """What the registry states about a version."""
    origin = version.tags.get(EXPORT_OF)
    if origin is None:
        return _registration(runs.client(), version, version.tags.get(VERDICT, "not settled"))
    route = version.tags.get(EXPORT_ROUTE, "")
    verdict = f"version {origin} as {route}: {version.tags.get(EXPORT_GATE, 'not settled')}"
    page = _read(version, f"{EXPORTS}/{version.name}-{origin}-{route}.md")
    return replace(_registration(runs.client(), version, verdict), export=page)


def _registration(client: MlflowClient, version: ModelVersion, verdict: str) -> Registration:
    now = registry.state(client, version, verdict)
    log = [
        Decision(entry.at, entry.version, entry.decided, entry.who, entry.why)
        for entry in decisions.entries(client, str(version.name))
    ]
    return Registration(
        name=str(version.name),
        version=now["version"],
        aliases=tuple(now["aliases"]),
        verdict=verdict,
        run_id=now["run_id"],
        test_evaluations=now["test_evaluations"],
        links=now["links"],
        changed=now["changed"],
        decisions=tuple(log),
    )


def kept_artifacts(version: ModelVersion) -> dict[str, Artifact] | None:
    """The artifacts that a version was made of, by stage, of an export those of its origin; None where they are not
    whole on this machine. Raises StageError where the origin of an export is gone."""
    version = _made_of(version)
    digest = version.tags.get(f"{STAGE_DIGEST}evaluate")
    root = settings().store
    for manifest in newest_manifests(root, "evaluate"):
        if manifest["digest"] != digest:
            continue
        try:
            report = find(root, "evaluate", manifest["key"])
            stages = {} if report is None else lineage(report)
        except (ValueError, StageError):  # damaged or deleted: another one of the same content may be whole
            continue
        if stages and stages["train"].digest == version.tags.get(MODEL_DIGEST):
            return stages
    return None


def _made_of(version: ModelVersion) -> ModelVersion:
    origin = version.tags.get(EXPORT_OF)
    if origin is None:
        return version
    try:
        return runs.client().get_model_version(version.name, origin)
    except MlflowException as error:
        raise StageError(
            f"{version.name} version {version.version} is an export of version {origin}, which is gone: "
            f"{str(error).splitlines()[0]}"
        ) from None


def kept_page(version: ModelVersion) -> str:
    """The page as it was when the version was registered. Raises StageError where its run has none, and for an export,
    which has a page of its own only where its origin's artifacts are."""
    if origin := version.tags.get(EXPORT_OF):
        raise StageError(
            f"{version.name} version {version.version} is an export of version {origin}, whose artifacts are not on "
            f"this machine; `temper report {version.name}/{origin}` writes the page of its registration"
        )
    return _read(version, _place(version))


def kept_recipe(version: ModelVersion) -> tuple[str, str]:
    """The recipe in a version's run: its name and its text. Raises StageError where its run has none."""
    text = _read(version, RECIPE)
    try:
        return str(yaml.safe_load(text)["name"]), text
    except (yaml.YAMLError, TypeError, KeyError):
        raise StageError(
            f"{version.name} version {version.version}: {RECIPE} in its run is no recipe with a name; restore it"
        ) from None


def _read(version: ModelVersion, path: str) -> str:
    try:
        with tempfile.TemporaryDirectory() as scratch:
            kept = runs.client().download_artifacts(str(version.run_id), path, scratch)
            return Path(kept).read_text(encoding="utf-8")
    except (MlflowException, OSError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise StageError(
            f"{version.name} version {version.version}: not all of its artifacts are on this machine, and its MLflow "
            f"run has no {path} ({reason}); `temper run` its recipe makes them again"
        ) from None
