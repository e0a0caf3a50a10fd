"""Output: the unfinished artifact that a stage writes into, and the ways in which it reports while it works."""

import json
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Generic, TypeVar

from .artifact import StageError
from .store.events import Status

if TYPE_CHECKING:
    import pandas as pd

R = TypeVar("R")
Report = Callable[[int, Mapping[str, float]], None]
"""Takes a training step and the values measured there."""
Progress = Callable[[int, int, str], None]
"""Takes how much is done, of how much, and what is being done."""


def _silent(*_: object) -> None:
    """Reports to nobody (a stage called by itself)."""


def environment_secret(name: str) -> str:
    """The secret in the environment variable of this name. Raises StageError where there is none."""
    value = os.environ.get(name, "").strip()
    if not value:
        raise StageError(f"no environment variable {name} holds the token that the recipe names; set it")
    return checked_secret(name, value)


def checked_secret(name: str, value: str) -> str:
    """The value, fit to be sent. Raises StageError, which does not repeat it."""
    if not (value.isascii() and value.isprintable()) or " " in value:
        raise StageError(f"the secret {name} holds blanks or characters that no token has; set it again")
    return value


@dataclass(frozen=True)
class Outcome(Generic[R]):
    """What a stage came to: its result, whether it was served, what was new about its key, and the bytes that it wrote,
    its scratch files included."""

    result: R
    status: Status
    changed: tuple[str, ...] = ()
    disk: int = 0


@dataclass
class Output:
    """Where one stage writes; `folder` becomes the artifact once the stage returns."""

    folder: Path
    report: Report = _silent
    progress: Progress = _silent
    log: Callable[[str], None] = _silent
    secret: Callable[[str], str] = environment_secret
    counts: dict[str, int] = field(default_factory=dict)
    provenance: Mapping[str, object] | None = None
    """Where the bytes came from; stands in the manifest, outside the content's digest."""
    resumed: bool = False

    @property
    def data(self) -> Path:
        """What counts: digested, so no time, path, host or random id in it."""
        return self.folder / "data"

    @property
    def records(self) -> Path:
        """What a person reads: summary.md, table.json, pictures, curves."""
        return self.folder / "records"

    @property
    def scratch(self) -> Path:
        """A folder that outlives a kill but not the stage: checkpoints, half downloads."""
        path = self.folder / "scratch"
        path.mkdir(exist_ok=True)
        return path

    def forward(self, source: Path) -> None:
        """Hand an upstream file on under its name: a hard link, or a copy where the file system has none."""
        target = self.data / source.name
        try:
            os.link(source, target)
        except OSError:
            shutil.copyfile(source, target)

    def summary(self, markdown: str) -> None:
        """What both interfaces show of this stage."""
        (self.records / "summary.md").write_text(markdown.strip() + "\n", encoding="utf-8")

    def table(self, rows: Sequence[Mapping[str, object]]) -> None:
        """A table that Prefect shows as such; values must be plain and finite."""
        text = json.dumps(rows, ensure_ascii=False, allow_nan=False, indent=1)
        (self.records / "table.json").write_text(text, encoding="utf-8")

    def rows(
        self,
        stage: str,
        ledger: "pd.DataFrame",
        kept: "pd.Series",
        dropped: "pd.DataFrame",
        *,
        parts: "pd.Series | None" = None,
    ) -> "pd.DataFrame":
        """Account for every row that was alive in the ledger; write and return it (see data/ledger.py `advance`).

        Raises ValueError where a row is lost, doubled or from nowhere.
        """
        from .data.ledger import advance, write_ledger

        after = advance(ledger, stage, kept, dropped, parts=parts)
        write_ledger(after, self.data / "ledger.parquet")
        self.counts = {"in": len(kept) + len(dropped), "out": len(kept), "dropped": len(dropped)}
        return after


def new_output(folder: Path) -> Output:
    """An output with its folders made."""
    output = Output(folder)
    output.data.mkdir(parents=True, exist_ok=True)
    output.records.mkdir(exist_ok=True)
    return output
