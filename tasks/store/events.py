"""What stages report to whoever listens: started, progress, note, finished, failed."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
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
    """What a person at a terminal hears of a stage. values: what a training measured at the step `done`."""

    stage: str
    kind: Literal["started", "progress", "note", "measured", "trial", "finished", "failed"]
    text: str = ""
    done: int = 0
    total: int = 0
    status: Status | None = None
    seconds: float = 0.0
    key: str = ""
    changed: tuple[str, ...] = ()
    values: Mapping[str, float] = field(default_factory=dict)


class Stopped(Exception):
    """Raised by a listener: the stage that reports shall end here. That is no failure, and nothing of it is kept."""


_LISTENERS: ContextVar[tuple[Callable[[Event], None], ...]] = ContextVar("listeners", default=())


@contextmanager
def listeners(*functions: Callable[[Event], None]) -> Iterator[None]:
    """Call the functions with the events of stages that run inside, after those that are called already."""
    token = _LISTENERS.set((*_LISTENERS.get(), *functions))
    try:
        yield
    finally:
        _LISTENERS.reset(token)


def emitting(stage: str, report: Callable[[int, Mapping[str, float]], None]) -> Callable[..., None]:
    """A training's report that is an event as well."""

    def both(step: int, values: Mapping[str, float]) -> None:
        report(step, values)
        emit(Event(stage, "measured", done=step, values=values))

    return both


def emit(event: Event) -> None:
    """Call every listener with the event."""
    for function in _LISTENERS.get():
        function(event)
