"""Runs of retrain whose process is gone: marked as crashed, so that the next run may begin, which resumes them."""

import fcntl
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from configs.settings import settings

OPEN = ("RUNNING", "PENDING", "CANCELLING")


def mark_crashed(api: Any, say: Callable[[str], None], *, shared: bool) -> None:
    """Mark each open run whose process is gone, with what ran inside it; a living one is left at work.

    A run of this home has a file that its process keeps locked (see retrain.alone). One without may be another
    machine's where the server is `shared`; else it was handed to a worker that is gone.
    """
    for run in _runs(api, OPEN):
        mark = _mark(run.id)
        if held(mark):
            say(f"{run.name}: still at work in a process that outlived its server; the next run waits for it")
        elif mark.exists() or not shared:
            _crash(api, run)
            mark.unlink(missing_ok=True)
            say(f"{run.name}: its process is gone; marked as crashed, the next run goes on from what it left")
    for run in _runs(api, OPEN, flow="finetune"):  # inside a run that its worker has marked already
        if run.parent_task_run_id is not None:
            above = api.read_flow_run(api.read_task_run(run.parent_task_run_id).flow_run_id)
            if above.state_type.value not in OPEN:
                _crash(api, run)


def _mark(run_id: Any) -> Path:
    return settings().mlruns / "retrain" / f"{run_id}.run"


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


def held(mark: Path) -> bool:
    """Whether a process keeps this file locked."""
    if not mark.exists():
        return False
    with mark.open("a") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


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
    for one in [*api.read_flow_runs(flow_run_filter=inside), run]:
        wanted = by.FlowRunFilter(id=by.FlowRunFilterId(any_=[one.id]))
        for task in api.read_task_runs(flow_run_filter=wanted):
            if task.state_type is not None and task.state_type.value in OPEN:
                api.set_task_run_state(task.id, state, force=True)
        if one.state_type is not None and one.state_type.value in OPEN:
            api.set_flow_run_state(one.id, state, force=True)
