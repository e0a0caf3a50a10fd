"""temper report: what a run came to, as one HTML file for the team."""

from pathlib import Path
from typing import Annotated

import typer

from ..report import write_report
from ..row_inspection import open_viewer
from ..services.stores import require
from .console import Console, print_line
from .failures import failures


def command(
    what: Annotated[
        str,
        typer.Argument(
            metavar="RECIPE|MODEL", help="A recipe's file, or NAME (its champion), NAME@alias or NAME/version."
        ),
    ],
    overrides: Annotated[
        list[str] | None, typer.Argument(metavar="[KEY=VALUE]...", help="Changes of the recipe, as section.key=value.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Write the page here instead of below TEMPER_HOME.")
    ] = None,
    view: Annotated[bool, typer.Option("--open", help="Show the page in the system's browser.")] = False,
) -> None:
    """Write what a run came to as one HTML page: data, masks, curves, test, decision, lineage.

    The page needs no server, no network and no script, so that it can be mailed and printed. It is written from cached
    results and from MLflow, and nothing is run: `temper run RECIPE` comes first. It lies in reports/ below TEMPER_HOME,
    and as it was when a version was registered in the version's MLflow run.
    """
    with failures():
        require("MLflow")
        place = write_report(what, overrides or [], out)

    Console().print(str(place), soft_wrap=True)
    if view and (problem := open_viewer(place)):
        print_line(f"{problem}; the page is {place}")
