"""temper data: where every row of a recipe's source went, counted."""

from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich.table import Table
from rich.text import Text

from tasks.store.events import listeners

from ..row_counts import count_rows
from ..stage_graph import perform_until
from .arguments import AsJson, Overrides, RecipeFile
from .console import Console, print_json
from .failures import failures
from .progress import ProgressDisplay

if TYPE_CHECKING:
    from ..trace_document import RowCounts

MOST = 10
"""Reasons shown."""


def command(
    recipe: RecipeFile,
    overrides: Overrides = None,
    until: Annotated[
        Literal["split", "encode"],
        typer.Option("--until", help="Last stage that is inspected; `split` spares the tokenizer."),
    ] = "encode",
    as_json: AsJson = False,
) -> None:
    """Show what each stage kept and dropped, the commonest reasons, and how labels fall into the parts.

    Every raw row is counted once: in train, validation or test, or dropped with a reason; where that does not hold
    the exit code is 1. `temper trace` follows one row. The same counts are a picture, `5-encode/rows.png`, in MLflow.

    Runs the stages up to `encode` where they are not cached, and nothing behind: no training.
    """
    from configs.load import load_recipe

    with failures():
        loaded = load_recipe(recipe, overrides or [])

        with ProgressDisplay("reading") as display, listeners(display.show):
            outcomes = perform_until(loaded, until)
        document = count_rows({name: outcome.result for name, outcome in outcomes.items()})

    print_json(document) if as_json else _show(document)


def _show(facts: "RowCounts") -> None:
    console = Console()
    raw = facts["raw"]
    _print(console, ("stage", "in", "kept", "dropped"), [list(line.values()) for line in facts["stages"]])
    listed = ("rows listed",) if any("listed" in step for step in facts["steps"]) else ()
    changes = [
        [step["step"], step["changed"], step["dropped"], step.get("listed", "")][: 3 + len(listed)]
        for step in facts["steps"]
    ]
    _print(console, ("step of clean", "texts changed", "rows dropped", *listed), changes)
    if facts["warnings"]:
        _print(console, ("does not hold (a warning)", "found"), [list(line.values()) for line in facts["warnings"]])
    reasons = [[line["outcome"], line["stage"], line["rows"], f"{line['share']:.2%}"] for line in facts["reasons"]]
    if reasons:
        _print(console, ("dropped because", "in", "rows", "of all"), reasons[:MOST])
    if len(reasons) > MOST:
        console.print(f"and {len(reasons) - MOST} rarer reasons: --json has them all\n", style="quiet")
    _print(
        console,
        ("label", "train", "validation", "test", "dropped"),
        [
            ["(no label)" if line["label"] is None else line["label"], *list(line.values())[1:]]
            for line in facts["labels"]
        ],
    )
    total = " + ".join(f"{count:,} {part}" for part, count in facts["parts"].items())
    console.print(f"{raw:,} raw rows = {total} + {facts['dropped']:,} dropped")


def _print(console: Any, header: tuple[str, ...], rows: list[list[Any]]) -> None:
    words = ("found", *(() if header[0] == "stage" else ("in",)))
    table = Table(box=None, pad_edge=False, header_style="bold")
    for number, name in enumerate(header):
        table.add_column(name, justify="left" if number == 0 or name in words else "right")
    for row in rows:
        table.add_row(*(Text(f"{cell:,}" if isinstance(cell, int) else str(cell)) for cell in row))
    console.print(table)
    console.print()
