"""Whose turn it is to write to MLflow about one model, model digest or training; loads no mlflow.

MLflow looks up and writes in separate steps, which two processes at once do twice. Each kind of lock has a folder of
its own, and a file's name is a digest: whatever a model is called, it meets no other file.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from configs.settings import settings

from ..artifact import digest_text
from ..store.lock import locked

Kind = Literal["deciding", "registering", "trainings", "store", "searching"]


def turn_path(kind: Kind, *names: str) -> Path:
    """The file whose lock is the turn."""
    return settings().mlruns / "locks" / kind / f"{digest_text(chr(0).join(names))[:32]}.lock"


@contextmanager
def turn(kind: Kind, *names: str, waiting: Callable[[], None] = lambda: None) -> Iterator[None]:
    """Be the only process of this machine that does this kind of work on what these names stand for."""
    with locked(turn_path(kind, *names), waiting=waiting):
        yield
