"""A run's estimate next to the memory that its process may hold: smaller batches where the training needs more."""

from collections.abc import Iterator
from dataclasses import dataclass

from configs.load import RecipeError
from configs.settings import settings
from tasks.artifact import StageError
from tasks.store.events import Event, emit
from tasks.store.measurements import measurements

from ..stage_graph import perform_until
from .forecast import task_of
from .past_runs import is_measured
from .planned_run import PlannedRun, due
from .row_forecast import forecast_rows
from .steps import Exceeded, ask, remember_steps, why_unmeasured
from .words import size, sizes

BASE = "libraries and model, which no batch size changes"
"""What a process holds before its first row."""


def check_stages(run: PlannedRun, limit: int) -> str:
    """A sentence on stages that may hold more than `limit` bytes though none like them was measured, else nothing.

    The training is checked by `fit_training`. Raises StageError where one that was measured is expected to hold more.
    """
    foreseen = run.foreseen()
    large = [stage for stage in due(foreseen) if stage.stage != "train" and stage.cost.memory.expected > limit]
    named = [f"{stage.stage} {sizes(stage.cost.memory)}, from {stage.basis}" for stage in large]
    if any(is_measured(stage.basis) for stage in large):
        evaluated = any(stage.stage == "evaluate" for stage in large)
        less = "lower evaluate.batch_size, or " if evaluated and run.recipe.evaluate.batch_size > 1 else ""
        needed = max(stage.cost.memory.expected for stage in large)
        raise StageError(
            f"more memory is expected than --memory {size(limit)}: {'; '.join(named)}\n"
            f"only a training is made smaller; {less}allow about {size(needed)}; a part of it are {BASE}"
        )
    if not named:
        return ""
    return f"Not measured here yet, and by default more than --memory {size(limit)}: {'; '.join(named)}."


def fit_training(run: PlannedRun, limit: int) -> PlannedRun:
    """The run, its forward passes of fewer rows where the training would hold more than `limit` bytes.

    As many more passes are accumulated, so that each update is of the same rows with the same gradient. What fits is
    measured by real steps, for which rows are encoded. Raises StageError where it cannot be made to fit.
    """
    training = next((stage for stage in due(run.foreseen()) if stage.stage == "train"), None)
    if training is None:
        return run
    memory, known = training.cost.memory, is_measured(training.basis)
    if known and memory.expected <= limit:
        return run
    if reason := why_unmeasured(run.recipe):
        if memory.expected <= limit:
            _note(f"{sizes(memory)} of memory by an estimate from {training.basis}; not measured: {reason}")
            return run
        raise StageError(
            f"train is expected to hold {sizes(memory)}, from {training.basis}, more than --memory {size(limit)}, and "
            f"smaller batches cannot be tried: {reason}\nchoose train.batch_size and train.accumulation by hand, "
            f"without --memory"
        )
    if "encode" not in run.cached:
        perform_until(run.recipe, "encode")
        run = run.planned_again()
    return _smaller(run, limit)


def _smaller(run: PlannedRun, limit: int) -> PlannedRun:
    """The run with the largest batches that fit. Raises StageError."""
    section, tried = run.recipe.train, Tried(False)
    for rows in (section.batch_size, *smaller_sizes(section.batch_size)):
        passes = section.accumulation * section.batch_size // rows
        divided = run if rows == section.batch_size else _divided(run, rows, passes, limit)
        tried = _try(divided, limit)
        if tried.fits and divided is run:
            return run
        if tried.batch_norms:
            raise StageError(
                f"train would hold more than --memory {size(limit)} with train.batch_size {section.batch_size}, and "
                f"{tried.batch_norms} batch norms learn from the rows of one forward pass: of fewer rows the training "
                "would be another\nchoose train.batch_size yourself, freeze these layers (`freeze` of train.phases), "
                "or allow more memory"
            )
        if tried.fits:
            _note(
                f"train.batch_size {section.batch_size} → {rows}, train.accumulation {section.accumulation} → {passes}:"
                f" the same {rows * passes} rows per update and the same gradient"
            )
            return divided
    raise StageError(_too_large(run, limit, tried.before))


def _divided(run: PlannedRun, rows: int, passes: int, limit: int) -> PlannedRun:
    """With so many rows per forward pass and passes per update. Raises StageError where the recipe cannot have them."""
    try:
        return run.changed(f"train.batch_size={rows}", f"train.accumulation={passes}")
    except RecipeError as error:  # L-BFGS, Rprop
        raise StageError(f"train would hold more than --memory {size(limit)}, and {error}") from None


@dataclass(frozen=True)
class Tried:
    """Whether a training fits; where steps were measured, bytes before the first row, and batch norms it trains."""

    fits: bool
    before: int = 0
    batch_norms: int = 0


def _try(run: PlannedRun, limit: int) -> Tried:
    """Measure real steps, unless the training is done, or measured here already and too large. Raises StageError."""
    training = next((stage for stage in due(run.foreseen()) if stage.stage == "train"), None)
    if training is None:
        return Tried(True)
    tried = f"real steps with train.batch_size {run.recipe.train.batch_size}"
    if is_measured(training.basis) and training.cost.memory.expected > limit:
        _note(f"{tried}: {size(training.cost.memory.expected)}, from {training.basis}")
        return Tried(False)
    emit(Event("train", "started"))
    try:
        taken = ask(run.source, run.cached["encode"], limit)
    except Exceeded as exceeded:
        if not exceeded.before:
            raise StageError(
                f"train holds more than --memory {size(limit)} before its first row: {BASE}; allow more memory"
            ) from None
        _note(f"{tried}: more than {size(limit)}")
        return Tried(False, exceeded.before, exceeded.batch_norms)
    memory = taken["memory"]
    _note(f"{tried}: {size(memory)}")
    rows = forecast_rows(run.recipe, run.cached, measurements(settings().store))
    line = next(line for line in run.plan[0] if line["stage"] == "train")
    remember_steps(taken, task_of(run.recipe, line, rows), rows, run.recipe)
    return Tried(memory <= limit, batch_norms=taken["batch_norms"])


def _too_large(run: PlannedRun, limit: int, before: int) -> str:
    """Why no batch size helps, and what may. before: bytes before the first row, 0 where unknown."""
    section = run.recipe.train
    ways = [
        *([] if section.gradient_checkpointing else ["train.gradient_checkpointing=true"]),
        *([f"a train.eval_batch_size below {section.eval_batch_size}"] if section.eval_batch_size > 1 else []),
        *(["a smaller encode.max_length"] if hasattr(run.recipe.encode, "max_length") else []),
        "a smaller train.model",
    ]
    held = f" (of which {size(before)} before the first row: {BASE})" if before else ""
    return (
        f"train holds more than --memory {size(limit)} even with train.batch_size 1{held}\n"
        f"what lowers it: {', '.join(ways)}; or allow more memory"
    )


def smaller_sizes(rows: int) -> Iterator[int]:
    """Ever smaller divisors, so that accumulating makes up for each exactly: 12, 6, 3, 1."""
    while rows > 1:
        rows //= next(factor for factor in range(2, rows + 1) if rows % factor == 0)
        yield rows


def _note(text: str) -> None:
    emit(Event("train", "note", text))
