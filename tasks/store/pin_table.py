"""What was hashed and resolved before: a file below the store, which only saves work."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TypedDict

from configs.settings import settings

from ..artifact import canonical, read_plain
from .disk import remove, write_synced
from .lock import READ_ONLY, locked

TABLE = "pins.json"


class Resolved(TypedDict):
    """A commit of the Hub, and when it was resolved, in seconds since 1970."""

    commit: str
    asked: int


@dataclass(frozen=True)
class PinTable:
    """By path a file's marks and sha256, or a folder's (with a slash at its end); by name of a revision its commit."""

    files: dict[str, Mapping[str, object]] = field(default_factory=dict)
    commits: dict[str, Resolved] = field(default_factory=dict)


@contextmanager
def pin_table() -> Iterator[PinTable]:
    """What was hashed and resolved before; a damaged table is begun again, since it only saves work."""
    root = settings().store
    with locked(root / "pins.lock", readable=True):
        try:
            kept = json.loads(read_plain(root / TABLE))
            table = PinTable(kept["files"], kept["commits"])
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            table = PinTable()
        before = canonical(asdict(table))
        yield table
        if (now := canonical(asdict(table))) != before:
            _keep(root / TABLE, now)


def _keep(path: Path, text: str) -> None:
    """Write the table; where the store is read-only, what was hashed is hashed again the next time."""
    try:
        if not path.is_file():
            remove(path)
        write_synced(path, text)
    except OSError as error:
        if error.errno not in READ_ONLY:
            raise
