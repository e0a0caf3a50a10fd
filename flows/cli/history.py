"""temper history: a registered model's versions, and every decision about its champion."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from ..services.stores import require
from .arguments import AsJson, ModelName
from .console import Console, print_json
from .failures import failures

if TYPE_CHECKING:
    from tasks.tracking.aliases import History


def command(
    model: ModelName,
    as_json: AsJson = False,
) -> None:
    """Show a model's versions (aliases, verdict, test scores) and what was decided, by whom, why and when.

    The evidence behind each verdict (the paired test, slices, rows fixed and broken) lies in the version's MLflow run
    as decisions/….json.
    """
    with failures():
        require("MLflow")
        from tasks.tracking.aliases import history

        entries = history(model)

    if as_json:
        print_json(entries)
    else:
        show(entries)


def show(entries: "History") -> None:
    """Two tables: versions and decisions, the newest last."""
    out = Console()
    versions = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("version", "aliases", "test scores", "made (UTC)", "verdict"):
        versions.add_column(name, overflow="fold")
    for version in entries["versions"]:
        aliases = " ".join(f"@{alias}" for alias in version["aliases"])
        scores = "\n".join(f"{name} {value:.4f}" for name, value in version["scores"].items())
        created = datetime.fromtimestamp(version["created"], UTC).strftime("%Y-%m-%d %H:%M")
        versions.add_row(version["version"], aliases, scores, created, Text(version["verdict"] or "not settled"))
    out.print(versions)
    out.print()
    log = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("when (UTC)", "version", "decided", "champion", "by", "why"):
        log.add_column(name, overflow="fold")
    for decision in entries["decisions"]:
        log.add_row(
            str(decision["at"])[:16].replace("T", " "),
            decision["version"],
            decision["decided"],
            moved(decision),
            Text(str(decision["who"])),
            Text(str(decision["why"])),
        )
    out.print(log)
    if entries["lost"]:
        from tasks.tracking.aliases import described_loss

        out.print(Text(f"{described_loss(entries['lost'])}; restore them where a backup has them", "warning"))


def moved(decision: Mapping[str, str | None]) -> str:
    """What became of the champion."""
    before, after = decision["before"] or "none", decision["after"] or "none"
    return f"{before} → {after}" if before != after else f"{after} stays"
