"""temper distill: what a student gains by its teachers, and what it saves of their size and time."""

from typing import TYPE_CHECKING, Annotated

import typer

from configs.environment import quiet_prefect
from tasks.store.events import listeners

from ..services.temporary_server import prefect_api
from .arguments import AsJson, Overrides, RecipeFile
from .comparison_table import show_comparison
from .console import print_json
from .failures import failures
from .progress import ProgressDisplay

if TYPE_CHECKING:
    from tasks.learn.comparison_document import Compared
    from tasks.store.events import StageLine

    from ..variants import Variant


def command(
    recipe: RecipeFile,
    changes: Overrides = None,
    more: Annotated[
        list[str] | None,
        typer.Option(
            "--more",
            metavar="KEY=VALUE",
            help="A change that gives the student more data instead of teachers, such as split.train_rows=null; "
            "repeatable.",
        ),
    ] = None,
    seeds: Annotated[int, typer.Option("--seeds", min=2, help="Trainings of each, seeds train.seed, +1, ….")] = 5,
    as_json: AsJson = False,
) -> None:
    """Train a student with its teachers and without, over several seeds, and report what it gains and saves.

    RECIPE is the student's and names its teachers by `train.teacher`.

    `temper distill my.yaml --more split.train_rows=null` compares it with the same student of all rows too.

    All are scored on the same test rows: the student with its teachers, the same from hard labels alone, with
    `--more` from more data, and the teachers themselves (of several the mean of their probabilities). Verdicts are
    those of `temper compare`, of the student against each of the others; next to them stand the size of each model's
    files and the median time from a text or image to its scores, for one row and for 32, taken in turns.

    Trainings are the cached ones of `temper run`, and a second call trains nothing. No model is registered. The report
    and a chart go to MLflow, as a run whose children are the trainings, and to Prefect.
    """
    with failures():
        from ..variants import read_taught

        named, variants = read_taught(recipe, changes or [], more or [])
        report, stages = _run(named, variants, seeds)

    if as_json:
        print_json({**report, "stages": stages})
    else:
        show_comparison(report)


def _run(named: str, variants: "list[Variant]", seeds: int) -> "tuple[Compared, list[StageLine]]":
    """The report, and what became of each stage of each training."""
    quiet_prefect()

    with ProgressDisplay() as display, listeners(display.show), prefect_api("Prefect", "MLflow"):
        from ..distill import distill

        return distill(named, variants, seeds), display.stages
