"""temper search: trials of a recipe's settings, and whether the best is better than luck."""

from importlib.util import find_spec
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table
from rich.text import Text

from configs.environment import quiet_prefect
from tasks.data.errors import DataError
from tasks.data.escape import terminal
from tasks.store.events import Event, listeners

from ..services.temporary_server import prefect_api
from .arguments import AsJson, Overrides, RecipeFile
from .console import Console, print_json
from .failures import failures
from .progress import ProgressDisplay, where_to_look

if TYPE_CHECKING:
    from ..search import Searched
    from ..searched_recipe import Subject

SHOWN = 10
"""Trials in the table at the end, the best first."""


def command(
    recipe: RecipeFile,
    overrides: Overrides = None,
    apply: Annotated[
        bool, typer.Option("--apply", help="Write the best trial's values into the recipe, if they are better.")
    ] = False,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with a study that was begun, and begin no other.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Try the settings that a recipe's `search` names, and report whether the best is better than luck.

    Each trial is the recipe with other values of some keys; all that comes before the training is cached. The best by
    validation score and the recipe as it stands are then trained over fresh seeds and compared by a paired test on
    the test rows, which no trial has seen.

    A killed search goes on where it was: the same command continues the study, the interrupted training goes on from
    its checkpoint. More trials (`search.trials=40`) extend it. No model is registered.

    `temper search my.yaml search.trials=30` tries thirty settings.

    `temper search my.yaml --apply` writes the best values into my.yaml where they are better by the paired test.
    """
    with failures():
        if find_spec("optuna") is None:
            raise DataError("`temper search` needs the package optuna: pip install 'temper[search]'")
        from ..search import apply_best
        from ..searched_recipe import read_subject

        subject = read_subject(recipe, overrides or [])
        document = _run(subject, resume)
        if as_json:
            print_json(dict(document))
        else:
            _show(document)
        if apply:
            typer.echo(terminal(apply_best(subject, document)), err=as_json)


def _run(subject: "Subject", resume: bool) -> "Searched":
    quiet_prefect()
    with ProgressDisplay() as display, listeners(TrialLines(display)), prefect_api("Prefect", "MLflow"):
        from ..search import search

        return search(subject, resume)


class TrialLines:
    """Shows a line a trial; of the stages within a trial it shows the bar alone."""

    def __init__(self, display: ProgressDisplay) -> None:
        self.display = display
        self.title = ""

    def __call__(self, event: Event) -> None:
        """Show one event."""
        if event.stage == "search" and event.kind == "progress":
            self.title = event.text
        if event.stage == "search" and event.kind == "trial":
            self.display.console.print(Text(f"  {self.title}: {event.text}"), soft_wrap=True)
        elif event.stage in ("search", "compare") or event.kind in ("progress", "started"):
            self.display.show(event)


def _show(document: "Searched") -> None:
    from tasks.search.space import words
    from tasks.search.study_page import ranked, shown_value

    out = Console()
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("trial", justify="right")
    table.add_column(f"validation {document['objective']}", justify="right")
    table.add_column("values", overflow="fold")
    for line in ranked(document["trials"], document["objective"])[:SHOWN]:
        table.add_row(str(line["number"]), shown_value(line), Text(words(line["values"])))
    out.print()
    out.print(table)
    out.print()
    out.prose(Text(f"Trial {document['best']['number']}: {document['verdict']}", "bold"))
    for change in document["changes"]:
        out.print(Text(f"  {change}"), soft_wrap=True)
    for place in where_to_look({}):
        out.print(place, soft_wrap=True)
