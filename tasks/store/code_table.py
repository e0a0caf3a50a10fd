"""What stages reach of this project's code: a file below the store, which only saves parsing the sources again.

It holds for one digest of every source of `tasks` and `configs`, so that it cannot be stale: with any other source,
another Python or another grimp all of them are parsed again.
"""

import hashlib
import importlib.metadata
import json
import sys
import threading
from functools import cache
from pathlib import Path

from configs.settings import HOME, settings

from ..artifact import canonical, digest_text, read_plain
from .code import reached, versions
from .disk import write_synced
from .failure import FULL
from .lock import READ_ONLY, locked

TABLE = "code.json"
LOCK = "code.lock"
PACKAGES = ("tasks", "configs")

Reached = tuple[dict[str, str], list[str]]
"""Digests of code by module, and names of libraries: see `code.reached`."""


def reached_code(*modules: str) -> tuple[dict[str, str], dict[str, str]]:
    """Code digests by module and library versions by name, as `code.closure` has them; one thread at a time."""
    with _TURN:
        code, libraries = _reached(modules)
    return code, versions(set(libraries))


_TURN = threading.Lock()


@cache
def _reached(modules: tuple[str, ...]) -> Reached:
    name, sources, root = " ".join(modules), _first_sources(), settings().store
    if (known := _table(root, sources).get(name)) is not None:
        return known
    code, libraries = reached(modules)
    parsed = code, sorted(libraries)
    if sources_digest() == sources:  # nobody edited them while they were parsed
        _keep(root, sources, name, parsed)
    return parsed


@cache
def _first_sources() -> str:
    """Of the sources when this process first asked: what is edited later is not the code that it runs."""
    return sources_digest()


def sources_digest() -> str:
    """Of every source's name and bytes, and of what parses them."""
    digest = hashlib.sha256(f"{sys.version} {importlib.metadata.version('grimp')}".encode())
    for path in sorted(path for package in PACKAGES for path in (HOME / package).rglob("*.py")):
        content = hashlib.sha256(path.read_bytes()).hexdigest()
        digest.update(f"\n{path.relative_to(HOME).as_posix()} {content}".encode())
    return digest.hexdigest()


@cache
def _table(root: Path, sources: str) -> dict[str, Reached]:
    """By modules what they reach; empty where the table is of other sources, or damaged."""
    try:
        table = json.loads(read_plain(root / TABLE))
        by_modules: dict[str, Reached] = table["reached"]
        intact = table["sha256"] == _checksum(sources, by_modules)
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return {}
    return by_modules if intact else {}


def _keep(root: Path, sources: str, name: str, parsed: Reached) -> None:
    """Add to the table; where it cannot be written, the sources are parsed again the next time."""
    try:
        with locked(root / LOCK, readable=True):
            _table.cache_clear()  # another process may have added to it
            table = _table(root, sources)
            table[name] = parsed
            write_synced(root / TABLE, canonical({"reached": table, "sha256": _checksum(sources, table)}))
    except OSError as error:
        if error.errno not in (*READ_ONLY, *FULL):
            raise


def _checksum(sources: str, table: dict[str, Reached]) -> str:
    return digest_text(sources + canonical(table))
