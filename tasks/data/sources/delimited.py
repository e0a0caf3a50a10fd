"""CSV and TSV -> a table of words. Every character of a field is kept, or the file is refused with line and fix."""

import csv
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import IO, Any

import pandas as pd
import pyarrow as pa

from ..errors import DataError
from ..files import text_encoding
from .dialect import Delimiting, Dialect, find_dialect

LONGEST = 2**31 - 1
"""Characters that a field may have; Python's own limit is 131,072."""
AT_ONCE = 65_536
"""Rows that are kept as Python's strings at once."""
RETURN, QUOTE, ESCAPE, SEPARATOR, LINE, NULL = map(chr, range(0xD800, 0xD806))
"""Stand for escaped characters while csv parses: halves of surrogate pairs, which no decoder gives."""


class NoColumnsError(DataError):
    """A file whose first line names no columns, however its lines are read."""


def read_delimited(path: Path, kind: str, how: Delimiting, notes: list[str]) -> pd.DataFrame:
    """Read CSV or TSV into a table of words; an empty field is missing. What a person should know goes to `notes`.

    Raises DataError where a quote closes inside a field or never, and for a line with more fields than columns.
    """
    remarks: list[str] = []
    dialect = find_dialect(path, kind, how, remarks)
    seen: Counter[str] = Counter()
    records = _records(path, how.encoding, dialect, seen)
    names = list(how.header or next((row for _, row in records), ()))
    if not names or not any(name.strip() for name in names):
        raise NoColumnsError(f"{path}: no columns found; the first line must name them, or set `header` to their names")
    if how.header is None:
        names = [name or f"Unnamed: {place}" for place, name in enumerate(names)]
    columns: list[list[pa.Array]] = [[] for _ in names]
    short: list[str] = []
    block: list[list[str]] = []
    for line, row in records:
        block.append(row if len(row) == len(names) else _fitted(row, len(names), short, f"{path}:{line}"))
        if len(block) == AT_ONCE:
            _store(block, columns, path)
            block = []
    _store(block, columns, path)
    if short:
        first = short[0].rpartition("/")[2]
        remarks.append(
            f"{len(short):,} lines have fewer fields than the {len(names)} columns; what lacks is missing "
            f"(first {first})"
        )
    if seen["returns"]:
        remarks.append(f"{seen['returns']:,} carriage returns inside lines are kept as characters of their fields")
    if (
        seen["spanning"]
        and dialect.quoting
        and fitting_columns(path, how, replace(dialect, quoting=False)) == len(names)
    ):
        remarks.append(
            f"{seen['spanning']:,} rows span several lines by their quotes, but every line would be a row of "
            "its own too; where quotes belong to the texts set `quoting: false`"
        )
    notes += remarks
    words = {place: pd.array(pa.chunked_array(arrays), dtype="str") for place, arrays in enumerate(columns)}
    frame = pd.DataFrame(words)
    frame.columns = pd.Index(names)
    return frame


def fitting_columns(path: Path, how: Delimiting, dialect: Dialect) -> int:
    """How many columns a dialect finds where every record has as many, up to empty fields behind them; else 0."""
    width = len(how.header or ())
    try:
        for _, row in _records(path, how.encoding, dialect, Counter()):
            width = width or len(row)
            if len(row) < width or any(row[width:]):
                return 0
    except DataError:
        return 0
    return width


class _Lines:
    """Lines of a file for csv.reader, in which what belongs to a field cannot be taken for its end.

    `begun`: line on which the record began; `blank`: whether it is a blank line; `first`: its first line; `marked`:
    whether there are marks in it.
    """

    def __init__(self, handle: IO[str], dialect: Dialect) -> None:
        self.handle, self.end, self.escape = handle, dialect.line_end, dialect.escape
        self.number = self.begun = self.returns = 0
        self.blank, self.marked, self.first = False, False, ""
        if dialect.escape is not None:
            escape, separator = re.escape(dialect.escape), re.escape(dialect.separator)
            self.null = re.compile(rf"(?<![^{separator}]){escape}N(?=[{separator}\r\n]|$)")
            self.pair = re.compile(rf"{escape}(.)", re.DOTALL)
            self.stands = {'"': QUOTE, dialect.escape: ESCAPE, dialect.separator: SEPARATOR, dialect.line_end: LINE}

    def __iter__(self) -> Iterator[str]:
        return self

    def begin(self) -> None:
        """The next line begins a record."""
        self.begun, self.marked = 0, False

    def __next__(self) -> str:
        line = next(self.handle)
        self.number += 1
        if self.begun == 0:
            self.begun, self.blank, self.first = self.number, line.isspace(), line
        else:
            self.blank = False
        if self.escape is not None and self.escape in line:
            line = self._marked(line)
            self.marked = True
        if "\r" in line:
            body = line.removesuffix(self.end).removesuffix("\r")
            if "\r" in body:
                self.returns += body.count("\r")
                self.marked = True
                return body.replace("\r", RETURN) + line[len(body) :]
        return line

    def _marked(self, line: str) -> str:
        """Escaped characters as marks; a line that ends with an escape goes on with the next."""
        marked = self.pair.sub(lambda pair: self.stands.get(pair[1], pair[0]), self.null.sub(NULL, line))
        while marked.endswith(LINE):
            more = next(self.handle, "")
            if not more:
                break
            self.number += 1
            marked += self.pair.sub(lambda pair: self.stands.get(pair[1], pair[0]), self.null.sub(NULL, more))
        return marked


def _records(path: Path, encoding: str, dialect: Dialect, seen: Counter[str]) -> Iterator[tuple[int, list[str]]]:
    """Records that are no blank lines, each with the line on which it begins; oddities are counted in `seen`.

    Raises DataError.
    """
    quoting: Any = csv.QUOTE_MINIMAL if dialect.quoting else csv.QUOTE_NONE
    csv.field_size_limit(LONGEST)
    back = {
        ord(RETURN): "\r",
        ord(QUOTE): '"',
        ord(ESCAPE): dialect.escape or "",
        ord(SEPARATOR): dialect.separator,
        ord(LINE): dialect.line_end,
        ord(NULL): f"{dialect.escape}N",
    }
    with path.open(encoding=text_encoding(encoding), newline=dialect.line_end) as handle:
        lines = _Lines(handle, dialect)
        for _ in islice(lines, dialect.skipped):
            pass
        reader = csv.reader(lines, delimiter=dialect.separator, quoting=quoting, strict=True)
        while True:
            lines.begin()
            try:
                row = next(reader)
            except StopIteration:
                break
            except csv.Error as error:
                raise DataError(f"{path}:{_complaint(lines, str(error))}") from None
            if lines.blank and len(row) < 2:
                continue
            if lines.marked:
                row = ["" if field == NULL else field.translate(back) for field in row]
            seen["spanning"] += lines.number > lines.begun
            yield lines.begun, row
        seen["returns"] += lines.returns


def _complaint(lines: _Lines, error: str) -> str:
    if "unexpected end" in error:
        return f"{lines.begun}: a quote that opens in this record never closes"
    if "expected after" in error:
        return f"{lines.begun}: a quote closes inside a field, before the end of it"
    return f"{lines.begun}: {error}"


def _fitted(row: list[str], width: int, short: list[str], where: str) -> list[str]:
    """A row of as many fields as there are columns. Raises DataError where one too many holds something."""
    if len(row) < width:
        short.append(where)
        return row + [""] * (width - len(row))
    if any(row[width:]):
        raise DataError(f"{where}: more fields than the {width} columns")
    return row[:width]


def _store(block: list[list[str]], columns: list[list[pa.Array]], path: Path) -> None:
    try:
        for arrays, values in zip(columns, zip(*block, strict=True) if block else [()] * len(columns), strict=True):
            arrays.append(pa.array([value or None for value in values], pa.large_string()))
    except UnicodeEncodeError as error:
        raise DataError(f"{path}: half of a surrogate pair ({error.object[error.start]!r}); save it as UTF-8") from None
