"""A comparison in MLflow: one parent run with the report, and the runs of its trainings as children."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mlflow import MlflowClient
from mlflow.entities import ViewType

from configs.settings import settings

from ..artifact import Artifact, canonical, digest_text, lineage
from ..learn.comparison_document import Comparison, PairScore
from . import keys, run_data, runs
from .descriptions import LONGEST, NOTE
from .wire_format import TRAINING

KEY = "temper.comparison_key"
PARENT = "mlflow.parentRunId"


@dataclass(frozen=True)
class Training:
    """One training of a comparison: its recipe's name, what it made, and how that was scored."""

    recipe: str
    model: Artifact
    report: Artifact


def log_trainings(trainings: Sequence[Training], links: Mapping[str, str]) -> list[str]:
    """Ids of the trainings' runs, in order, each complete and with its test scores.

    A run is made where this tracking store has none. Scoring is a test-set evaluation and recorded as such.
    """
    client, run_ids = runs.client(), []
    for training in trainings:
        run_id = runs.complete_run(client, training.model, {"temper.recipe": training.recipe, **links})
        facts = json.loads(training.report.file("report.json").read_text(encoding="utf-8"))
        runs.log_values(client, run_id, {f"test.{name}": value for name, value in facts["scores"].items()})
        run_data.open_test_split(client, run_id, lineage(training.report))
        run_ids.append(run_id)
    return run_ids


def log_comparison(
    name: str, report: Comparison, trainings: Sequence[Training], children: Sequence[str], folder: Path
) -> dict[str, str]:
    """Id of the parent run (the one of the same comparison, where there is one) and the address of its artifacts.

    report: see learn/comparison.py. The parent lies in the experiment of the first training's recipe. A run has one
    parent in MLflow, so a training that belongs to an earlier comparison stays there; the parent's
    trainings.json names every run.
    """
    client = runs.client()
    pairs = [[pair["recipe"], pair["against"]] for pair in report["pairs"]]
    trained = [[training.model.key, training.report.key] for training in trainings]
    key = digest_text(canonical([name, report["confidence"], pairs, trained]))
    where = runs.experiment(client, trainings[0].recipe)
    run_id = parent_run(client, where, {KEY: key}, name=name, source="temper")
    keys.log_params(client, run_id, _params(report))
    runs.log_values(client, run_id, _metrics(report))
    for pair in report["pairs"]:
        client.set_tag(run_id, keys.key(f"temper.verdict.{_named(pair)}"), pair["verdict"])
    log_page(client, run_id, folder)
    client.log_dict(run_id, dict(report), "comparison.json")
    listed = [
        {"recipe": training.recipe, "key": training.model.key, "run_id": child}
        for training, child in zip(trainings, children, strict=True)
    ]
    client.log_dict(run_id, {"trainings": listed, "tracking_uri": settings().shown_tracking}, "trainings.json")
    for child in children:
        adopt(client, run_id, child)
    return finish(client, run_id)


def parent_run(client: MlflowClient, where: str, key: Mapping[str, str], *, name: str, source: str) -> str:
    """Id of the run of an experiment that has this tag, made where there is none."""
    ((tag, value),) = key.items()
    known = client.search_runs([where], f"tags.`{tag}` = '{value}'", ViewType.ACTIVE_ONLY, 1)
    if known:
        return str(known[0].info.run_id)
    return str(client.create_run(where, tags={**key, "mlflow.source.name": source}, run_name=name).info.run_id)


def log_page(client: MlflowClient, run_id: str, folder: Path) -> None:
    """Keep the files of a folder, and show its summary.md as the run's description."""
    client.set_tag(run_id, NOTE, (folder / "summary.md").read_text(encoding="utf-8")[:LONGEST])
    client.log_artifacts(run_id, str(folder))


def finish(client: MlflowClient, run_id: str) -> dict[str, str]:
    """End a run; its id and the address of its artifacts."""
    client.set_terminated(run_id, "FINISHED")
    return {"run_id": run_id, "artifacts": str(client.get_run(run_id).info.artifact_uri)}


def runs_of_training(client: MlflowClient, where: str, key: str) -> list[str]:
    """Ids of the runs of an experiment that have this training key: one, or none."""
    known = client.search_runs([where], f"tags.`{TRAINING}` = '{key}'", ViewType.ACTIVE_ONLY, 1)
    return [str(run.info.run_id) for run in known]


def adopt(client: MlflowClient, parent: str, child: str) -> None:
    """Make a run the parent of another, unless that has one."""
    if PARENT not in client.get_run(child).data.tags:
        client.set_tag(child, PARENT, parent)


def _params(report: Comparison) -> dict[str, object]:
    several = [recipe for recipe in report["recipes"] if recipe["trainings"]]
    seeds = {recipe["name"]: [training["seed"] for training in recipe["trainings"]] for recipe in several}
    values: dict[str, object] = {"rows": report["rows"], "groups": report["groups"], "confidence": report["confidence"]}
    return values | {f"seeds.{name}": ", ".join(map(str, each)) for name, each in seeds.items()}


def _metrics(report: Comparison) -> dict[str, float]:
    values: dict[str, float] = {}
    for recipe in report["recipes"]:
        values |= {
            f"test.{part}.{recipe['name']}": recipe["accuracy"][at]
            for part, at in (("accuracy", "mean"), ("accuracy_low", "low"), ("accuracy_high", "high"))
        }
        values[f"test.accuracy_spread.{recipe['name']}"] = recipe["spread"]
        if "bytes" in recipe:
            values[f"model_bytes.{recipe['name']}"] = recipe["bytes"]
        for rows, taken in recipe.get("milliseconds", {}).items():
            values[f"milliseconds_p50.{rows}.{recipe['name']}"] = taken["p50"]
    for pair in report["pairs"]:
        values |= {f"difference.{part}.{_named(pair)}": pair["difference"][part] for part in ("mean", "low", "high")}
        values[f"p_holm.{_named(pair)}"] = pair["p_holm"]
    return values


def _named(pair: PairScore) -> str:
    return f"{pair['recipe']} against {pair['against']}"
