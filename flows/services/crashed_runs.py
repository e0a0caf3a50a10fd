"""Runs whose process is gone: marked as crashed, so that the next run may begin, which resumes them."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from tasks.store import living

OPEN = ("RUNNING", "PENDING", "CANCELLING")


def mark_gone(api: Any, say: Callable[[str], None]) -> None:
    """Mark each run of this home whose process is gone: in Prefect as crashed, in MLflow as killed.

    What another server knows is left for the next start that asks that one.
    """
    for run in _known(api, living.gone("flow")):
        if api.read_flow_run(run.id).state_type.value in OPEN:  # not marked with the one that it is inside of
            _crash(api, run)
            say(f"{run.name}: its process is gone; marked as crashed, the next run goes on from what it left")
        living.release("flow", str(run.id))
    if living.gone("mlflow"):  # mlflow takes seconds to load
        from tasks.tracking.killed import mark_killed

        mark_killed(say)


def _known(api: Any, run_ids: Sequence[str]) -> list[Any]:
    """Those of the runs that this server knows, the first that was begun first."""
    from prefect.exceptions import ObjectNotFound

    crashed = []
    for run_id in run_ids:
        with suppress(ObjectNotFound):
            crashed.append(api.read_flow_run(UUID(run_id)))
    return sorted(crashed, key=lambda run: run.created)


def mark_crashed(api: Any, say: Callable[[str], None], *, shared: bool) -> None:
    """The same, and each open run that no process of this home ever held, where it is known to be gone too.

    Such a run may be another machine's where the server is `shared`; else it was handed to a worker that is gone.
    """
    mark_gone(api, say)
    for run in _runs(api, OPEN):
        if living.held(living.mark_of("flow", str(run.id))):
            say(f"{run.name}: still at work in a process that outlived its server; the next run waits for it")
        elif not shared:
            _crash(api, run)
            say(f"{run.name}: its process is gone; marked as crashed, the next run goes on from what it left")
    for run in _runs(api, OPEN, flow="finetune"):  # inside a run that its worker has marked already
        if run.parent_task_run_id is not None:
            above = api.read_flow_run(api.read_task_run(run.parent_task_run_id).flow_run_id)
            if above.state_type.value not in OPEN:
                _crash(api, run)


def skip_missed(api: Any, say: Callable[[str], None]) -> None:
    """Of the runs of a deployment that fell due while nothing served them keep the newest: one makes up for all."""
    due = _runs(api, ("SCHEDULED",), before=datetime.now(UTC))
    by_deployment: dict[Any, list[Any]] = {}
    for run in due:
        by_deployment.setdefault(run.deployment_id, []).append(run)
    for runs in by_deployment.values():
        *missed, _ = sorted(runs, key=lambda run: run.expected_start_time)
        for run in missed:
            api.delete_flow_run(run.id)
        if missed:
            say(f"{missed[0].name}: {len(missed)} missed runs skipped, the newest one stands for them")


def _runs(api: Any, types: Sequence[str], before: datetime | None = None, flow: str = "retrain") -> list[Any]:
    from prefect.client.schemas import filters as by

    due = by.FlowRunFilterExpectedStartTime(before_=before) if before else None
    wanted = by.FlowRunFilter(
        state=by.FlowRunFilterState(type=by.FlowRunFilterStateType(any_=list(types))), expected_start_time=due
    )
    named = by.FlowFilter(name=by.FlowFilterName(any_=[flow]))
    return list(api.read_flow_runs(flow_filter=named, flow_run_filter=wanted, limit=200))


def _crash(api: Any, run: Any) -> None:
    """Mark a run, the runs of flows inside it and their tasks."""
    from prefect.client.schemas import filters as by
    from prefect.states import Crashed

    state: Any = Crashed(message="The process of this run is gone: killed, or the machine went down.")
    inside = by.FlowRunFilter(parent_flow_run_id=by.FlowRunFilterParentFlowRunId(any_=[run.id]))
    for flow_run in [*api.read_flow_runs(flow_run_filter=inside), run]:
        wanted = by.FlowRunFilter(id=by.FlowRunFilterId(any_=[flow_run.id]))
        for task in api.read_task_runs(flow_run_filter=wanted):
            if task.state_type is not None and task.state_type.value in OPEN:
                api.set_task_run_state(task.id, state, force=True)
        if flow_run.state_type is not None and flow_run.state_type.value in OPEN:
            api.set_flow_run_state(flow_run.id, state, force=True)
