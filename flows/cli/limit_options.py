"""The options that limit what a run may take, and what they come to on the terminal."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tasks.store.events import listeners

from ..estimates.amounts import parse_duration, parse_size
from .progress import ProgressDisplay

if TYPE_CHECKING:
    from ..estimates.planned_run import PlannedRun


def _parser(parse: Callable[[str], float]) -> Callable[[str], float]:
    """The same, its complaint as one of usage."""

    def parsed(text: str) -> float:
        try:
            return parse(text)
        except ValueError as error:
            raise typer.BadParameter(str(error)) from None

    return parsed


TIME = "Refuse the run where it is expected to take longer, such as 90s, 10m or 2h30m."
ROOM = (
    "Memory that the run's process may hold (a GPU's does not count), such as 8GiB: a training that needs more gets a "
    "smaller train.batch_size and as much more train.accumulation; what else needs more is refused."
)
Budget = Annotated[
    float | None, typer.Option("--budget", parser=_parser(parse_duration), metavar="DURATION", help=TIME)
]
Memory = Annotated[float | None, typer.Option("--memory", parser=_parser(parse_size), metavar="SIZE", help=ROOM)]


def limited(recipe: Path, changes: list[str], budget: float | None, memory: float | None) -> "PlannedRun | None":
    """The run as it keeps within its limits, with remarks on stderr; None where it has none.

    budget: seconds; memory: bytes. Raises RecipeError, StageError and DataError.
    """
    if budget is None and memory is None:
        return None
    from ..estimates.limits import Limits, keep_within
    from ..estimates.planned_run import plan_run
    from ..estimates.steps import Source

    run = plan_run(Source(recipe, changes))
    with ProgressDisplay("estimating") as display, listeners(display.show):
        run, remarks = keep_within(run, Limits(budget, None if memory is None else int(memory)))
    display.print(remarks)
    return run
