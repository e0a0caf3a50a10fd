"""A file with a table (JSON lines or CSV) in; records whose columns are as a tool needs them, and their file, out."""

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from configs.sources import FileSource

from ..errors import DataError, check_file
from ..files import check_encoding
from ..sources.delimited import read_delimited
from ..sources.json_rows import read_json
from .calls import kind_of
from .table_search import Record, Search

WANTED = {"range": "a number", "contains": "a text", "all_of": "a list of texts"}
"""What a column must hold for each way of matching; any single value can be equal."""


def read_table(path: Path, tool: str, how: Search) -> list[Record]:
    """Records by their columns, null where a row has no value. Raises DataError naming the tool, the file, the row.

    Columns of a CSV file that hold numbers alone become numbers; an empty cell is null.
    """
    rows = _read(path, tool)
    names = list(dict.fromkeys(name for row in rows for name in row))
    _check(tool, path.name, how, rows, names)
    return [{name: row.get(name) for name in names} for row in rows]


def write_table(path: Path, records: list[Record]) -> None:
    """One record a line."""
    lines = [json.dumps(record, ensure_ascii=False) for record in records]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _read(path: Path, tool: str) -> Sequence[Record]:
    """The rows as the readers of sources give them. Raises DataError where these have to say something of the file."""
    check_file(path)
    check_encoding(path, "utf-8")
    notes: list[str] = []
    rows: Sequence[Record]
    match path.suffix.lower():
        case ".jsonl":
            rows = read_json(path, "utf-8", notes)
        case ".csv":
            plain = FileSource(kind="file", path=str(path))
            table = read_delimited(path, "csv", plain, notes)
            rows = [{str(column): _value(cell) for column, cell in row.items()} for row in table.to_dict("records")]
            rows = _with_numbers(rows)
        case other:
            raise DataError(
                f"tool {tool}: a table is a .jsonl or .csv file, not {other or 'one without an ending'}; "
                f"save {path.name} as one of them"
            )
    if notes:
        raise DataError(f"tool {tool}: {path.name}: {notes[0]}; a tool's table is plain: one record a line, every cell")
    return rows


def _value(cell: Any) -> str | None:
    return cell if isinstance(cell, str) else None


def _with_numbers(rows: Sequence[Record]) -> Sequence[Record]:
    """Numbers in place of their texts, in columns that hold nothing else."""
    for column in rows[0] if rows else ():
        numbers = [_number(row[column]) for row in rows]
        if all(number is not None or row[column] is None for number, row in zip(numbers, rows, strict=True)):
            rows = [{**row, column: number} for row, number in zip(rows, numbers, strict=True)]
    return rows


def _number(cell: str | None) -> int | float | None:
    """A cell as a number; None for what is written as no number is, such as 007."""
    try:
        value = int(cell or "") if (cell or "").lstrip("-").isdigit() else float(cell or "")
    except ValueError:
        return None
    leads = (cell or "").lstrip("-").startswith("0") and not (cell or "").lstrip("-").startswith("0.") and value != 0
    return value if math.isfinite(value) and not leads else None


def _check(tool: str, file: str, how: Search, rows: Sequence[Record], names: list[str]) -> None:
    """Raise DataError for a table that cannot be searched so."""
    if not rows:
        raise DataError(f"tool {tool}: {file} holds no record")
    if lacking := sorted(how.needed() - set(names)):
        raise DataError(f"tool {tool}: {file} has no column {lacking[0]!r}; its columns are {', '.join(names)}")
    for filter_by in how.columns.values():
        for number, row in enumerate(rows, 1):
            value = row.get(filter_by.column)
            if value is not None and not _fits(value, filter_by.match):
                wanted = WANTED.get(filter_by.match, "a single value")
                raise DataError(
                    f"tool {tool}: {file}, row {number}: {filter_by.column} is {kind_of(value)} ({value!r}); "
                    f"match: {filter_by.match} needs {wanted}"
                )
    for column in (name.removeprefix("-") for name in how.order):
        kinds = {kind_of(row[column]) for row in rows if row.get(column) is not None}
        if len(kinds) > 1 or kinds - {"a number", "a text"}:
            raise DataError(
                f"tool {tool}: {file} cannot be sorted by {column}, which holds {' and '.join(sorted(kinds))}"
            )


def _fits(value: Any, match: str) -> bool:
    if match == "all_of":
        return isinstance(value, list) and all(isinstance(word, str) for word in value)
    if match == "range":
        return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    return isinstance(value, str) if match == "contains" else not isinstance(value, list | dict)
