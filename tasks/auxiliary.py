"""Auxiliary artifacts: what a stage asks of the store while it works, noted to be kept as long as its result."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Protocol, TypeVar

from .artifact import Artifact
from .documents import Reference


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


def by_name(asked: Sequence[Artifact]) -> dict[str, Reference]:
    """What was asked for, as a manifest lists it: by stage, the second of a stage with its number."""
    named: dict[str, Reference] = {}
    for artifact in asked:
        earlier = sum(known["stage"] == artifact.stage for known in named.values())
        named[f"{artifact.stage} {earlier + 1}" if earlier else artifact.stage] = artifact.reference
    return named
