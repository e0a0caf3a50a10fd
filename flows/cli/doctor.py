"""temper doctor: what this machine has, what is broken, and how to fix it."""

from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from ..services.databases import Finding
from ..services.machine_checks import examine
from ..services.service_error import ServiceError
from ..services.temporary_server import initialise
from .console import Console
from .failures import failures

MARKS = {"ok": "good", "note": "warning", "broken": "bad"}


Init = Annotated[bool, typer.Option("--init", help="Make the databases of Prefect and MLflow ready first.")]


def command(init: Init = False) -> None:
    """Show what this machine has for Temper, what is broken, and how to fix it.

    Inspects Python and the packages (two have bounds that pip does not know of), settings, databases, disk space,
    switches for working offline, servers, and the device that torch would train on. Changes nothing, except with
    --init, which `make setup` uses. Ends with code 1 where something is broken.
    """
    if init:
        make_ready()
    findings = list(examine())
    show(findings)
    if any(finding.state == "broken" for finding in findings):
        raise typer.Exit(1)


def make_ready() -> None:
    """Make both databases ready, and state it."""
    with failures():
        typer.echo("making the databases of Prefect and MLflow ready; the first time takes up to a minute")
        try:
            initialise()
        except Exception as error:
            raise ServiceError(f"the databases cannot be made ready: {type(error).__name__}: {error}") from None
        typer.echo("the databases are ready")


def show(findings: list[Finding]) -> None:
    """Print the findings as a table, each fix below what it fixes."""
    table = Table(box=None, show_header=False, pad_edge=False)
    for finding in findings:
        line = Text(finding.detail, overflow="fold").append(f"\n→ {finding.fix}" if finding.fix else "", "bold")
        table.add_row(Text(finding.state, MARKS[finding.state]), Text(finding.what), line)
    Console().print(table)
