"""Serving a cached artifact, and whether every file of it is hashed then, whatever its size (`--verify`)."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

from ..artifact import Artifact
from . import disk

_VERIFY: ContextVar[bool] = ContextVar("verify", default=False)


@contextmanager
def verifying(on: bool = True) -> Iterator[None]:
    """Hash every cached file that is opened inside."""
    token = _VERIFY.set(on)
    try:
        yield
    finally:
        _VERIFY.reset(token)


def verify_all() -> bool:
    """Whether a caller asked for it."""
    return _VERIFY.get()


def serve(root: Path, stage: str, key: str, say: Callable[[str], None]) -> Artifact | None:
    """The artifact where it lies intact; a damaged one is quarantined, and `say` says why."""
    try:
        return disk.find(root, stage, key, verify=verify_all())
    except ValueError as damage:
        aside = disk.set_aside(root, stage, key)
        say(f"the cached artifact is damaged ({damage}); quarantined as {aside.name} and rebuilt")
        return None
