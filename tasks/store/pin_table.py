"""What was hashed and resolved before: a file below the store, which only saves work."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from configs.settings import settings

from ..artifact import canonical, read_plain
from .disk import remove, write_synced
from .lock import READ_ONLY, locked

TABLE = "pins.json"


@contextmanager
def pin_table() -> Iterator[dict[str, Any]]:
    """What was hashed and resolved before; a damaged table is begun again, since it only saves work."""
    root = settings().store
    with locked(root / "pins.lock", readable=True):
        try:
            table = json.loads(read_plain(root / TABLE))
            files, commits = table["files"], table["commits"]
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            files, commits = {}, {}
        before = canonical({"files": files, "commits": commits})
        yield (table := {"files": files, "commits": commits})
        if canonical(table) != before:
            _keep(root / TABLE, canonical(table))


def _keep(path: Path, text: str) -> None:
    """Write the table; where the store is read-only, what was hashed is hashed again the next time."""
    try:
        if not path.is_file():
            remove(path)
        write_synced(path, text)
    except OSError as error:
        if error.errno not in READ_ONLY:
            raise
