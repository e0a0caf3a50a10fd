"""Sources of this project's modules: each is read once in a process, and parsed whatever other threads parse."""

import ast
from contextlib import suppress
from functools import cache
from pathlib import Path

from configs.settings import HOME

TRIES = 10
"""Times that a source is parsed before an error of the interpreter's own counts."""


@cache
def source(module: str) -> str:
    """Text of a module or package, as it was when this process first read it."""
    return path_of(module).read_text(encoding="utf-8")


def path_of(module: str) -> Path:
    """Where a module, or a package's own module, lies."""
    path = HOME.joinpath(*module.split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def parse(text: str) -> ast.Module:
    """The syntax tree. CPython 3.11 raises SystemError where another thread parses too (python/cpython#106905), be it
    one of Prefect's: the next try, which begins again, succeeds unless that happens again."""
    for _ in range(TRIES - 1):
        with suppress(SystemError):
            return ast.parse(text)
    return ast.parse(text)
