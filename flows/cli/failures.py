"""Failures as a person should meet them: what, where, how to fix; the exit code; no traceback."""

import errno
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

import typer

STOPPED = "stopped; what was finished is kept, and a training goes on from its last checkpoint at the next run"
READ_ONLY = "; what is made lies below TEMPER_HOME: set it to a folder that can be written"
TERMINATED = 128 + signal.SIGTERM
"""What a shell makes of a process that SIGTERM ended."""


class Terminated(BaseException):
    """SIGTERM, raised where the work stands, so that all that is open is closed on the way out."""


@contextmanager
def failures() -> Iterator[None]:
    """Turn expected errors into a message on stderr and an exit code: 2 for recipe or usage, 1 for a stage.

    SIGTERM ends the work like Ctrl-C, with the exit code 143.
    """
    from pydantic import ValidationError

    from configs.load import RecipeError
    from tasks.artifact import StageError
    from tasks.data.errors import DataError
    from tasks.store.failure import full_disk_named

    from ..services.service_error import ServiceError
    from .library_errors import library_error

    try:
        with _terminable(), full_disk_named():
            yield
    except RecipeError as error:
        _say(str(error))
        raise typer.Exit(2) from None
    except (StageError, DataError, ServiceError, FloatingPointError) as error:
        _say("\n".join([str(error), *getattr(error, "__notes__", ())]))
        raise typer.Exit(1) from None
    except ValidationError as error:  # settings are the one place where pydantic speaks for itself
        for item in error.errors():
            name, message = ".".join(map(str, item["loc"])).upper(), item["msg"].removeprefix("Value error, ")
            _say(f"setting TEMPER_{name}: {message}, got {item['input']!r}")
        raise typer.Exit(2) from None
    except OSError as error:
        if explained := library_error(error):  # of requests these are too
            _say(explained)
            raise typer.Exit(1) from None
        where = f"{error.filename or ''}: {error.strerror or error}".removeprefix(": ")
        _say(f"{where}{READ_ONLY if error.errno == errno.EROFS else ''}")
        raise typer.Exit(1) from None
    except RecursionError:
        _say("something in the data is nested more deeply than can be read; make it flatter")
        raise typer.Exit(1) from None
    except Exception as error:
        if (explained := library_error(error)) is None:
            raise
        _say(explained)
        raise typer.Exit(1) from None
    except KeyboardInterrupt:
        _say(STOPPED)
        raise typer.Exit(1) from None
    except Terminated:
        _say(STOPPED)
        raise typer.Exit(TERMINATED) from None


@contextmanager
def until_stopped() -> Iterator[None]:
    """For commands that Ctrl-C or SIGTERM end in any case, inside `failures`: both are how the work ends here."""
    signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored where a shell started this in the background
    try:
        yield
    except (KeyboardInterrupt, Terminated):
        print("stopping", file=sys.stderr, flush=True)


@contextmanager
def _terminable() -> Iterator[None]:
    """Let SIGTERM raise Terminated inside; in a flow Prefect takes note of it first, and then sends it on."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise Terminated

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _say(text: str) -> None:
    from rich.text import Text

    from .console import Console

    Console(stderr=True).print(Text("error: ", "bad") + Text(text), soft_wrap=True)
