"""JSON lines, one array of objects, or one object that holds such an array -> rows as dictionaries."""

import json
from pathlib import Path
from typing import IO, Any

from ..errors import DataError
from ..files import text_encoding
from .written import Number, number_of

FORMS = "write one object per line, or one array of objects"
TURNS = ("messages", "conversations", "conversation", "dialogue", "dialog", "turns")
"""Keys whose arrays are one row's dialogue and not the rows."""
LINES = (".jsonl", ".ndjson")
"""Endings of files in which an object on a line is a row, even if it is the only one."""
BLANK = " \t\r\n"
DECODER = json.JSONDecoder(parse_float=number_of, parse_constant=Number)
"""`json.loads` would make one for each line."""


def read_json(path: Path, encoding: str, notes: list[str]) -> list[dict[str, Any]]:
    """The rows of a file; which key of one object holds them goes to `notes`. Raises DataError with line and fix."""
    with path.open(encoding=text_encoding(encoding), newline="\n") as handle:
        first = ""
        while not first.strip(BLANK):
            if not (first := handle.readline()):
                return []
        alone = path.suffix.lower() not in LINES and not handle.read().strip(BLANK)
        handle.seek(0)
        whole = first.lstrip(BLANK)[0] == "[" or alone or _is_cut(first)
        return _read_whole(handle, path, notes) if whole else _read_lines(handle, path)


def _is_cut(line: str) -> bool:
    """Whether the first line is the beginning of an object that goes on, as indented JSON is."""
    if line.lstrip(BLANK)[0] != "{":
        return False
    try:
        json.loads(line)
    except json.JSONDecodeError as error:
        return error.pos >= len(line.rstrip(BLANK)) and "Unterminated" not in error.msg
    except (ValueError, RecursionError):
        return False
    return False


def _row_keys(value: dict[str, Any]) -> list[str]:
    """Keys whose values are arrays of objects, and no dialogue."""
    return [
        key
        for key, part in value.items()
        if isinstance(part, list) and part and key.lower() not in TURNS and all(isinstance(row, dict) for row in part)
    ]


def _read_whole(handle: IO[str], path: Path, notes: list[str]) -> list[dict[str, Any]]:
    text = handle.read()
    value = _parsed(text, f"{path}", one_line=False)
    if isinstance(value, dict):
        value = _rows_of(value, path, notes)
    for number, row in enumerate(value, 1):
        if not isinstance(row, dict):
            raise DataError(f"{path}: element {number:,} of the array is a {type(row).__name__}; {FORMS}")
    return list(value)


def _rows_of(value: dict[str, Any], path: Path, notes: list[str]) -> list[Any]:
    """The rows that one object holds, or the object itself where it is a row. Raises DataError."""
    keys = _row_keys(value)
    if len(keys) > 1:
        raise DataError(
            f"{path}: several keys hold arrays of objects ({', '.join(keys[:8])}); write each array to a "
            "file of its own; where they are splits set `split_files: true`"
        )
    if keys:
        notes.append(f"the rows are those of its key {keys[0]!r}")
        return list(value[keys[0]])
    is_dialogue = any(key.lower() in TURNS for key in value)
    if value and not is_dialogue and all(isinstance(part, dict) for part in value.values()):
        raise DataError(f"{path}: one object of columns ({', '.join(list(value)[:8])}) and not of rows; {FORMS}")
    return [value]


def _read_lines(handle: IO[str], path: Path) -> list[dict[str, Any]]:
    rows = []
    for number, line in enumerate(handle, 1):
        if line.strip(BLANK):
            row = _parsed(line, f"{path}:{number}", one_line=True)
            if not isinstance(row, dict):
                raise DataError(f"{path}:{number}: a {type(row).__name__}; {FORMS}")
            rows.append(row)
    return rows


def _parsed(text: str, where: str, *, one_line: bool) -> Any:
    """The value of a JSON text. Raises DataError."""
    try:
        value = DECODER.decode(text)
        if "\\ud" in text.lower():
            json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise DataError(f"{where}: half of a surrogate pair (\\ud…); write the whole character") from None
    except json.JSONDecodeError as error:
        place = where if one_line else f"{where}:{error.lineno}"
        raise DataError(f"{place}: not JSON ({error}); {FORMS}") from None
    except RecursionError:
        raise DataError(f"{where}: objects inside objects, too deep to be read; {FORMS}") from None
    except ValueError as error:  # a whole number of thousands of digits
        raise DataError(f"{where}: not JSON that can be read ({error}); {FORMS}") from None
    return value
