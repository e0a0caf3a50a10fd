"""What each stage of a plan will take, from this machine's measurements of earlier stages; without any, by defaults."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from configs.literal import complete
from configs.precision import settled
from configs.settings import settings
from configs.sources import holds
from configs.stages import AUXILIARY
from tasks.store import disk, workload
from tasks.store.measurements import Measurement, measurements

from .past_runs import KIND, Cost, Task, cost_of, nearest
from .row_forecast import Rows, forecast_rows
from .steps import Source, ask, remember_steps, why_unmeasured
from .three_numbers import NOTHING, Range, exactly, largest

if TYPE_CHECKING:
    from configs.schema import Recipe
    from tasks.artifact import Artifact
    from tasks.store.events import StageLine

FREE = Cost(NOTHING, NOTHING, NOTHING)


@dataclass(frozen=True)
class StageForecast:
    """A stage of the plan, what it will take, and what that rests on. work: rows or passes of rows."""

    stage: str
    status: str
    cost: Cost
    basis: str
    work: Range = NOTHING


@dataclass(frozen=True)
class Forecast:
    """The stages of a plan in order, and remarks."""

    stages: tuple[StageForecast, ...]
    notes: tuple[str, ...] = ()

    @property
    def total(self) -> Cost:
        """Seconds one after another, memory of the largest, bytes of all."""
        costs = [stage.cost for stage in self.stages]
        seconds, written = NOTHING, NOTHING
        for cost in costs:
            seconds, written = seconds + cost.seconds, written + cost.disk
        return Cost(seconds, largest([cost.memory for cost in costs]), written)


def forecast(
    recipe: "Recipe",
    lines: "Sequence[StageLine]",
    cached: "Mapping[str, Artifact]",
    *,
    source: Source | None = None,
) -> Forecast:
    """What a plan will take. lines, cached: as `flows.plan.plan` has them.

    With a source, real steps of a training that is unlike any before are measured, where its rows are encoded; this
    takes up to a minute. Raises StageError.
    """
    past = measurements(settings().store)
    lines = [line for line in lines if line.get("within") != "download"]  # a run opens those, and makes none
    rows = forecast_rows(recipe, cached, past)
    notes = []
    if rows.guessed:
        notes.append("how many rows the source has is unknown before it is downloaded: 500 to 200,000 are assumed")
    if source is not None and (line := _unlike(recipe, lines, rows, past)) is not None:
        if "encode" not in cached:
            notes.append("once its rows are encoded, a few real steps of the training are measured")
        elif reason := why_unmeasured(recipe):
            notes.append(f"no real steps are measured: {reason}")
        else:
            taken = ask(source, cached["encode"])
            past = [*past, remember_steps(taken, task_of(recipe, line, rows), rows, recipe)]
    return Forecast(tuple(_stage(recipe, line, rows, past, cached) for line in lines), tuple(notes))


def _unlike(
    recipe: "Recipe", lines: "Sequence[StageLine]", rows: Rows, past: Sequence[Measurement]
) -> "StageLine | None":
    """The training, where it is due and neither one with its settings nor real steps were measured here."""
    for line in lines:
        if line["stage"] == "train" and line["status"] != "cached":
            near = nearest(task_of(recipe, line, rows), past)
            return line if near is None or near[0].words == KIND else None
    return None


def _stage(
    recipe: "Recipe",
    line: "StageLine",
    rows: Rows,
    past: Sequence[Measurement],
    cached: "Mapping[str, Artifact]",
) -> StageForecast:
    if line["status"] == "cached":
        return StageForecast(line["stage"], "cached", FREE, "")
    task = task_of(recipe, line, rows)
    cost, basis = cost_of(task, past)
    if line["stage"] == "register" and "evaluate" in cached:  # most likely it is registered already
        cost = Cost(*(Range(0.0, part.expected, part.high) for part in (cost.seconds, cost.memory, cost.disk)))
    return StageForecast(line["stage"], line["status"], cost, basis, task.work)


def task_of(recipe: "Recipe", line: "StageLine", rows: Rows) -> Task:
    """A stage of the plan as measurements name it."""
    stage = line["stage"]
    sections = {name: complete(settled(getattr(recipe, name))) for name in ("download", "validate", "clean", "split")}
    sections |= {name: complete(settled(getattr(recipe, name))) for name in ("encode", "train", "evaluate")}
    if stage in AUXILIARY:
        kind, work = recipe.encode.kind, rows.parts["train"] + rows.parts["validation"]
        return Task(stage, recipe.name, kind, "", work)
    return Task(stage, recipe.name, _kind(recipe, stage), workload.alike(stage, sections), _work(recipe, line, rows))


def _kind(recipe: "Recipe", stage: str) -> str:
    if stage == "download":
        return recipe.download.kind
    if stage in ("validate", "clean", "split"):
        return "image" if holds(recipe.download)[0] == "image" else "rows"
    return "" if stage == "register" else recipe.encode.kind


def _work(recipe: "Recipe", line: "StageLine", rows: Rows) -> Range:
    stage = line["stage"]
    if stage == "train":
        work = [
            workload.passes(recipe.train, getattr(rows.parts["train"], which), getattr(rows.parts["validation"], which))
            for which in ("low", "expected", "high")
        ]
        return Range(*work).times(*_share_left(recipe, line, rows))
    if stage == "evaluate":
        return rows.parts["test"]
    return exactly(1) if stage == "register" else rows.stages[stage]


def _share_left(recipe: "Recipe", line: "StageLine", rows: Rows) -> tuple[float, float, float]:
    """Of a training's work: what a killed one left; at least what patience allows."""
    section: Any = recipe.train
    steps = workload.steps(section, rows.parts["train"].expected) or 1
    folder = disk.partial_path(settings().store, "train", line["key"]) / "scratch" / "checkpoints"
    done = [int(path.name.rpartition("-")[2]) for path in folder.glob("checkpoint-*")] if line["key"] else []
    left = max(1 - max(done, default=0) / steps, 0.0)
    patience = [phase.patience or section.patience for phase in section.phases] or [section.patience]
    if None in patience:
        return left, left, left
    fewest = sum((count + 1) * section.eval_steps for count in patience if count is not None)
    return min(left, fewest / steps), left, left
