"""What a run may take: its time and memory are compared with its estimate before anything is computed."""

from dataclasses import dataclass

from .budget import check_budget
from .memory_limit import check_stages, fit_training
from .planned_run import PlannedRun


@dataclass(frozen=True)
class Limits:
    """budget: seconds of the stages that are due; memory: bytes of the process's resident memory."""

    budget: float | None = None
    memory: int | None = None


def keep_within(run: PlannedRun, limits: Limits) -> tuple[PlannedRun, list[str]]:
    """The run as it keeps within its limits, and remarks. Raises StageError where it cannot.

    Real steps measure a training's time where nothing else is known of it; with a limit of memory they keep within
    it.
    """
    remarks, fitted = [], run
    if limits.budget is not None:
        remarks.append(check_budget(run, limits.budget, measure=limits.memory is None))
    if limits.memory is not None:
        remarks.append(check_stages(run, limits.memory))
        fitted = fit_training(run, limits.memory)
    if limits.budget is not None and fitted is not run:  # rows are counted now, and smaller batches take longer
        remarks[0] = check_budget(fitted, limits.budget, measure=False)
    return fitted, [remark for remark in remarks if remark]
