"""What a registered version states about itself: records in its run, scores and verdict in its tags, its alias."""

import json
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mlflow import MlflowClient
from mlflow.entities.model_registry import ModelVersion

from configs.stages import CACHED

from ..artifact import Artifact
from ..report_page.recipe_text import write_recipe
from . import datasets, decisions, descriptions, keys, models, pages, runs
from .descriptions import Registration
from .edited import number_tag
from .lookup import BEFORE, Settled
from .params import flat
from .promotion import Evidence, Verdict
from .wire_format import CHAMPION, DECISION, RECIPE, REPORT, SCORE, STAGE_DIGEST, TEST_EVALUATIONS, VERDICT
from .write_locks import turn


def log_records(client: MlflowClient, registration: Registration, last: Mapping[str, Any], recipe: str) -> None:
    """Put every stage's summary and pictures, the recipe, the mask certificate and the report into a version's run.

    A run belongs to a training, and MLflow's parameters cannot change: where the same training is evaluated or
    registered otherwise later, what differs becomes a tag of the parameter's name.
    """
    version, stages, facts = registration.version, registration.stages, registration.facts
    run_id = str(version.run_id)
    sections = {stage: stages[stage].manifest()["section"] for stage in CACHED if stage in stages} | dict(last)
    with tempfile.TemporaryDirectory() as scratch:
        for stage, folder in pages.stage_folders(stages).items():
            client.log_artifacts(run_id, str(stages[stage].records), folder)
        whole = Path(scratch) / RECIPE
        whole.write_text(write_recipe(recipe, stages, last), encoding="utf-8")
        client.log_artifact(run_id, str(whole))
        certificate = stages["encode"].file("certificate.json") if "encode" in stages else Path()
        if certificate.is_file():  # images have no mask
            client.log_artifact(run_id, str(certificate))
        report = Path(scratch) / REPORT
        report.write_text(json.dumps(facts, indent=1), encoding="utf-8")
        client.log_artifact(run_id, str(report))
    _log_scores(client, version, stages, facts)
    late = {f"{stage}{name}": v for stage in ("evaluate", "register") for name, v in flat(sections[stage])}
    keys.log_params(client, run_id, late)
    known = client.get_run(run_id).data.params
    other = {name: value for name, value in keys.params(late).items() if known[name] != value}
    keys.log_tags(client, run_id, other)


def _log_scores(
    client: MlflowClient, version: ModelVersion, stages: Mapping[str, Artifact], facts: Mapping[str, Any]
) -> None:
    """The test scores, in the run and on the logged model next to the dataset that they are of; the baselines' behind
    them."""
    measured_on, source = None, str(version.source)  # a version's own model_id stays empty in a database
    if source.startswith("models:/m-") and "split" in stages:
        test = datasets.dataset("test", stages)
        measured_on = {
            "model_id": source.removeprefix("models:/"),
            "dataset_name": test.name,
            "dataset_digest": test.digest,
        }
    scores = {f"test.{name}": value for name, value in facts["scores"].items()}
    runs.log_values(client, str(version.run_id), scores, measured_on)
    values: dict[str, float] = {}
    for name, baseline in facts["baselines"].items():
        values |= {f"baseline.{name}.{metric}": value for metric, value in baseline.items()}
    runs.log_values(client, str(version.run_id), values)


@contextmanager
def deciding(name: str) -> Iterator[None]:
    """One decision about a model at a time on this machine."""
    with turn("deciding", name):
        yield


def settle(client: MlflowClient, registration: Registration, verdict: Verdict, evidence: Evidence | None) -> None:
    """Write scores, digests and the decision, move the alias, and the verdict last: a version without one is not
    settled. Raises StageError where the champion is no longer the one that the evidence is about."""
    version, scores = registration.version, registration.facts["scores"]
    note_scores(client, version, scores)
    client.set_model_version_tag(version.name, version.version, TEST_EVALUATIONS, str(registration.test_evaluations))
    for stage, artifact in registration.stages.items():
        client.set_model_version_tag(version.name, version.version, f"{STAGE_DIGEST}{stage}", artifact.digest)
    descriptions.describe(client, registration, verdict.text)
    before = evidence.champion if evidence is not None else None
    after = str(version.version) if verdict.decided == "promoted" else before
    entry = decisions.Entry(
        "register", str(version.version), before=before, after=after, decided=verdict.decided, why=verdict.reason
    )
    rests_on = evidence.record() if evidence is not None else None
    record = {"verdict": verdict.text, "more": verdict.more, "scores": dict(scores), "evidence": rests_on}
    decisions.apply(client, version.name, entry, record)
    client.set_model_version_tag(version.name, version.version, VERDICT, verdict.text)


def note_scores(client: MlflowClient, version: ModelVersion, scores: Mapping[str, float]) -> None:
    """Keep the test metrics on the version, where the next challenger meets them."""
    for name, value in scores.items():
        if version.tags.get(tag := keys.key(SCORE + name)) != repr(value):
            client.set_model_version_tag(version.name, version.version, tag, repr(value))


def settled(name: str, digest: str, scores: dict[str, float], links: dict[str, str]) -> Settled | None:
    """Version, run, aliases and verdict of a settled version of a model digest; its scores become these, and the flow
    run leaves its links on the version's run."""
    client = runs.client()
    known = models.find_version(client, name, digest)
    if known is None or VERDICT not in known.tags:
        return None
    if known.run_id:
        runs.require_active(client, str(known.run_id), f"{name} version {known.version}")
    note_scores(client, known, scores)
    if known.run_id:
        runs.mark(client, str(known.run_id), links)
    return state(client, known, BEFORE + known.tags[VERDICT])


def state(client: MlflowClient, version: ModelVersion, verdict: str) -> Settled:
    """A version as it stands now, with this verdict."""
    now = client.get_model_version(version.name, version.version)
    aliases = sorted(now.aliases, key=lambda alias: (alias != CHAMPION, alias))
    return {
        "version": str(now.version),
        "run_id": str(now.run_id),
        "aliases": aliases,
        "verdict": verdict,
        "test_evaluations": number_tag(now, TEST_EVALUATIONS, int) if TEST_EVALUATIONS in now.tags else 0,
        "links": pages.pages(client, str(now.run_id), now.name, str(now.version)) if now.run_id else {},
        "changed": decisions.changed(client, now),
        "undecided_on": (now.tags.get(f"{STAGE_DIGEST}evaluate") if now.tags.get(DECISION) == "undecided" else None),
    }
