"""A run's estimate next to the time that it may take: it fits, it may not, or it is refused."""

import math

from configs.load import RecipeError
from tasks.artifact import StageError

from .amounts import typed_duration
from .forecast import Forecast, StageForecast
from .past_runs import UNMEASURED
from .planned_run import PlannedRun, due
from .row_forecast import forecast_rows
from .words import duration, durations

NAMED = 0.05
"""Share of the whole time from which on a stage is named."""

SHARES = (1.0, 0.8, 0.5, 0.25)
"""Of what a straight line through nothing allows, so much is tried."""


def check_budget(run: PlannedRun, budget: float, *, measure: bool) -> str:
    """A sentence where the run may take longer than `budget` seconds, else nothing.

    Raises StageError where it is expected to take longer. Only high beyond the budget refuses nothing: it is reached
    once in twenty runs, and would refuse every first run, of which nothing is known.
    """
    foreseen = run.foreseen(measure=measure)
    stages = due(foreseen)
    total = foreseen.total.seconds
    if not stages or total.high <= budget:
        return ""
    allowed = f"--budget {duration(budget)}"
    if total.expected <= budget:
        return f"The run is expected within {allowed}, but may take {duration(total.high)}."
    lines = [f"the run is expected to take {durations(total)}, more than {allowed}; nothing was begun", *_named(stages)]
    candidates = _candidates(run, foreseen, budget)
    fitting = [next((change for change in changes if _fits(run, change, budget)), "") for changes in candidates]
    ways = [change for change in fitting if change]
    more = f"--budget {typed_duration(total.expected)}"
    lines.append(f"it fits with {' or '.join(ways)}; as it is it needs {more}" if ways else f"it needs {more}")
    raise StageError("\n".join(lines))


def _named(stages: list[StageForecast]) -> list[str]:
    """A line for each stage that takes a good part of the time, the longest first, with what its numbers rest on."""
    longest = sorted(stages, key=lambda stage: -stage.cost.seconds.expected)
    whole = sum(stage.cost.seconds.expected for stage in stages)
    return [
        f"  {stage.stage}: {durations(stage.cost.seconds)}, from {_basis(stage.basis)}"
        for stage in longest
        if stage.cost.seconds.expected >= NAMED * whole
    ]


def _basis(basis: str) -> str:
    return "defaults, which are wide: no run here yet" if basis == UNMEASURED else basis


def _candidates(run: PlannedRun, foreseen: Forecast, budget: float) -> list[list[str]]:
    """Changes to fewer epochs, and to fewer training rows, that take about as long as there is time for, the larger
    first: what does not grow with epochs and rows makes the first ones too long."""
    training = next((stage for stage in due(foreseen) if stage.stage == "train"), None)
    if training is None:
        return []
    whole, own, section = foreseen.total.seconds.expected, training.cost.seconds.expected, run.recipe.train
    epochs = 0 if section.phases else section.epochs * (1 - (whole - budget) / own)
    rows = forecast_rows(run.recipe, run.cached, []).parts["train"].expected * budget / whole
    fewest = section.batch_size * section.accumulation
    return [
        [f"train.epochs={math.floor(epochs * share)}" for share in SHARES if epochs * share >= 1],
        [f"split.train_rows={_rounded(math.floor(rows * share))}" for share in SHARES if rows * share >= fewest],
    ]


def _rounded(rows: int) -> int:
    """No more than so many, with two digits."""
    unit = int(10 ** max(len(str(rows)) - 2, 0))
    return rows // unit * unit


def _fits(run: PlannedRun, change: str, budget: float) -> bool:
    """Whether a run with the change is expected within the budget."""
    try:
        return run.changed(change).foreseen().total.seconds.expected <= budget
    except (RecipeError, StageError):
        return False
