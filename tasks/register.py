"""register: a model and its report come in; a version in the registry goes out, with an alias if it earned one."""

import json

from configs.literal import complete
from configs.schema import Register

from .artifact import Artifact, Version, lineage
from .cached import recorded_task

SCORES = ("accuracy", "macro_f1", "log_loss", "calibration_error")


@recorded_task
def register(links: dict[str, str], section: Register, model: Artifact, report: Artifact) -> Version:
    """Register the model once per digest, prove it in a fresh process, decide on its alias.

    A model that is registered already is found again and its aliases are left alone. Raises StageError.
    """
    from .tracking import models, promotion, registry, runs

    client = runs.client()
    facts = json.loads(report.file("report.json").read_text(encoding="utf-8"))
    scores = {name: float(facts[name]) for name in SCORES}
    known = models.find_version(client, section.model, model.digest)
    if known is not None and registry.VERDICT in known.tags:
        registry.note_scores(client, known, scores)
        verdict = f"registered before; then {known.tags[registry.VERDICT]}"
        return registry.describe(client, known, verdict, scores, facts, found=True)
    run_id = runs.complete_run(client, model, links)
    samples = json.loads((report.records / "samples.json").read_text(encoding="utf-8"))
    if known is None:
        example = [sample["text"] for sample in samples[:2]]
        known = models.log_version(client, section.model, run_id, model, example, facts["labels"])
    registry.log_records(client, run_id, lineage(report), {"register": complete(section)}, facts, scores)
    models.prove(f"models:/{section.model}/{known.version}", samples)
    with registry.deciding(section.model):
        verdict = promotion.decide(scores, section, promotion.champion_tags(client, section.model))
        registry.settle(client, known, verdict, scores, lineage(report))
    return registry.describe(client, known, verdict.text, scores, facts, found=False)
