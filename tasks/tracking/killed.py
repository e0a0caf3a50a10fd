"""MLflow runs of this home whose process is gone: marked as killed, and the models that it was logging as failed."""

from collections.abc import Callable

from mlflow import MlflowClient
from mlflow.entities import LoggedModelStatus
from mlflow.exceptions import MlflowException

from ..store import living
from . import runs
from .decisions import ABSENT


def mark_killed(say: Callable[[str], None]) -> None:
    """Mark them in the store that is in use now; what another one knows is left for a start that uses that."""
    client = runs.client()
    for run_id in living.gone("mlflow"):
        try:
            info = client.get_run(run_id).info
        except MlflowException as error:
            if error.error_code in ABSENT:
                continue
            raise
        if info.status == "RUNNING":
            client.set_terminated(run_id, "KILLED")
            say(f"MLflow run {info.run_name}: its process is gone; marked as killed")
        _fail_pending(client, str(info.experiment_id), run_id)
        living.release("mlflow", run_id)


def _fail_pending(client: MlflowClient, experiment_id: str, run_id: str) -> None:
    """Models that were being logged when the process ended; deleted ones are no longer listed."""
    for model in client.search_logged_models([experiment_id], filter_string=f"source_run_id = '{run_id}'"):
        if model.status == LoggedModelStatus.PENDING:
            client.finalize_logged_model(model.model_id, LoggedModelStatus.FAILED)
