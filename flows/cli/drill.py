"""temper drill: known faults planted in a small copy of a recipe's own pipeline, and which gate catches each."""

from pathlib import Path
from typing import TYPE_CHECKING

import typer
from rich.table import Table
from rich.text import Text

from .arguments import AsJson, Overrides, RecipeFile
from .console import Console, print_json, print_line
from .failures import failures

if TYPE_CHECKING:
    from ..drill.fault import Finding

COLOURS = {"caught": "good", "uncaught": "bad", "not applicable": "quiet"}


def command(recipe: RecipeFile, overrides: Overrides = None, as_json: AsJson = False) -> None:
    """Plant each known fault in a small copy of a recipe's pipeline, and show which gate catches it.

    A sample of the recipe's rows goes through its own stages with a small model, in a folder that is deleted at the
    end; nothing is registered. Then faults are planted one by one: copies across the splits, labels and masks that are
    wrong, damaged files, killed processes, a full disk, challengers that are no better. Each must be caught by a gate,
    which is named; a fault that cannot occur in this kind of recipe is stated as such. Ends with exit code 1 where one
    is not caught. `temper report` shows the last drill of a recipe.
    """
    with failures():
        from configs.load import load_recipe

        loaded = load_recipe(recipe, overrides or [])
        from ..drill.run import document, drill, keep

        print_line("running a small copy of the pipeline")
        findings = drill(
            Path(recipe), overrides or [], lambda finding: print_line(f"{finding.outcome}: {finding.fault}")
        )
        result = document(loaded.name, findings)
        keep(loaded.name, result)
    if as_json:
        print_json(result)
    else:
        show(findings)
    if result["uncaught"]:
        raise typer.Exit(1)


def show(findings: "list[Finding]") -> None:
    """A line per fault, and how many were caught."""
    out = Console()
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("fault", "", "gate", "what it states"):
        table.add_column(name, overflow="fold")
    for finding in findings:
        table.add_row(finding.fault, Text(finding.outcome, COLOURS[finding.outcome]), finding.gate, finding.statement)
    out.print(table)
    uncaught = [finding.fault for finding in findings if finding.outcome == "uncaught"]
    applied = sum(finding.outcome != "not applicable" for finding in findings)
    out.print(f"\n{applied - len(uncaught)} of {applied} faults caught", style="bad" if uncaught else "good")
