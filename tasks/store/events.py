"""What stages report to whoever listens: started, progress, note, finished, failed."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Literal, NotRequired, TypedDict

Status = Literal["cached", "run", "resumed"]


class StageLine(TypedDict):
    """A stage in the documents of `temper plan` and `temper run`; the status is also `unknown` in a plan. within: the
    stage that asks for what is none itself."""

    stage: str
    key: str
    status: str
    changed: list[str]
    seconds: float
    within: NotRequired[str]


@dataclass(frozen=True)
class Event:
    """What a person at a terminal hears of a stage."""

    stage: str
    kind: Literal["started", "progress", "note", "finished", "failed"]
    text: str = ""
    done: int = 0
    total: int = 0
    status: Status | None = None
    seconds: float = 0.0
    key: str = ""
    changed: tuple[str, ...] = ()


_LISTENERS: ContextVar[tuple[Callable[[Event], None], ...]] = ContextVar("listeners", default=())


@contextmanager
def listeners(*functions: Callable[[Event], None]) -> Iterator[None]:
    """Call the functions with the events of stages that run inside."""
    token = _LISTENERS.set(functions)
    try:
        yield
    finally:
        _LISTENERS.reset(token)


def emit(event: Event) -> None:
    """Call every listener with the event."""
    for function in _LISTENERS.get():
        function(event)
