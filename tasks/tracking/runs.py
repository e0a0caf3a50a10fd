"""One MLflow run per training key: found again by its tag, fed live, and complete even for a cached training."""

import getpass
import json
import logging
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from mlflow import MlflowClient
from mlflow.entities import Metric, ViewType
from mlflow.exceptions import MlflowException

from configs.settings import settings

from ..artifact import Artifact, StageError
from ..store.events import Stopped
from ..store.failure import because_of
from ..store.living import alive
from ..store.lock import locked
from . import keys
from .descriptions import NOTE, of_experiment, of_training
from .pages import run_page
from .params import recipe_params
from .system_metrics import PREFIX, measured
from .wire_format import TRAINING
from .write_locks import turn

KIND, TRAININGS = "mlflow.experimentKind", "custom_model_development"
"""Tag by which MLflow's interface shows an experiment as one of trainings, not of chats and their traces."""
Report = Callable[[int, Mapping[str, float]], None]
METRICS = {
    "loss": "train/loss",
    "grad_norm": "train/grad_norm",
    "learning_rate": "train/learning_rate",
    "eval_loss": "validation/loss",
    "eval_accuracy": "validation/accuracy",
    "eval_macro_f1": "validation/macro_f1",
}
"""Names of curves in MLflow. What stands before the slash is a section of its charts; these sections come before all
names without one, such as `test.accuracy`, whose charts are a single bar each."""


def client() -> MlflowClient:
    """A client of the tracking store; a fresh SQLite store is initialised by one process at a time."""
    place = settings()
    logging.getLogger("mlflow.store.db.utils").setLevel(logging.CRITICAL)  # prints a traceback of what it raises
    with locked(place.mlruns / "mlflow.lock", readable=True):
        mlflow_client = MlflowClient(place.tracking, place.tracking)
        try:
            mlflow_client.search_experiments(max_results=1)
        except MlflowException as error:
            shown = place.shown_tracking
            reason = str(error).replace(place.tracking, shown)
            raise StageError(f"MLflow's store {shown} cannot be read: {reason}; see `temper doctor`") from None
    return mlflow_client


def experiment(mlflow_client: MlflowClient, name: str) -> str:
    """Id of the experiment of this name, made where it is missing."""
    place = settings()
    with locked(place.mlruns / "mlflow.lock"):
        known = mlflow_client.get_experiment_by_name(name)
        if known is not None:
            if known.lifecycle_stage != "active":
                fix = restoring("experiment", known.experiment_id)
                raise StageError(f"the MLflow experiment {name} was deleted: {fix}, or give the recipe another name")
            if KIND not in known.tags:  # made by an earlier Temper, or by hand
                mlflow_client.set_experiment_tag(known.experiment_id, KIND, TRAININGS)
            return str(known.experiment_id)
        location = (place.mlruns / "artifacts").as_uri() if place.tracking.startswith("sqlite:") else None
        tags = {KIND: TRAININGS, NOTE: of_experiment(name)}
        try:
            return str(mlflow_client.create_experiment(name, location, tags))
        except MlflowException as error:
            existing = mlflow_client.get_experiment_by_name(name)  # by another machine, on a server that both use
            if error.error_code != "RESOURCE_ALREADY_EXISTS" or existing is None:
                raise
            return str(existing.experiment_id)


def training_run(
    mlflow_client: MlflowClient,
    key: str,
    links: Mapping[str, str],
    params: Mapping[str, Any],
    *,
    began: int | None = None,
) -> str:
    """Id of the run of a training key, made where this store has none; the flow run leaves its id on it.

    The run gets its key once it has all parameters, so that one that was cut off before is never taken for it.
    began: when the training did (ms), if that is over.
    """
    recipe = links.get("temper.recipe", "temper")
    with turn("trainings", key):
        where = experiment(mlflow_client, recipe)
        known = [e.experiment_id for e in mlflow_client.search_experiments()]
        runs = mlflow_client.search_runs(known, f"tags.`{TRAINING}` = '{key}'", ViewType.ACTIVE_ONLY, 1)
        if runs:
            run_id = str(runs[0].info.run_id)
        else:
            tags = {
                "mlflow.source.name": f"temper run {recipe}",
                "mlflow.user": user(),
                NOTE: of_training(recipe, links),
            }
            run_id = str(mlflow_client.create_run(where, began, tags, f"{recipe}-{key[:8]}").info.run_id)
        with alive("mlflow", run_id):
            keys.log_params(mlflow_client, run_id, params)  # also what another Temper left out
            if not runs:
                mlflow_client.set_tag(run_id, TRAINING, key)
            mark(mlflow_client, run_id, links)
    return run_id


def restoring(what: str, number: str) -> str:
    """The command that takes back the deletion of a run or an experiment."""
    place = settings().shown_tracking
    return f"restore it with `MLFLOW_TRACKING_URI={place} mlflow {what}s restore --{what}-id {number}`"


def require_active(mlflow_client: MlflowClient, run_id: str, whose: str) -> None:
    """Raise StageError where a version's run was deleted, or is gone for good."""
    anew = f"or delete {whose} in MLflow, and the next run registers the model again"
    try:
        info = mlflow_client.get_run(run_id).info
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        raise StageError(f"{whose}: its MLflow run {run_id} is gone for good; restore MLflow's store, {anew}") from None
    if info.lifecycle_stage == "active":
        return
    above = mlflow_client.get_experiment(info.experiment_id)
    if above.lifecycle_stage != "active":
        raise StageError(
            f"{whose}: the MLflow experiment {above.name} of its run was deleted: "
            f"{restoring('experiment', info.experiment_id)}"
        )
    raise StageError(f"{whose}: its MLflow run {run_id} was deleted: {restoring('run', run_id)}, {anew}")


def mark(mlflow_client: MlflowClient, run_id: str, links: Mapping[str, str]) -> None:
    """Leave on a run which flow run made or used it last, and one tag for each that did."""
    tags = dict(links)
    if "prefect.flow_run_id" in links:
        shown = links.get("prefect.flow_run_url", links["prefect.flow_run_name"])
        tags[f"prefect.flow_run.{links['prefect.flow_run_id']}"] = shown
    if tags:
        keys.log_tags(mlflow_client, run_id, tags)


def user() -> str:
    """Who runs this process."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        return f"user {os.getuid()}"


@contextmanager
def live_run(
    key: str, links: Mapping[str, str], params: Mapping[str, Any], connect: Callable[[Report], None]
) -> Iterator[str | None]:
    """Open the run of a training for as long as it lasts; `connect` receives its report. Gives the run's page.

    A resumed training repeats steps that are in the curves already; they are not written twice.
    """
    mlflow_client = client()
    run_id = training_run(mlflow_client, key, links, params)
    with alive("mlflow", run_id):
        mlflow_client.update_run(run_id, status="RUNNING")
        connect(lambda step, values: log_step(mlflow_client, run_id, step, values, seen))
        seen = last_steps(mlflow_client, run_id)
        try:
            with measured(mlflow_client, run_id):
                yield run_page(mlflow_client, run_id)
        except BaseException as error:
            with because_of(error, "its MLflow run could not be marked as ended"):
                mlflow_client.set_terminated(run_id, ended_by(error))
            raise
        mlflow_client.set_terminated(run_id, "FINISHED")


def ended_by(error: BaseException) -> str:
    """MLflow's status of a run that an exception ends."""
    if isinstance(error, Stopped):
        return "FINISHED"
    return "FAILED" if isinstance(error, Exception) else "KILLED"


def last_steps(mlflow_client: MlflowClient, run_id: str) -> dict[str, int]:
    """Per metric the last step that the run has; the machine's load left out."""
    names = [name for name in mlflow_client.get_run(run_id).data.metrics if not name.startswith(PREFIX)]
    return {name: max(point.step for point in mlflow_client.get_metric_history(run_id, name)) for name in names}


def log_step(
    mlflow_client: MlflowClient, run_id: str, step: int, values: Mapping[str, float], seen: dict[str, int]
) -> None:
    """Write one point of the curves, unless the run has it."""
    now = int(time.time() * 1000)
    named = {keys.key(METRICS.get(name, name)): value for name, value in values.items()}
    fresh = {name: value for name, value in named.items() if step > seen.get(name, -1)}
    if fresh:
        keys.log_metrics(mlflow_client, run_id, [Metric(name, value, now, step) for name, value in fresh.items()])


def log_values(
    mlflow_client: MlflowClient, run_id: str, values: Mapping[str, float], measured_on: Mapping[str, str] | None = None
) -> None:
    """Write metrics that have no steps, where the run's last value is another.

    measured_on: the model (model_id) and the dataset (dataset_name, dataset_digest) whose pages show them too.

    MLflow refuses a model whose run has two values of one metric at one time and step, hence the time of writing.
    """
    known, now = mlflow_client.get_run(run_id).data.metrics, int(time.time() * 1000)
    if measured_on is not None:
        held = mlflow_client.get_logged_model(measured_on["model_id"]).metrics or []
        known = {metric.key: metric.value for metric in held}
    extra = measured_on or {}
    named = {keys.key(name): value for name, value in values.items()}
    fresh = [Metric(name, value, now, 0, **extra) for name, value in named.items() if known.get(name) != value]
    keys.log_metrics(mlflow_client, run_id, fresh)


def complete_run(mlflow_client: MlflowClient, model: Artifact, links: Mapping[str, str]) -> str:
    """Id of the run of a finished training; where this store has none it is made from the artifact's history."""
    manifest = model.manifest()
    inputs = [Artifact(ref["stage"], ref["key"], ref["digest"]) for ref in manifest["inputs"].values()]
    params = recipe_params({"train": manifest["section"]}, inputs)
    seconds, ended = float(manifest["made"]["seconds"]), int(manifest["made"]["at"]) * 1000
    run_id = training_run(mlflow_client, model.key, links, params, began=ended - int(1000 * seconds))
    history = json.loads((model.records / "history.json").read_text(encoding="utf-8"))
    seen = last_steps(mlflow_client, run_id)
    for row in history:
        values = {name: value for name, value in row.items() if name != "step"}
        log_step(mlflow_client, run_id, int(row["step"]), values, seen)
    status = mlflow_client.get_run(run_id).info.status
    if status != "FINISHED":  # made here, or marked while what follows a training was killed
        mlflow_client.set_terminated(run_id, "FINISHED", ended)
    return run_id
