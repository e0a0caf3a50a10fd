"""Forecasts of a run as tables of the terminal, 80 columns wide."""

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from ..estimates.disk_space import lack_of_space
from ..estimates.document import TookLine, held, metrics, tags, took_document
from ..estimates.forecast import Forecast
from ..estimates.foreseen import foresee
from ..estimates.outcome import Compared, compared, totals
from ..estimates.past_runs import Cost
from ..estimates.words import duration, durations, size, sizes

if TYPE_CHECKING:
    from configs.schema import Recipe
    from tasks.artifact import Version

    from ..plan import Planned


class RunEstimate:
    """What a run is foreseen to take, and then took. Nothing is foreseen where the plan cannot be made."""

    def __init__(self, recipe: "Recipe") -> None:
        self.recipe, self.began = recipe, time.time()
        self.foreseen: Forecast | None = None
        self.stages: list[Compared] = []

    def lines(self, plan: "Planned | None") -> list[Text | Table]:
        """The first lines of a run."""
        self.foreseen = foresee(self.recipe, plan)
        return [] if self.foreseen is None else forecast_lines(self.foreseen)

    def outcome(self, version: "Version") -> list[TookLine]:
        """What the stages that were computed took, which goes to the MLflow run too."""
        from tasks.tracking.estimates import log_estimates

        self.stages = [] if self.foreseen is None else compared(self.foreseen, self.recipe.name, self.began)
        document = took_document(self.stages)
        if self.stages:
            log_estimates(version.run_id, document, metrics(self.stages), tags(self.stages))
        return document

    def outcome_lines(self) -> list[Text | Table]:
        """The same for the terminal."""
        return outcome_lines(self.stages)


def forecast_lines(foreseen: Forecast) -> list[Text | Table]:
    """A table with a line per stage that may be computed, what it rests on, and remarks."""
    due = [stage for stage in foreseen.stages if stage.status != "cached"]
    if not due:
        return [Text("Everything is cached: nothing is computed.")]
    table = Table(box=None, pad_edge=False, header_style="bold", title=None)
    for name in ("stage", "time", "peak memory", "disk"):
        table.add_column(name, no_wrap=True, justify="left" if name == "stage" else "right")
    for stage in due:
        table.add_row(stage.stage, *_cells(stage.cost))
    if len(due) > 1:
        table.add_row("all", *_cells(foreseen.total), style="bold")
    bases: dict[str, list[str]] = {}
    for stage in due:
        bases.setdefault(stage.basis, []).append(stage.stage)
    rests = "; ".join(f"{basis} ({', '.join(names)})" for basis, names in bases.items())
    notes = [f"Expected (low–high), from: {rests}.", *(f"{note[0].upper()}{note[1:]}." for note in foreseen.notes)]
    lack = lack_of_space(foreseen)
    return [table, *(Text(note, "quiet") for note in notes), *([Text(lack, "warning")] if lack else [])]


def _cells(cost: Cost) -> tuple[str, str, str]:
    return durations(cost.seconds), sizes(cost.memory), sizes(cost.disk)


def outcome_lines(stages: Sequence[Compared]) -> list[Text | Table]:
    """What was forecast and what it took, all stages together; then the stages that lay outside of their ranges."""
    if not stages:
        return []
    together = totals(stages)
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("")
    for name in ("estimated", "took"):
        table.add_column(name, no_wrap=True, justify="right")
    for name, expected, took in zip(
        ("time", "peak memory", "disk"), _cells(together.forecast), _took(together), strict=True
    ):
        table.add_row(name, expected, took)
    within = held(stages)
    text = f"{sum(within)} of {len(within)} quantities of the computed stages lay within their ranges"
    outside = [
        f"{stage.stage} {duration(stage.took['seconds'])} in place of {durations(stage.forecast.seconds)}"
        for stage in stages
        if not stage.held("seconds")
    ]
    return [table, Text(f"{text}{': ' if outside else ''}{', '.join(outside)}.", "quiet")]


def _took(stage: Compared) -> tuple[str, str, str]:
    return duration(stage.took["seconds"]), size(stage.took["memory"]), size(stage.took["disk"])
