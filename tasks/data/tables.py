"""Files -> tables; a file that cannot be read is named with line, cause and mend."""

import csv
import json
import warnings
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any, Protocol

import pandas as pd

from .files import DataError, check_encoding, check_file, text_encoding

ENDINGS = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "jsonl",
    ".parquet": "parquet",
    ".arrow": "arrow",
    ".feather": "arrow",
}
LONGEST = 2**31 - 1
"""Characters that a field may have; Python's own limit is 131,072."""
UNTYPED = ("csv", "tsv")
"""Formats in which every value is a word."""
BINARY = {"parquet", "arrow"}
"""Formats that have no character encoding."""


class Reading(Protocol):
    """How a table is read (fields of a recipe's source)."""

    @property
    def format(self) -> str | None:
        """csv, tsv, jsonl, parquet or arrow; None: by the ending."""

    @property
    def encoding(self) -> str:
        """Of text formats."""

    @property
    def header(self) -> tuple[str, ...] | None:
        """Column names where the first line is a row."""

    @property
    def separator(self) -> str | None:
        """Between fields of CSV; None: a comma, in TSV a tab."""

    @property
    def quoting(self) -> bool:
        """Whether double quotes group."""


def read_table(path: Path, how: Reading, name: str | None = None) -> pd.DataFrame:
    """Read CSV, TSV, JSON lines, Parquet or Arrow. Only an empty field is missing; "NA" and "null" are words.

    Raises DataError where the file is absent, empty, of unknown format, or not as its format asks.
    """
    check_file(path)
    kind = format_of(name or str(path), how)
    if kind in BINARY:
        return _read_arrow(path, kind)
    check_encoding(path, how.encoding)
    return _read_jsonl(path, how.encoding) if kind == "jsonl" else _read_csv(path, kind, how)


def format_of(name: str, how: Reading) -> str:
    """The format as the recipe says, else by the name's ending. Raises DataError where neither tells."""
    kind = how.format or ENDINGS.get(PurePosixPath(name).suffix.lower())
    if kind is None:
        raise DataError(f"{name}: unknown ending; set `format` to one of csv, tsv, jsonl, parquet, arrow")
    return kind


def check_read(how: Reading, formats: set[str]) -> None:
    """Raise DataError where the recipe says something of text files that no file of these formats reads."""
    unread = ["encoding"] if how.encoding != "utf-8" and formats <= BINARY else []
    if formats.isdisjoint(UNTYPED):
        unread += ["header"] * (how.header is not None) + ["quoting"] * (not how.quoting)
    if "csv" not in formats and how.separator is not None:
        unread.append("separator")
    if unread:
        raise DataError(f"download.{unread[0]} is not read of {' and '.join(sorted(formats))} files; leave it out")


def join_tables(tables: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """Tables of the same columns, one behind the other. Raises DataError naming the columns that differ."""
    first, *rest = tables
    known = list(map(str, tables[first].columns))
    for name in rest:
        here = list(map(str, tables[name].columns))
        if sorted(known) != sorted(here):
            lacking, more = [c for c in known if c not in here], [c for c in here if c not in known]
            said = [f"{word} {columns}" for word, columns in (("lacks", lacking), ("has also", more)) if columns]
            differ = " and ".join(said) or f"has {here}"
            raise DataError(f"{name} {differ}, unlike {first}; files that are read together have the same columns")
    return pd.concat(tables.values(), ignore_index=True) if rest else tables[first]


def _read_csv(path: Path, kind: str, how: Reading) -> pd.DataFrame:
    options: dict[str, Any] = {"header": None, "names": range(len(how.header))} if how.header else {}
    try:
        names = list(how.header or next((row for _, row in _records(path, kind, how)), ()))
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)  # pandas only warns before it cuts every row
            frame: pd.DataFrame = pd.read_csv(
                path,
                sep=_separator(kind, how),
                dtype="str",
                keep_default_na=False,
                na_values=[""],
                encoding=text_encoding(how.encoding),
                quoting=csv.QUOTE_MINIMAL if how.quoting else csv.QUOTE_NONE,
                index_col=False,
                **options,
            )
    except pd.errors.EmptyDataError:
        raise DataError(f"{path}: no columns found; the first line must name them") from None
    except pd.errors.ParserWarning:
        wide = (line for line, row in _records(path, kind, how) if any(row[len(names) :]))
        raise DataError(f"{path}:{next(wide)}: more fields than the {len(names)} columns; mend the line") from None
    except (pd.errors.ParserError, csv.Error) as error:
        raise DataError(f"{path}: {str(error).strip()}; mend the line or set `quoting: false`") from None
    if len(names) == len(frame.columns) and (how.header or len(set(names)) < len(names)):
        frame.columns = pd.Index(names)  # pandas has renamed the second of two equal names
    return frame


def _separator(kind: str, how: Reading) -> str:
    return "\t" if kind == "tsv" else how.separator or ","


def _records(path: Path, kind: str, how: Reading) -> Iterator[tuple[int, list[str]]]:
    """Records that are not blank, with the line on which each ends."""
    quoting: Any = csv.QUOTE_MINIMAL if how.quoting else csv.QUOTE_NONE
    csv.field_size_limit(LONGEST)
    with path.open(encoding=text_encoding(how.encoding), newline="") as handle:
        reader = csv.reader(handle, delimiter=_separator(kind, how), quoting=quoting)
        yield from ((reader.line_num, row) for row in reader if any(field.strip() for field in row))


def _read_jsonl(path: Path, encoding: str) -> pd.DataFrame:
    rows = []
    with path.open(encoding=text_encoding(encoding), newline="\n") as handle:
        for number, line in enumerate(handle, 1):
            if line.strip():
                try:
                    row = json.loads(line)
                except ValueError as error:
                    raise DataError(f"{path}:{number}: not JSON ({error}); one object per line") from None
                if "\\ud" in line.lower() and not _is_unicode(row):
                    raise DataError(f"{path}:{number}: half of a surrogate pair (\\ud…); write the whole character")
                if not isinstance(row, dict):
                    raise DataError(f"{path}:{number}: a {type(row).__name__}; one object per line")
                rows.append(row)
    return pd.DataFrame(rows)


def _is_unicode(row: Any) -> bool:
    try:
        json.dumps(row, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True


def _read_arrow(path: Path, kind: str) -> pd.DataFrame:
    import pyarrow as pa
    import pyarrow.feather as feather
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(path) if kind == "parquet" else _arrow_table(path, feather)
        frame: pd.DataFrame = table.to_pandas(ignore_metadata=True)  # else a frame's index is no column
    except (pa.ArrowException, OSError) as error:
        name = "a Parquet" if kind == "parquet" else "an Arrow"
        raise DataError(f"{path}: not {name} file ({str(error).splitlines()[0]})") from None
    return frame


def _arrow_table(path: Path, feather: Any) -> Any:
    """A table in Arrow's file form (Feather 2) or stream form (as `datasets` writes it)."""
    import pyarrow as pa

    with path.open("rb") as handle:
        whole = handle.read(4) in (b"ARRO", b"FEA1")
    if whole:
        return feather.read_table(path, memory_map=False)
    with pa.OSFile(str(path)) as source, pa.ipc.open_stream(source) as reader:
        return reader.read_all()
