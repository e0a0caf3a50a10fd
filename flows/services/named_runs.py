"""Names of runs that are scheduled: Prefect gives each two words of its own, until it begins and its flow names it."""

from contextlib import suppress
from typing import Any

PAGE = 200
"""Runs in one answer of Prefect's server."""


def name_of(deployment: str) -> str:
    """What a run of a recipe's deployment is called until its verdict is known."""
    return f"retrain {deployment}"


def name_scheduled(prefect: str) -> int:
    """Name the runs of Temper's deployments that are scheduled and have another name; how many there were.

    A server that does not answer just now is asked again the next time: names are no reason to stop.
    """
    from httpx import HTTPError
    from prefect.client.orchestration import get_client
    from prefect.settings import PREFECT_API_URL, temporary_settings

    from .stale_deployments import deployed

    named = 0
    with suppress(HTTPError), temporary_settings({PREFECT_API_URL: prefect}), get_client(sync_client=True) as api:
        for deployment in deployed(api):
            for run in _scheduled(api, deployment.id):
                if run.name != name_of(deployment.name):
                    api.update_flow_run(run.id, name=name_of(deployment.name))
                    named += 1
    return named


def _scheduled(api: Any, deployment_id: Any) -> list[Any]:
    from prefect.client.schemas import filters as by

    wanted = by.FlowRunFilter(
        deployment_id=by.FlowRunFilterDeploymentId(any_=[deployment_id]),
        state=by.FlowRunFilterState(type=by.FlowRunFilterStateType(any_=["SCHEDULED"])),
    )
    return list(api.read_flow_runs(flow_run_filter=wanted, limit=PAGE))
