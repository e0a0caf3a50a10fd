"""A search in MLflow: one parent run with the study, and the runs of its trials' trainings as children."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from mlflow import MlflowClient
from mlflow.entities import ViewType

from . import keys, runs
from .comparison_runs import adopt, parent_run
from .descriptions import LONGEST, NOTE
from .wire_format import TRAINING

STUDY = "temper.study"
TRIAL = "temper.trial"


def log_search(recipe: str, document: Mapping[str, Any], folder: Path, links: Mapping[str, str]) -> dict[str, str]:
    """Id of the study's run (the one of the same study, where there is one) and the address of its artifacts.

    It lies in the recipe's experiment. A run has one parent in MLflow: a training that belongs to a comparison or to
    another search stays there, and search.json names every trial.
    """
    client = runs.client()
    where = runs.experiment(client, recipe)
    study = document["study"]
    run_id = parent_run(client, where, {STUDY: study}, name=study, source=f"temper search {recipe}")
    best = document["best"]
    keys.log_params(client, run_id, {"objective": document["objective"]})
    values = {f"validation.{document['objective']}": best["value"], "trials": len(document["trials"])}
    runs.log_values(client, run_id, values)
    client.set_tag(run_id, "temper.verdict", document["verdict"])
    client.set_tag(run_id, NOTE, (folder / "summary.md").read_text(encoding="utf-8")[:LONGEST])
    runs.mark(client, run_id, links)
    client.log_artifacts(run_id, str(folder))
    client.log_text(run_id, json.dumps(document, ensure_ascii=False, indent=1), "search.json")
    _adopt_trials(client, run_id, where, document["trials"])
    client.set_terminated(run_id, "FINISHED")
    return {"run_id": run_id, "artifacts": str(client.get_run(run_id).info.artifact_uri)}


def _adopt_trials(client: MlflowClient, parent: str, where: str, trials: Iterable[Mapping[str, Any]]) -> None:
    for trial in trials:
        if not trial["key"]:
            continue
        for run in client.search_runs([where], f"tags.`{TRAINING}` = '{trial['key']}'", ViewType.ACTIVE_ONLY, 1):
            client.set_tag(run.info.run_id, TRIAL, f"{trial['number']}, {trial['state']}")
            adopt(client, parent, str(run.info.run_id))
