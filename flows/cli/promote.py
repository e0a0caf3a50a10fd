"""temper promote: a person makes a version champion, and says why."""

from typing import Annotated

import typer
from rich.text import Text

from ..services.stores import require
from .arguments import ModelName
from .console import Console
from .failures import failures


def command(
    model: ModelName,
    version: Annotated[int, typer.Argument(metavar="VERSION", min=1, help="Its number, as `temper history` shows it.")],
    why: Annotated[str, typer.Option("--why", help="The reason, which is recorded.")],
) -> None:
    """Make a version champion by hand, against or without a verdict; who, why and when are recorded.

    A comparison or a threshold can be overruled. What cannot be promoted: a version whose scores are no numbers, that
    has no report or signature, or that predicts otherwise than its report in a fresh process. `temper rollback` takes a
    promotion back.
    """
    with failures(), Console(stderr=True).status(f"proving version {version} in a fresh process"):
        require("MLflow")
        from tasks.tracking.aliases import promote

        entry = promote(model, str(version), why)
    Console().print(Text(model, "bold") + Text(f": champion {entry.before or 'none'} → {entry.after}, by {entry.who}"))
