"""temper export: a registered model in another form, registered only if it predicts the same on real test rows."""

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table
from rich.text import Text

from configs.environment import quiet_prefect
from tasks.artifact import StageError
from tasks.export.routes import Name, open_route
from tasks.kinds.spec import open_kind
from tasks.store.events import listeners

from ..services.stores import require
from ..services.temporary_server import prefect_api
from .arguments import AsJson
from .console import Console, print_json, program
from .failures import failures
from .progress import ProgressDisplay

if TYPE_CHECKING:
    from ..export import Exported


def command(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="NAME (its champion), NAME@alias or NAME/version.")],
    to: Annotated[
        Name,
        typer.Option("--to", help="ONNX, the same in eight bits, torch.export, or a transformers folder."),
    ] = "onnx",
    rows: Annotated[
        int | None, typer.Option("--rows", min=1, help="Ask so many test rows, drawn by the recipe's seed; else all.")
    ] = None,
    tolerance: Annotated[
        float | None,
        typer.Option("--tolerance", min=0, help="Largest difference of a score, in standard deviations of the scores."),
    ] = None,
    why: Annotated[str, typer.Option("--why", help="The reason for a tolerance of your own, which is recorded.")] = "",
    output: Annotated[Path | None, typer.Option("--output", help="Copy the files into this new folder too.")] = None,
    as_json: AsJson = False,
) -> None:
    """Export a registered model to another form, and register it if it predicts the same.

    `temper export reviews-demo --to onnx` registers the champion of reviews-demo as an ONNX graph too, which
    `temper predict`, `temper serve` and mlflow.pyfunc use as any other version, without torch.
    `temper export reviews-minilm --to merged --output FOLDER` writes a folder that transformers and servers of its
    models read without Temper; of a dialogue model with the chat template in it.

    The exported model is asked the test rows in a process of its own, and compared with what the registered one
    predicted for them. Files, inputs, batch shapes, scores, predictions, the metric (by the paired test), calibration
    and the predicted classes are checked; where one fails nothing is registered, the report is kept in the MLflow run,
    and the exit code is 1. The export of a champion gets the alias champion-onnx (or champion-int8 …); it follows a new
    champion when that is exported.
    """
    with failures():
        open_route(to)
        _require_new(output)
        quiet_prefect()
        require("Prefect", "MLflow")
        from tasks.tracking.report_pages import find_version

        find_version(model)  # a name that is none is known before a server starts
        with ProgressDisplay() as display, listeners(display.show), prefect_api():
            from ..export import export

            result = export(model, to, tolerance, why, rows)
        _copy_out(result, output)
    if as_json:
        print_json(result)
    else:
        show(result, output)
    if not result["passed"]:
        raise typer.Exit(1)


def _require_new(output: Path | None) -> None:
    if output is not None and output.exists() and (not output.is_dir() or any(output.iterdir())):
        raise StageError(f"--output {output} exists already; name a new folder")


def _copy_out(result: "Exported", output: Path | None) -> None:
    """The files of what was registered, now or before."""
    if output is not None and result["version"] is not None:
        from tasks.tracking.models import model_folder

        shutil.copytree(model_folder(result["model"], result["version"]), output, dirs_exist_ok=True)


def show(result: "Exported", output: Path | None = None) -> None:
    """The checks, sizes and times, and what became of it."""
    from tasks.export.gate_page import measures, power

    out, report = Console(), result["report"]
    named = f"{result['model']} version {result['origin']}"
    if result["again"]:
        out.print(Text(f"{named} was exported to {result['to']} already, as version {result['version']}"))
        _show_output(out, output)
        return
    table = Table(box=None, pad_edge=False, show_header=False)
    for check in report["checks"]:
        mark = Text("✓", "good") if check["passed"] else Text("✗", "bad")
        table.add_row(mark, Text(check["name"], "bold"), Text(check["seen"]))
    out.print()
    out.print(table)
    out.print()
    out.print(Text(power(report), "quiet"))
    sizes = Table(box=None, pad_edge=False, header_style="bold")
    for name, side in (("", "left"), ("registered", "right"), ("exported", "right"), ("", "right")):
        sizes.add_column(name, justify=side)  # type: ignore[arg-type]
    for line in measures(report):
        sizes.add_row(*line)
    out.print(sizes)
    out.print()
    if not result["passed"]:
        failed = ", ".join(check["name"] for check in report["checks"] if not check["passed"])
        out.print(Text(f"{named} as {result['to']} is refused: {failed}. Nothing was registered.", "bad"))
        return
    alias = f" and has the alias {result['alias']}" if result["alias"] else ""
    out.print(Text(f"{named} as {result['to']} is version {result['version']} of {result['model']}{alias}", "good"))
    _show_output(out, output)
    asked = f"{result['model']}/{result['version']}"
    chats = open_kind(result["kind"]).chats
    out.print(Text(f"Try:     {program()} {f'chat {asked}' if chats else f'predict {asked} …'}"), soft_wrap=True)


def _show_output(out: Console, output: Path | None) -> None:
    if output is not None:
        out.print(Text(f"Its files are in {output}"), soft_wrap=True)
