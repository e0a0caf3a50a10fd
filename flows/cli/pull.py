"""temper pull: the artifacts of a registered version, from the remote store."""

import typer
from rich.table import Table
from rich.text import Text

from ..services.stores import require
from .arguments import ModelVersion
from .console import Console
from .failures import failures


def command(model: ModelVersion) -> None:
    """Bring a registered version's artifacts from the remote store, so that a rerun of its recipe is served.

    TEMPER_REMOTE names the store. Ends with code 1 where one of them is not there: that stage would run again.
    """
    with failures():
        require("MLflow")
        from tasks.tracking.made_from import digests_of

        from ..pull import pull_version

        version, digests = digests_of(model)
        stages = list(pull_version(digests))
    table = Table(box=None, show_header=False, pad_edge=False)
    for stage in stages:
        size = f"{stage.size / 2**20:,.1f} MiB" if stage.state == "brought" else stage.reason
        table.add_row(stage.stage, Text(stage.state, "bad" if stage.state == "missing" else "good"), Text(size))
    console = Console()
    console.print(Text(version, "bold"))
    console.print(table)
    if any(stage.state == "missing" for stage in stages):
        raise typer.Exit(1)
