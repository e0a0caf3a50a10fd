"""A file with a table (JSON lines or CSV) in; records whose columns are as a tool needs them, and their file, out."""

import csv
import io
import json
import math
from pathlib import Path
from typing import Any

from ..errors import DataError, check_file
from .calls import kind_of, parse_json
from .table_search import Record, Search

WANTED = {"range": "a number", "contains": "a text", "all_of": "a list of texts"}
"""What a column must hold for each way of matching; any single value can be equal."""


def read_table(path: Path, tool: str, how: Search) -> list[Record]:
    """Records by their columns, null where a row has no value. Raises DataError naming the tool, the file, the row.

    Columns of a CSV file that hold numbers alone become numbers; an empty cell is null.
    """
    check_file(path)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(
            f"tool {tool}: byte {error.start} of {path.name} is not UTF-8; save the table as UTF-8"
        ) from None
    match path.suffix.lower():
        case ".jsonl":
            rows = _lines(path.name, text)
        case ".csv":
            rows = _cells(path.name, text)
        case other:
            raise DataError(
                f"tool {tool}: a table is a .jsonl or .csv file, not {other or 'one without an ending'}; "
                f"save {path.name} as one of them"
            )
    names = list(dict.fromkeys(name for row in rows for name in row))
    _check(tool, path.name, how, rows, names)
    return [{name: row.get(name) for name in names} for row in rows]


def write_table(path: Path, records: list[Record]) -> None:
    """One record a line."""
    lines = [json.dumps(record, ensure_ascii=False) for record in records]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _lines(name: str, text: str) -> list[dict[str, Any]]:
    rows = []
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            row = parse_json(line, f"{name}:{number}")
            if not isinstance(row, dict):
                raise DataError(f"{name}:{number} is {kind_of(row)}; a record is an object of columns")
            rows.append(row)
    return rows


def _cells(name: str, text: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for number, row in enumerate(csv.DictReader(io.StringIO(text, newline="")), 1):
        if None in row or None in row.values():
            raise DataError(f"{name}, row {number}: it has other cells than the header has columns; fix the row")
        rows.append({column: cell or None for column, cell in row.items()})
    for column in rows[0] if rows else ():
        numbers = [_number(row[column]) for row in rows]
        if all(one is not None or row[column] is None for one, row in zip(numbers, rows, strict=True)):
            rows = [row | {column: one} for row, one in zip(rows, numbers, strict=True)]
    return rows


def _number(cell: str | None) -> int | float | None:
    """A cell as a number; None for what is written as no number is, such as 007."""
    try:
        value = int(cell or "") if (cell or "").lstrip("-").isdigit() else float(cell or "")
    except ValueError:
        return None
    leads = (cell or "").lstrip("-").startswith("0") and not (cell or "").lstrip("-").startswith("0.") and value != 0
    return value if math.isfinite(value) and not leads else None


def _check(tool: str, file: str, how: Search, rows: list[dict[str, Any]], names: list[str]) -> None:
    """Raise DataError for a table that cannot be searched so."""
    if not rows:
        raise DataError(f"tool {tool}: {file} holds no record")
    if lacking := sorted(how.needed() - set(names)):
        raise DataError(f"tool {tool}: {file} has no column {lacking[0]!r}; its columns are {', '.join(names)}")
    for one in how.columns.values():
        for number, row in enumerate(rows, 1):
            value = row.get(one.column)
            if value is not None and not _fits(value, one.match):
                wanted = WANTED.get(one.match, "a single value")
                raise DataError(
                    f"tool {tool}: {file}, row {number}: {one.column} is {kind_of(value)} ({value!r}); "
                    f"match: {one.match} needs {wanted}"
                )
    for column in (name.removeprefix("-") for name in how.order):
        kinds = {kind_of(row[column]) for row in rows if row.get(column) is not None}
        if len(kinds) > 1 or kinds - {"a number", "a text"}:
            raise DataError(
                f"tool {tool}: {file} cannot be sorted by {column}, which holds {' and '.join(sorted(kinds))}"
            )


def _fits(value: Any, match: str) -> bool:
    if match == "all_of":
        return isinstance(value, list) and all(isinstance(one, str) for one in value)
    if match == "range":
        return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    return isinstance(value, str) if match == "contains" else not isinstance(value, list | dict)
