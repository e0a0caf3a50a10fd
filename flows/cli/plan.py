"""temper plan: what a run would do, stage by stage, and why; nothing is run and nothing is asked."""

from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table
from rich.text import Text

from tasks.store.changes import in_words

from ..plan import plan
from .arguments import AsJson, Overrides, RecipeFile
from .console import Console, print_json
from .failures import failures

if TYPE_CHECKING:
    from configs.schema import Recipe
    from tasks.store.events import StageLine

    from ..estimates.forecast import Forecast

COLOURS = {"cached": "cached", "run": "good", "resumed": "warning", "unknown": "quiet"}


def command(
    recipe: RecipeFile,
    overrides: Overrides = None,
    as_json: AsJson = False,
    refresh: Annotated[bool, typer.Option("--refresh", help="Ask the Hub what branches stand for now.")] = False,
    estimate: Annotated[
        bool, typer.Option("--estimate", help="Show what the run will take: time, peak memory and disk per stage.")
    ] = False,
) -> None:
    """Show per stage whether it is cached, and which part of its key changed since the nearest earlier run.

    `cached`: served from the store. `run`: will be computed. `resumed`: a killed training goes on from its last
    checkpoint. `unknown`: depends on the bytes that an earlier stage will make. Makes no request unless --refresh.
    """
    from configs.load import load_recipe

    with failures():
        loaded = load_recipe(recipe, overrides or [])
        stages, notes, cached = plan(loaded, ask=refresh)
        if estimate:
            from ..estimates.forecast import forecast
            from ..estimates.steps import Source

            foreseen = forecast(loaded, stages, cached, source=Source(recipe, overrides or []))

    if as_json:
        print_json(document(loaded, stages) | (estimates_document(foreseen) if estimate else {}))
        return

    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("stage", "status", "key", "what changed"):
        table.add_column(name, no_wrap=name in ("stage", "status"))
    for line in stages:
        colour = COLOURS[line["status"]]
        reasons = list(dict.fromkeys(in_words(change, line["stage"]) for change in line["changed"]))
        changed = "\n".join(reasons[:8] + (["…"] if len(reasons) > 8 else []))
        named = f"{'  ' if 'within' in line else ''}{line['stage']}"
        table.add_row(named, Text(line["status"], colour), line["key"][:8], changed)
    console = Console()
    console.print(table)
    for note in notes:
        console.print(note, style="quiet")
    if estimate:
        from .estimate_table import forecast_lines

        console.print("")
        for shown in forecast_lines(foreseen):
            console.print(shown)


def estimates_document(foreseen: "Forecast") -> "dict[str, object]":
    """What --estimate adds to the JSON document."""
    from ..estimates.document import forecast_document

    return {"estimates": forecast_document(foreseen), "notes": list(foreseen.notes)}


def document(recipe: "Recipe", stages: "list[StageLine]") -> "dict[str, object]":
    """The JSON document, of the same shape as that of `temper run`."""
    from configs.settings import settings

    return {
        "stages": stages,
        "model": {"name": recipe.register.model, "version": None, "aliases": [], "uri": None},
        "metrics": {},
        "mlflow_run_id": None,
        "tracking_uri": settings().shown_tracking,
    }
