"""The report of a comparison as the terminal shows it."""

from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from rich.table import Table
from rich.text import Text

from .console import Console
from .progress import where_to_look

if TYPE_CHECKING:
    from tasks.learn.comparison_document import Compared

VERDICTS = {"helped": "good", "hurt": "bad", "undecided": "warning"}


def show_comparison(report: "Compared") -> None:
    """Accuracies, a line per pair with its verdict, and where to look."""
    from tasks.learn.comparison import sentence

    out = Console()
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("recipe", overflow="fold")
    measured = all("bytes" in recipe for recipe in report["recipes"])
    batches = list(report["recipes"][0].get("milliseconds", {}))
    for name in (
        "test accuracy",
        f"{report['confidence']:.0%} interval",
        "SD over seeds",
        *(["size"] if measured else []),
        *(f"p50 of {rows}" for rows in batches),
    ):
        table.add_column(name, justify="right", no_wrap=True)
    for recipe in report["recipes"]:
        mean, low, high = (f"{recipe['accuracy'][name]:.4f}" for name in ("mean", "low", "high"))
        spread = f"{recipe['spread']:.4f}" if recipe["trainings"] else ""
        taken = [f"{recipe['milliseconds'][rows]['p50']:.1f} ms" for rows in batches]
        size = [f"{recipe['bytes'] / 1e6:,.1f} MB"] if measured else []
        table.add_row(Text(recipe["name"]), mean, f"{low} – {high}", spread, *size, *taken)
    out.print()
    out.print(table)
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
