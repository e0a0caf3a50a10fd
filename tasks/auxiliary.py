"""Auxiliary artifacts: what a stage asks of the store while it works, noted to be kept as long as its result."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Protocol, TypeVar

from .artifact import Artifact


class Obtained(Protocol):
    """What a stage came to."""

    @property
    def result(self) -> Any:
        """Its artifact."""


Came = TypeVar("Came", bound=Obtained)
_ASKED: ContextVar[list[Artifact] | None] = ContextVar("asked", default=None)


@contextmanager
def noting() -> Iterator[list[Artifact]]:
    """Collects what is served or made inside, by this stage and not by one that it asks."""
    asked: list[Artifact] = []
    token = _ASKED.set(asked)
    try:
        yield asked
    finally:
        _ASKED.reset(token)


def noted(outcome: Came) -> Came:
    """The same, noted for the stage that asks for it, if one does."""
    asked = _ASKED.get()
    if asked is not None:
        asked.append(outcome.result)
    return outcome
