"""temper rollback: the previous champion is champion again."""

from typing import Annotated

import typer
from rich.text import Text

from ..services.stores import require
from .arguments import ModelName
from .console import Console
from .failures import failures


def command(
    model: ModelName,
    why: Annotated[str, typer.Option("--why", help="The reason, which is recorded.")] = "no reason given",
) -> None:
    """Take the last promotion back: the version that was champion before is champion again. It is recorded.

    Called again it goes one further back. A later run that finds the same model registered moves no alias.
    """
    with failures():
        require("MLflow")
        from tasks.tracking.aliases import rollback

        entry = rollback(model, why)
    Console().print(Text(model, "bold") + Text(f": champion {entry.before} → {entry.after}, by {entry.who}"))
