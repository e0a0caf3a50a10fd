"""How a delimited file is to be read: by the recipe's keys, and by what the file itself declares."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ..files import text_encoding

BLOCK = 2**20
DECLARED = re.compile(r'"?sep=([^"\r\n])"?')
"""Excel's first line, which says what separates the fields."""


class Delimiting(Protocol):
    """How a delimited file is read (fields of a recipe's source)."""

    @property
    def encoding(self) -> str:
        """Character encoding."""

    @property
    def header(self) -> tuple[str, ...] | None:
        """Column names where the first line is a row."""

    @property
    def separator(self) -> str | None:
        """Between fields of CSV; None: a comma, in TSV a tab."""

    @property
    def quoting(self) -> bool:
        """Whether double quotes group."""

    @property
    def escape(self) -> str | None:
        """The character before a quote, separator or line end that belongs to a field; None: quotes are doubled."""


@dataclass(frozen=True)
class Dialect:
    """What stands between fields and behind rows of one file, and the lines before its first record."""

    separator: str
    quoting: bool
    escape: str | None
    line_end: str
    skipped: int


def find_dialect(path: Path, kind: str, how: Delimiting, notes: list[str]) -> Dialect:
    """The dialect of a file: the recipe's words, and what the file itself declares."""
    line_end = _line_end(path, how.encoding)
    with path.open(encoding=text_encoding(how.encoding), newline=line_end) as handle:
        first = handle.readline(BLOCK)
    separator = "\t" if kind == "tsv" else how.separator or ","
    declared = DECLARED.fullmatch(first.rstrip("\r\n"))
    if declared is None:
        return Dialect(separator, how.quoting, how.escape, line_end, 0)
    if how.separator is None:
        separator = declared[1]
        notes.append(f"the first line, sep={separator}, declares what separates the fields")
    return Dialect(separator, how.quoting, how.escape, line_end, 1)


def _line_end(path: Path, encoding: str) -> str:
    """A line feed, unless the file has none: then a carriage return, as on old Macs."""
    with path.open(encoding=text_encoding(encoding), newline="") as handle:
        for block in iter(lambda: handle.read(BLOCK), ""):
            if "\n" in block:
                return "\n"
    return "\r"
