"""temper advise: what to train of a pretrained model, by measures of its frozen features and a race."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table
from rich.text import Text

from configs.environment import quiet_prefect
from tasks.store.events import Event, listeners

from ..services.temporary_server import prefect_api
from .arguments import AsJson, Overrides, RecipeFile
from .console import Console, print_json, print_line
from .failures import failures
from .progress import ProgressDisplay, where_to_look

if TYPE_CHECKING:
    from tasks.advice.advice_document import Advice

    from ..advise import RaceOptions
    from ..searched_recipe import Subject


def command(
    recipe: RecipeFile,
    overrides: Overrides = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="Write the recipe with the recommended phases here."),
    ] = None,
    epochs: Annotated[
        int | None,
        typer.Option("--epochs", min=1, help="Epochs of the first round; default a quarter of the recipe's."),
    ] = None,
    full_race: Annotated[
        bool, typer.Option("--full-race", help="Also train every candidate with the recipe's own epochs.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Measure what a pretrained model knows of your rows, race four ways to train it, and recommend one.

    Measured on frozen features: rows per class, LogME, H-score, LEEP where the weights came with a head, and a linear
    probe. Raced by successive halving, on validation rows: the head alone, the head and the later half of the body,
    everything, and everything from new weights. The result is one list of phases, its gain over the second best with
    an interval, and what would change the advice. Of text and image classifiers with pretrained weights.

    Trainings are cached ones of the recipe with other phases: a second call trains nothing, a killed one goes on where
    it was. Test rows are not read, no model is registered.

    `temper advise my.yaml -o advised.yaml` writes the recipe with the recommended phases.

    `temper advise my.yaml --full-race` also reports whether the race found the best of all four.
    """
    with failures():
        from ..advise import RaceOptions
        from ..advised_recipe import require_new, write_recommended
        from ..candidates import read_advised

        if output is not None:
            require_new(output)
        subject = read_advised(recipe, overrides or [])
        advice = _run(subject, RaceOptions(epochs, full_race))
        if as_json:
            print_json(dict(advice))
        else:
            _show(advice)
        if output is not None:
            write_recommended(subject, advice, output)
            print_line(f"wrote {output}")


def _run(subject: "Subject", options: "RaceOptions") -> "Advice":
    quiet_prefect()
    with ProgressDisplay() as display, listeners(_Lines(display)), prefect_api("Prefect", "MLflow"):
        from ..advise import advise

        return advise(subject, options)


class _Lines:
    """Shows a line a training; of the stages within the race it shows the bar alone."""

    def __init__(self, display: ProgressDisplay) -> None:
        self.display = display
        self.racing = False

    def __call__(self, event: Event) -> None:
        """Show one event."""
        self.racing |= event.stage == "advise"
        if event.stage == "advise" or not self.racing or event.kind in ("progress", "started"):
            self.display.show(event)


def _show(advice: "Advice") -> None:
    from tasks.advice.advice_page import agreement, expected, measured, race_title, raced, recommendation
    from tasks.advice.advice_page import failures as failed

    out = Console()
    out.print(f"\nfrozen features of {advice['measures']['rows']:,} training rows:")
    for name, value, reading in measured(advice):
        out.fact(Text(f"  {name:<14} {value:>8}  "), reading)
    heads, rows = raced(advice)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for number, head in enumerate(heads):
        table.add_column(head, justify="right" if number else "left", overflow="fold")
    for row in rows:
        table.add_row(*map(Text, row))
    out.print(f"\n{race_title(advice)}:")
    out.print(table)
    for line in failed(advice):
        out.prose(Text(line, "bad"))
    gain = advice["gain"]
    out.print()
    out.prose(Text(recommendation(advice), "bold"))
    out.prose(Text(f"expected: {expected(advice)}", "good" if gain is not None and gain["decided"] else "warning"))
    if line := agreement(advice):
        out.prose(line)
    for change in advice["changes"]:
        out.print(Text(f"  {change}"), soft_wrap=True)
    out.print("what would change this:")
    for line in advice["would_change"]:
        out.fact(Text("  - "), line)
    for place in where_to_look({}):
        out.print(place, soft_wrap=True)
