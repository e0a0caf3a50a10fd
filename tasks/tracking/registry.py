"""What a registered version says of itself: records in its run, scores and verdict in its tags, its alias."""

import json
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml
from mlflow import MlflowClient
from mlflow.entities import Param, RunTag
from mlflow.entities.model_registry import ModelVersion

from configs.encodings import READS
from configs.settings import settings

from ..artifact import Artifact
from ..store.lock import locked
from . import decisions, models, runs
from .promotion import CHAMPION, SCORE, Evidence, Verdict
from .runs import flat

VERDICT = "temper.verdict"
DIGEST = "temper.digest."
"""Prefix of a version's tags that hold the digests of what it was made of, by stage."""
OPENINGS = "temper.test_openings"
"""Tag of a version: how many models had been scored on its test rows when it was registered, itself included."""
ORDER = ("download", "validate", "clean", "split", "encode", "train", "evaluate")


def log_records(
    client: MlflowClient,
    run_id: str,
    stages: Mapping[str, Artifact],
    last: Mapping[str, Any],
    facts: Mapping[str, Any],
    scores: Mapping[str, float],
) -> None:
    """Put every stage's summary and pictures, the recipe, the mask certificate and the report into the run.

    A run belongs to a training, and MLflow's parameters cannot change: where the same training is evaluated or
    registered otherwise later, what differs becomes a tag of the parameter's name.
    """
    sections = {stage: stages[stage].manifest()["section"] for stage in ORDER if stage in stages} | dict(last)
    with tempfile.TemporaryDirectory() as scratch:
        for number, stage in enumerate([stage for stage in ORDER if stage in stages], 1):
            client.log_artifacts(run_id, str(stages[stage].records), f"{number}-{stage}")
        recipe = Path(scratch) / "recipe.yaml"
        recipe.write_text(yaml.safe_dump(sections, sort_keys=False, allow_unicode=True), encoding="utf-8")
        client.log_artifact(run_id, str(recipe))
        certificate = stages["encode"].file("certificate.json") if "encode" in stages else Path()
        if certificate.is_file():  # images have no mask
            client.log_artifact(run_id, str(certificate))
        report = Path(scratch) / "report.json"
        report.write_text(json.dumps(facts, indent=1), encoding="utf-8")
        client.log_artifact(run_id, str(report))
    values = {f"test.{name}": value for name, value in scores.items()}
    for name, baseline in facts["baselines"].items():
        values |= {f"baseline.{name}.{metric}": value for metric, value in baseline.items()}
    runs.log_values(client, run_id, values)
    late = {f"{stage}{name}": v for stage in ("evaluate", "register") for name, v in flat(sections[stage])}
    known = client.get_run(run_id).data.params
    fresh = [Param(name, str(value)) for name, value in late.items() if name not in known]
    other = [RunTag(name, str(value)) for name, value in late.items() if known.get(name, str(value)) != str(value)]
    client.log_batch(run_id, params=fresh, tags=other)


@contextmanager
def deciding(name: str) -> Iterator[None]:
    """One decision about a model at a time on this machine."""
    with locked(settings().mlruns / f"{name}.lock"):
        yield


def settle(
    client: MlflowClient,
    version: ModelVersion,
    verdict: Verdict,
    evidence: Evidence | None,
    *,
    scores: Mapping[str, float],
    stages: Mapping[str, Artifact],
    openings: int,
) -> None:
    """Write scores, digests and the decision, move the alias, and the verdict last: a version without one is not
    settled. Raises StageError where the champion is no longer the one that the evidence is about."""
    note_scores(client, version, scores)
    content = READS[stages["encode"].manifest()["section"]["kind"]][0] if "encode" in stages else "text"
    client.set_model_version_tag(version.name, version.version, OPENINGS, str(openings))
    for stage, artifact in stages.items():
        client.set_model_version_tag(version.name, version.version, f"{DIGEST}{stage}", artifact.digest)
    client.update_model_version(version.name, version.version, _description(verdict, scores, openings, content))
    before = evidence.champion if evidence is not None else None
    after = str(version.version) if verdict.decided == "promoted" else before
    made = decisions.entry("register", str(version.version), before=before, after=after, decided=verdict.decided,
                           why=verdict.reason)  # fmt: skip
    rests_on = evidence.record() if evidence is not None else None
    told = {"verdict": verdict.text, "more": verdict.more, "scores": dict(scores), "evidence": rests_on}
    decisions.keep(client, version, made, told)
    decisions.apply(client, version.name, made)
    client.set_model_version_tag(version.name, version.version, VERDICT, verdict.text)


def note_scores(client: MlflowClient, version: ModelVersion, scores: Mapping[str, float]) -> None:
    """Keep the test metrics on the version, where the next challenger meets them."""
    for name, value in scores.items():
        if version.tags.get(SCORE + name) != repr(value):
            client.set_model_version_tag(version.name, version.version, SCORE + name, repr(value))


def _description(verdict: Verdict, scores: Mapping[str, float], openings: int, content: str) -> str:
    measured = ", ".join(f"{name} {value:.4f}" for name, value in scores.items())
    takes = {"image": "images, in a column `image`", "text": "texts, or a table with a `text` column",
             "messages": "a dialogue, as {`messages`: […]} (MLflow's chat signature)"}[content]  # fmt: skip
    opened = f"{openings} model{'s have' if openings != 1 else ' has'} been scored on this test split so far"
    return f"Test rows: {measured} ({opened}).\n\nVerdict: {verdict.text}.\n\nTakes {takes}."


def settled(name: str, digest: str, scores: dict[str, float]) -> dict[str, Any] | None:
    """Version, run, aliases and verdict of a settled version of a model digest; its scores become these."""
    client = runs.client()
    known = models.find_version(client, name, digest)
    if known is None or VERDICT not in known.tags:
        return None
    note_scores(client, known, scores)
    return state(client, known, f"registered before; then {known.tags[VERDICT]}")


def state(client: MlflowClient, version: ModelVersion, verdict: str) -> dict[str, Any]:
    """A version as it stands now: version, run_id, aliases (champion first), verdict, openings; undecided_on: digest of
    the report that did not decide, else None."""
    now = client.get_model_version(version.name, version.version)
    aliases = sorted(now.aliases, key=lambda alias: (alias != CHAMPION, alias))
    return {
        "version": str(now.version),
        "run_id": str(now.run_id),
        "aliases": aliases,
        "verdict": verdict,
        "openings": int(now.tags.get(OPENINGS, 0)),
        "undecided_on": (
            now.tags.get(f"{DIGEST}evaluate") if now.tags.get(decisions.DECISION) == "undecided" else None
        ),
    }
