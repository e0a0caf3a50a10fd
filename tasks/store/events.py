"""What stages tell whoever listens: started, progress, note, finished, failed."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Literal

Status = Literal["cached", "run", "resumed"]


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


_LISTENER: ContextVar[Callable[[Event], None]] = ContextVar("listener", default=lambda event: None)


@contextmanager
def heard_by(listener: Callable[[Event], None]) -> Iterator[None]:
    """Let `listener` hear the stages that run inside."""
    token = _LISTENER.set(listener)
    try:
        yield
    finally:
        _LISTENER.reset(token)


def tell(event: Event) -> None:
    """Say it to the listener, where there is one."""
    _LISTENER.get()(event)
