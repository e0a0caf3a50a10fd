"""The report of a comparison as the terminal shows it."""

from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from rich.table import Table
from rich.text import Text

from .console import Console
from .progress import where_to_look

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tasks.learn.comparison_document import Compared, RecipeScore

VERDICTS = {"helped": "good", "hurt": "bad", "undecided": "warning"}


def show_comparison(report: "Compared") -> None:
    """Accuracies, a line per pair with its verdict, and where to look."""
    from tasks.learn.comparison import sentence

    out = Console()
    table = _table("test accuracy", f"{report['confidence']:.0%} interval", "SD over seeds")
    for recipe in report["recipes"]:
        mean, low, high = (f"{recipe['accuracy'][name]:.4f}" for name in ("mean", "low", "high"))
        spread = f"{recipe['spread']:.4f}" if recipe["trainings"] else ""
        table.add_row(Text(recipe["name"]), mean, f"{low} – {high}", spread)
    out.print()
    out.print(table)
    if all("bytes" in recipe for recipe in report["recipes"]):
        out.print()
        out.print(_costs(report["recipes"]))
    out.print()
    for pair in report["pairs"]:
        out.prose(Text(sentence(pair), VERDICTS[pair["verdict"]]))
    units = "" if report["groups"] == report["rows"] else f" in {report['groups']:,} groups"
    seeds = f"{len(report['recipes'][0]['trainings'])} seeds each"
    done = f"{report['cached']} trainings cached, {report['trained']} done"
    out.print(f"\n{report['rows']:,} test rows{units}; {seeds}; {done}")
    place = urlsplit(report["artifacts"])
    if place.scheme == "file":
        out.print(f"Chart:   {unquote(place.path)}/comparison.png", soft_wrap=True)
    for line in where_to_look({}):
        out.print(line, soft_wrap=True)


def _costs(recipes: "Sequence[RecipeScore]") -> Table:
    """Sizes, and medians of the times by the rows of a batch."""
    batches = list(recipes[0]["milliseconds"])
    table = _table("size", *(f"time of {rows} row{'s' * (rows != '1')}" for rows in batches))
    for recipe in recipes:
        taken = [f"{recipe['milliseconds'][rows]['p50']:.1f} ms" for rows in batches]
        table.add_row(Text(recipe["name"]), f"{recipe['bytes'] / 1e6:,.1f} MB", *taken)
    return table


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("recipe", overflow="fold")
    for name in columns:
        table.add_column(name, justify="right", no_wrap=True)
    return table
