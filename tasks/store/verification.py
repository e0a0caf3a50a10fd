"""Whether every cached file is hashed where it is served, whatever its size (`--verify`)."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

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
