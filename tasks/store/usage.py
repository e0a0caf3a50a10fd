"""Which flow run of which recipe used which artifacts: a small file per run below the store, a line per artifact."""

import errno
import os
from dataclasses import dataclass
from pathlib import Path

from configs.settings import settings

from .lock import READ_ONLY

FOLDER = "runs"


@dataclass(frozen=True)
class Run:
    """A flow run: its recipe, its id, when it used its last artifact (seconds since 1970), and all that it used."""

    recipe: str
    run_id: str
    used: float
    artifacts: tuple[tuple[str, str], ...]
    """Stage and key of each."""
    path: Path


def record(recipe: str, run_id: str, stage: str, key: str) -> None:
    """Note that a run of this recipe used an artifact. Raises OSError."""
    path = settings().store / FOLDER / recipe / run_id
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="ascii") as handle:
        handle.write(f"{stage} {key}\n")


def mark_used(path: Path) -> None:
    """Note that what lies next to this lock, or is this file, is used now; a store that is read-only keeps no note."""
    try:
        os.utime(path)
    except OSError as error:
        if error.errno not in (*READ_ONLY, errno.ENOENT):
            raise


def runs(root: Path) -> list[Run]:
    """Every recorded run, the latest first; a line that a kill or a full disk cut is left out."""
    paths = [path for path in (root / FOLDER).glob("*/*") if path.is_file()]
    return sorted((_read(path) for path in paths), key=lambda run: run.used, reverse=True)


def _read(path: Path) -> Run:
    lines = path.read_text(encoding="ascii", errors="replace").split("\n")[:-1]
    used = tuple((words[0], words[1]) for words in map(str.split, lines) if len(words) == 2)
    return Run(path.parent.name, path.name, path.stat().st_mtime, used, path)
