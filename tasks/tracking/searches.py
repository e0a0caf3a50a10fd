"""A search in MLflow: one parent run with the study, and the runs of its trials' trainings as children."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from mlflow import MlflowClient

from . import keys, runs
from .comparison_runs import adopt, finish, log_page, parent_run, runs_of_training

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
    runs.mark(client, run_id, links)
    log_page(client, run_id, folder)
    client.log_text(run_id, json.dumps(document, ensure_ascii=False, indent=1), "search.json")
    _adopt_trials(client, run_id, where, document["trials"])
    return finish(client, run_id)


def _adopt_trials(client: MlflowClient, parent: str, where: str, trials: Iterable[Mapping[str, Any]]) -> None:
    for trial in trials:
        if not trial["key"]:
            continue
        for run_id in runs_of_training(client, where, trial["key"]):
            client.set_tag(run_id, TRIAL, f"{trial['number']}, {trial['state']}")
            adopt(client, parent, run_id)
