"""Failures as a person should meet them: what, where, how to mend; the exit code; no traceback."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import typer


@contextmanager
def failures() -> Iterator[None]:
    """Turn expected errors into a message on stderr and an exit code: 2 for recipe or usage, 1 for a stage."""
    from pydantic import ValidationError

    from configs.load import RecipeError
    from tasks.artifact import StageError
    from tasks.data.files import DataError

    from .services import ServiceError

    try:
        yield
    except RecipeError as error:
        _say(str(error))
        raise typer.Exit(2) from None
    except (StageError, DataError, ServiceError, FloatingPointError) as error:
        _say(str(error))
        raise typer.Exit(1) from None
    except ValidationError as error:  # settings are the one place where pydantic speaks for itself
        for item in error.errors():
            _say(f"setting TEMPER_{'.'.join(map(str, item['loc'])).upper()}: {item['msg']}, got {item['input']!r}")
        raise typer.Exit(2) from None
    except OSError as error:
        _say(f"{error.filename or ''}: {error.strerror or error}".removeprefix(": "))
        raise typer.Exit(1) from None
    except KeyboardInterrupt:
        _say("stopped; what was finished is kept, and a training goes on from its last checkpoint at the next run")
        raise typer.Exit(1) from None


def _say(text: str) -> None:
    from rich.console import Console
    from rich.text import Text

    Console(file=sys.stderr).print(Text("error: ", "bold red") + Text(text), soft_wrap=True)
