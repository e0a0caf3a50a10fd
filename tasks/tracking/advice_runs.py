"""Advice in MLflow: one parent run with measures and race, and the runs of its trainings as children."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from . import keys, runs
from .comparison_runs import adopt, finish, log_page, parent_run, runs_of_training

ADVICE = "temper.advice"


def log_advice(study: str, document: Mapping[str, Any], folder: Path, links: Mapping[str, str]) -> dict[str, str]:
    """Id of the advice's run (the one of the same study, where there is one) and the address of its artifacts.

    It lies in the recipe's experiment. A training that belongs to a comparison or a search stays there, and advice.json
    names every one.
    """
    client = runs.client()
    where = runs.experiment(client, document["recipe"])
    source = f"temper advise {document['recipe']}"
    run_id = parent_run(client, where, {ADVICE: study}, name=study, source=source)
    keys.log_params(client, run_id, {"objective": document["objective"]})
    measures = document["measures"]
    values = {name: measures[name] for name in ("logme", "h_score_shrunk", "leep") if measures[name] is not None}
    values["validation.probe_accuracy"] = measures["probe"]["value"]
    rounds = [*document["rounds"], *([document["full"]] if document["full"] else [])]
    results = [(each["epochs"], result) for each in rounds for result in each["results"]]
    for epochs, result in results:
        if result["value"] is not None:
            values[f"validation.{document['objective']}.{result['candidate']}.{epochs}_epochs"] = result["value"]
    runs.log_values(client, run_id, values)
    client.set_tag(run_id, "temper.recommended", document["best"])
    runs.mark(client, run_id, links)
    log_page(client, run_id, folder)
    client.log_text(run_id, json.dumps(document, ensure_ascii=False, indent=1), "advice.json")
    for _, result in results:
        for child in runs_of_training(client, where, result["key"]):
            adopt(client, run_id, child)
    return finish(client, run_id)
