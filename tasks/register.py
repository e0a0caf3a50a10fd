"""register: a model and its report come in; a version in the registry goes out, with an alias if it earned one."""

import json
from dataclasses import replace
from typing import TYPE_CHECKING

from configs.literal import complete
from configs.schema import Register

from .artifact import Artifact, Version, lineage
from .cached import recorded_task
from .documents import ReportFacts
from .store.events import Event, emit
from .tracking import lookup
from .tracking.write_locks import turn

if TYPE_CHECKING:
    from .tracking.lookup import Settled
    from .tracking.promotion import Verdict

SHORT = 100
"""Characters of a text that stands on one line of a terminal."""


@recorded_task
def register(links: dict[str, str], section: Register, model: Artifact, report: Artifact) -> Version:
    """Register the model once per digest, prove it in a fresh process, decide on its alias.

    A model that is registered already is found again and its aliases are left alone, but for one that its test rows
    left undecided: on other test rows it is judged again. Raises StageError.
    """
    facts: ReportFacts = json.loads(report.file("report.json").read_text(encoding="utf-8"))
    scores = facts["scores"]
    with turn("registering", section.model, model.digest, waiting=_tell_waiting):
        known = lookup.registered(section.model, model.digest, scores, links)
        known = lookup.still_valid(known, report.digest)
        is_known = known is not None
        if known is None:
            known = _register(links, section, model, report, facts)
    return Version(
        name=section.model,
        version=known["version"],
        aliases=tuple(known["aliases"]),
        verdict=known["verdict"],
        run_id=known["run_id"],
        metrics=scores,
        report=facts,
        test_evaluations=known["test_evaluations"],
        links=known["links"],
        changed=known["changed"],
        known=is_known,
        example=_example(report),
    )


def _example(report: Artifact) -> str | None:
    """The first short test text among the report's samples, to be tried in the terminal."""
    samples = json.loads((report.records / "samples.json").read_text(encoding="utf-8"))
    texts = [sample["text"] for sample in samples if isinstance(sample.get("text"), str)]
    return next((text for text in texts if 0 < len(text) <= SHORT and text.isprintable()), None)


def _tell_waiting() -> None:
    emit(Event("register", "note", "another process registers this model; waiting"))


def _register(
    links: dict[str, str], section: Register, model: Artifact, report: Artifact, facts: ReportFacts
) -> "Settled":
    from .tracking import (
        claims,
        descriptions,
        evidence,
        model_package,
        models,
        proof,
        registry,
        report_pages,
        run_data,
        runs,
    )

    with proof.prover() as process:  # it loads its libraries while the model is logged
        client, stages = runs.client(), lineage(report)
        samples = json.loads((report.records / "samples.json").read_text(encoding="utf-8"))
        run_id = runs.complete_run(client, model, links)
        version = models.find_version(client, section.model, model.digest)
        if version is None:
            evaluated = model_package.Evaluated(facts, samples[:2])
            version = models.log_version(client, section.model, run_id, model, evaluated)
        runs.require_active(client, str(version.run_id), f"{section.model} version {version.version}")
        recipe = links.get("temper.recipe", section.model)
        registration = descriptions.Registration(version, stages, facts, links)
        registry.log_records(client, registration, {"register": complete(section)}, recipe)
        evidence.log_rows(client, run_id, stages)
        run_data.log_data(client, run_id, stages)
        registration = replace(registration, test_evaluations=run_data.open_test_split(client, run_id, stages))
        proof.require_described(client, version)
        proof.prove(process, f"models:/{section.model}/{version.version}", facts["kind"], samples)

    def decide() -> "Verdict":
        verdict, gathered = evidence.judge(client, section, version, stages=stages, facts=facts)
        registry.settle(client, registration, verdict, gathered)
        return verdict

    with registry.deciding(section.model):
        verdict = claims.until_unmoved(decide)
    report_pages.log_page(client, version, stages, verdict.text)
    return registry.state(client, version, verdict.text)
