"""temper report: what a run came to, as one HTML file for the team."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..report import default_place, report_of_model, report_of_recipe
from ..row_inspection import open_viewer
from ..services.stores import require
from .console import Console, print_line
from .failures import failures

if TYPE_CHECKING:
    from ..report import Report

RECIPES = (".yaml", ".yml")


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
    from configs.load import RecipeError

    with failures():
        if out is not None and out.suffix.lower() not in (".html", ".htm"):
            raise RecipeError(f"--out {out}: the page is HTML; give a name that ends in .html")
        require("MLflow")
        report = _report(what, overrides or [])
        place = (out.expanduser() if out else default_place(report)).absolute()
        if out is None:
            place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(report.html, encoding="utf-8")

    Console().print(str(place), soft_wrap=True)
    if view and (problem := open_viewer(place)):
        print_line(f"{problem}; the page is {place}")


def _report(what: str, overrides: list[str]) -> "Report":
    from configs.load import RecipeError, load_recipe

    if what.endswith(RECIPES) or Path(what).is_file():
        return report_of_recipe(load_recipe(Path(what), overrides), shlex.join(["temper", "run", what, *overrides]))
    if overrides:
        raise RecipeError(
            f"{what} is a model, whose recipe is done; leave {overrides[0]} out, or give the recipe's file"
        )
    return report_of_model(what)
