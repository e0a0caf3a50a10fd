"""Artifacts that processes read: each manifest stays locked, shared, until its reader ends, so that none is deleted."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..artifact import MANIFEST
from .lock import alone

_HELD: dict[Path, int] = {}
"""Open manifests of this process, each under a shared lock, which ends with the process however that ends."""


def hold(directory: Path) -> bool:
    """Keep an artifact from being deleted until this process ends; False where it has been deleted by now."""
    path = directory / MANIFEST
    held = _HELD.get(path)
    if held is not None and _is_still(held, path):
        return True
    if (handle := _open(path)) is None:
        return False
    fcntl.flock(handle, fcntl.LOCK_SH)
    if not _is_still(handle, path):
        os.close(handle)
        return False
    if held is not None:
        os.close(held)
    _HELD[path] = handle
    return True


def release() -> None:
    """Give up all that this process holds; for one that goes on and reads no more of it."""
    while _HELD:
        os.close(_HELD.popitem()[1])


@contextmanager
def unread(directory: Path) -> Iterator[bool]:
    """Keep readers away inside; False where a process reads the artifact already, or it is gone."""
    if (handle := _open(directory / MANIFEST)) is None:
        yield False
        return
    with alone(handle) as free:
        yield free


def _open(path: Path) -> int | None:
    """The manifest; None where there is none."""
    try:
        return os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return None


def _is_still(handle: int, path: Path) -> bool:
    """Whether the path leads to the file that is open: a deleted artifact may have been made again."""
    try:
        return os.path.samestat(os.fstat(handle), path.stat())
    except FileNotFoundError:
        return False
