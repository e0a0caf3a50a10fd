"""Options of a command that reads a table -> fields of a recipe's source; and what the reader says in those options."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Annotated, Any

import typer

from tasks.data.errors import DataError

KEYS = "format|encoding|header|separator|quoting|escape|pattern|member"
"""Fields of a source that are options too."""
KEY = re.compile(rf"`({KEYS})(?:: ([^`]{{1,200}}))?`|\bdownload\.({KEYS})\b")

Format = Annotated[str | None, typer.Option("--format", help="csv, tsv, jsonl, lines, conll, parquet or arrow.")]
Encoding = Annotated[str | None, typer.Option(help="Character encoding, or `detect`; default utf-8.")]
Header = Annotated[str | None, typer.Option(metavar="A,B,…", help="Column names, where the first line is a row.")]
Separator = Annotated[str | None, typer.Option(help="Between fields of CSV; default a comma.")]
Quoting = Annotated[bool | None, typer.Option(help="Whether double quotes group a field.")]
Escape = Annotated[str | None, typer.Option(help="Before quotes that belong to a field.")]
Pattern = Annotated[str | None, typer.Option(help="With --format lines: what a line is.")]
Member = Annotated[str | None, typer.Option(help="The table in an archive of several.")]


Reading = Mapping[str, object]
"""Fields of a source by name."""


def given_reading(**options: Any) -> Reading:
    r"""The fields that are set. A header is names with commas between them, and `\t` a tab."""
    given = {name: value for name, value in options.items() if value is not None}
    if "header" in given:
        given["header"] = tuple(name.strip() for name in given["header"].split(","))
    if given.get("separator") == "\\t":
        given["separator"] = "\t"
    return given


def as_options(message: str) -> str:
    """A message that names keys of a recipe, with the options in their place."""
    return KEY.sub(_option, message)


def _option(key: re.Match[str]) -> str:
    name, value = key[1] or key[3], key[2]
    if name == "quoting":
        return "`--no-quoting`" if value == "false" else "`--quoting`"
    return f"`--{name} {value}`" if value else f"`--{name}`"


@contextmanager
def fixes_as_options() -> Iterator[None]:
    """What is stated about a file names options of the command. Raises what is raised inside."""
    from configs.load import RecipeError

    try:
        yield
    except DataError as error:
        raise DataError(as_options(str(error))) from None
    except RecipeError as error:
        raise RecipeError(as_options(str(error))) from None
