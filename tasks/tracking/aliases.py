"""By hand: a person moves the champion, with a reason, or takes the last move back; and what happened so far."""

import math
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TypedDict, TypeVar

from mlflow import MlflowClient
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException

from configs.scores import present_scores

from ..artifact import StageError
from . import decisions, models, proof, registry, runs
from .decisions import ABSENT, Entry, champion
from .edited import kind_and_scores, number_tag, sample_rows
from .wire_format import CHAMPION, DECISION, EXPORT_GATE, EXPORT_OF, EXPORT_ROUTE, REPORT, SAMPLES, SCORE, VERDICT

T = TypeVar("T")


def promote(name: str, version: str, why: str) -> Entry:
    """Make a version champion against or without a verdict.

    What a person may overrule is a comparison or a threshold; not scores that are no numbers, a missing report or
    signature, or predictions in a fresh process that are not the report's. Raises StageError.
    """
    if not why.strip():
        raise StageError("a promotion by hand needs a reason: --why TEXT")
    client = runs.client()
    wanted = _version(client, name, version)
    if of := wanted.tags.get(EXPORT_OF):
        to = wanted.tags.get(EXPORT_ROUTE)
        raise StageError(
            f"{name} version {version} is version {of} as {to}; promote {of}, and "
            f"`temper export {name}/{of} --to {to}` gives its export the alias {CHAMPION}-{to}"
        )
    proof.require_described(client, wanted)
    with tempfile.TemporaryDirectory() as scratch:
        kind, scores = _read(client, wanted, REPORT, scratch, parse=kind_and_scores)
        odd = [score for score, value in scores.items() if not math.isfinite(value)]
        if odd:
            raise StageError(f"{name} version {version}: its {odd[0]} is not a number; no alias was moved")
        parse = partial(sample_rows, kind=kind)
        samples = _read(client, wanted, _samples(client, wanted), scratch, parse=parse)
        with proof.prover() as process:
            proof.prove(process, f"models:/{name}/{wanted.version}", kind, samples)
    with registry.deciding(name):
        before = _current(client, name)
        if before == str(wanted.version):
            raise StageError(f"version {version} is the champion of {name} already")
        entry = decisions.Entry(
            "promote",
            str(wanted.version),
            before=before,
            after=str(wanted.version),
            decided="promoted by hand",
            why=why,
        )
        return _carry_out(client, name, entry)


def rollback(name: str, why: str) -> Entry:
    """Make the previous champion champion again, in one step. Raises StageError where there was none.

    A deleted version is passed over; one that cannot be read any more stops the rollback. It was proven when it became
    champion, so that this takes no more than a moment.
    """
    client = runs.client()
    with registry.deciding(name):
        log, before = decisions.entries(client, name), _current(client, name)
        if before is None:
            raise StageError(f"{name} has no champion to take back")
        if gone := decisions.lost(_versions(client, name), log):
            raise StageError(
                f"{name}: {described_loss(gone)}, so nobody knows which version was champion before; no alias was "
                f"moved. Restore them, or `temper promote {name} VERSION --why …` makes a version champion"
            )
        for after in reversed(decisions.succession(log, before)[:-1]):
            if after != before and _exists(client, name, after):
                break
        else:
            raise StageError(f"version {before} is the first champion of {name}; there is none before to go back to")
        proof.require_described(client, _version(client, name, after))
        entry = decisions.Entry("rollback", before, before=before, after=after, decided="rolled back", why=why)
        return _carry_out(client, name, entry)


def _carry_out(client: MlflowClient, name: str, entry: Entry) -> Entry:
    decisions.apply(client, name, entry)
    return entry


def described_loss(gone: Sequence[str]) -> str:
    """What is stated about versions (numbers) whose decisions are lost."""
    plural = "s" * (len(gone) > 1)
    return (
        f"what was decided about version{plural} {', '.join(gone)} is lost, since the files of the MLflow run{plural} "
        "(`decisions/`) were deleted"
    )


class VersionLine(TypedDict):
    """A version of a model; created: in seconds since 1970."""

    version: str
    aliases: list[str]
    verdict: str | None
    decision: str | None
    scores: dict[str, float]
    run_id: str | None
    created: int


class History(TypedDict):
    """The JSON document of `temper history`; decisions: the fields of decisions.Entry; lost: numbers of the versions
    whose decisions were deleted."""

    model: str
    champion: str | None
    versions: list[VersionLine]
    decisions: list[dict[str, str | None]]
    lost: list[str]


def history(name: str) -> History:
    """Versions and decisions of a model, oldest first. Raises StageError."""
    client = runs.client()
    log = decisions.entries(client, name)
    versions = _versions(client, name)
    return {
        "model": name,
        "champion": _current(client, name),
        "versions": [
            {
                "version": str(version.version),
                "aliases": sorted(version.aliases),
                "verdict": version.tags.get(VERDICT) or _as_exported(version),
                "decision": version.tags.get(DECISION),
                "scores": present_scores(
                    (tag.removeprefix(SCORE), number_tag(version, tag, float))
                    for tag in version.tags
                    if tag.startswith(SCORE)
                ),
                "run_id": version.run_id,
                "created": version.creation_timestamp // 1000,
            }
            for version in versions
        ],
        "decisions": [asdict(entry) for entry in log],
        "lost": decisions.lost(versions, log),
    }


def _as_exported(version: ModelVersion) -> str | None:
    """What a version that is another one in another form is; None of any other."""
    of, to, seen = (version.tags.get(tag) for tag in (EXPORT_OF, EXPORT_ROUTE, EXPORT_GATE))
    return f"version {of} as {to}: {seen}" if of else None


def _versions(client: MlflowClient, name: str) -> list[ModelVersion]:
    """The versions of a model, with their aliases, in order."""
    known = client.search_model_versions(f"name = '{name}'")
    numbers = sorted((version.version for version in known), key=int)
    return [client.get_model_version(name, number) for number in numbers]


def _current(client: MlflowClient, name: str) -> str | None:
    current = champion(client, name)
    return None if current is None else str(current.version)


def _version(client: MlflowClient, name: str, version: str) -> ModelVersion:
    try:
        return client.get_model_version(name, version)
    except MlflowException as error:
        if error.error_code in ABSENT:
            raise StageError(f"{name} has no version {version}; `temper history {name}` lists them") from None
        raise


def _exists(client: MlflowClient, name: str, version: str) -> bool:
    """Whether a version was not deleted since."""
    return version in {str(version.version) for version in client.search_model_versions(f"name = '{name}'")}


def _samples(client: MlflowClient, version: ModelVersion) -> str:
    """Path of the report's sample rows in a run, below the folder of `evaluate`, whose number depends on the recipe."""
    folders = [item.path for item in client.list_artifacts(str(version.run_id)) if item.path.endswith("-evaluate")]
    return f"{folders[0] if folders else 'evaluate'}/{SAMPLES}"


def _read(client: MlflowClient, version: ModelVersion, path: str, scratch: str, *, parse: Callable[[Path], T]) -> T:
    try:
        return parse(Path(client.download_artifacts(str(version.run_id), path, scratch)))
    except (MlflowException, OSError, ValueError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise StageError(
            f"{version.name} version {version.version}: {path} in its run cannot be read "
            f"({reason}); no alias was moved. {models.RESTORE}"
        ) from None
