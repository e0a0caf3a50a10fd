"""Files -> tables; a file that cannot be read is named with line, cause and fix."""

from pathlib import Path, PurePosixPath
from typing import Any, Protocol

import pandas as pd

from ..errors import DataError
from ..files import check_encoding, check_file
from .conll import read_conll
from .contents import refuse_other
from .delimited import NoColumnsError, read_delimited
from .dialect import Delimiting
from .dialects import with_fix
from .json_rows import read_json
from .pattern_lines import read_lines
from .written import frame_of, frame_of_rows, join_frames

ENDINGS = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "jsonl",
    ".conll": "conll",
    ".iob": "conll",
    ".bio": "conll",
    ".parquet": "parquet",
    ".arrow": "arrow",
    ".feather": "arrow",
}
BINARY = {"parquet", "arrow"}
"""Formats that have no character encoding."""


class Reading(Delimiting, Protocol):
    """How a table is read (fields of a recipe's source)."""

    @property
    def format(self) -> str | None:
        """csv, tsv, jsonl, lines, conll, parquet or arrow; None: by the ending."""

    @property
    def pattern(self) -> str | None:
        """Of the format `lines`: a regular expression whose named groups are the columns."""


def read_table(path: Path, how: Reading, name: str | None = None, *, notes: list[str] | None = None) -> pd.DataFrame:
    """Read CSV, TSV, JSON, lines, CoNLL, Parquet or Arrow. Only an empty field is missing; "NA" and "null" are words.

    `name` gives the format where `path` is a copy; what a person should know goes to `notes`.

    Raises DataError where the file is absent, empty, of unknown format, or not as its format asks.
    """
    check_file(path)
    check_content(path, name or str(path), how)
    kind = format_of(name or str(path), how)
    if kind in BINARY:
        return _read_arrow(path, kind)
    check_encoding(path, how.encoding)
    remarks: list[str] = []
    table = _read_text(path, kind, how, remarks)
    if notes is not None:
        notes += [f"{PurePosixPath(name or path.name).name}: {text}" for text in remarks]
    return table


def _read_text(path: Path, kind: str, how: Reading, notes: list[str]) -> pd.DataFrame:
    if kind == "lines":
        return read_lines(path, how.encoding, how.pattern)
    if kind == "conll":
        return read_conll(path, how.encoding, how.header, notes)
    if kind == "jsonl":
        return frame_of_rows(read_json(path, how.encoding, notes))
    try:
        return read_delimited(path, kind, how, notes)
    except NoColumnsError:
        raise
    except DataError as error:
        raise with_fix(error, path, kind, how) from None


def check_content(path: Path, name: str, how: Reading) -> None:
    """Raise DataError where a file holds another format than the recipe or its name says, with what reads it."""
    refuse_other(path, name, _stated(name, how), header=how.header is None)


def _stated(name: str, how: Reading) -> str | None:
    return how.format or ENDINGS.get(PurePosixPath(name).suffix.lower())


def format_of(name: str, how: Reading) -> str:
    """The format as the recipe says, else by the name's ending. Raises DataError where neither gives it."""
    kind = _stated(name, how)
    if kind is None:
        raise DataError(
            f"{name}: unknown ending; set `format` to one of csv, tsv, jsonl, conll, parquet, arrow, or to "
            "lines with a `pattern`"
        )
    return kind


def check_read(how: Reading, formats: set[str]) -> None:
    """Raise DataError where the recipe says something of text files that no file of these formats reads."""
    unread = ["encoding"] if how.encoding != "utf-8" and formats <= BINARY else []
    if formats.isdisjoint(("csv", "tsv")):
        given = {
            "header": how.header is not None and "conll" not in formats,
            "quoting": not how.quoting,
            "escape": how.escape is not None,
        }
        unread += [key for key, is_given in given.items() if is_given]
    if "csv" not in formats and how.separator is not None:
        unread.append("separator")
    if "lines" not in formats and how.pattern is not None:
        unread.append("pattern")
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
            differences = [f"{word} {columns}" for word, columns in (("lacks", lacking), ("has also", more)) if columns]
            differ = " and ".join(differences) or f"has {here}"
            raise DataError(f"{name} {differ}, unlike {first}; files that are read together have the same columns")
    return join_frames(tables.values()) if rest else tables[first]


def _read_arrow(path: Path, kind: str) -> pd.DataFrame:
    import pyarrow.feather as feather
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(path) if kind == "parquet" else _arrow_table(path, feather)
        table.validate(full=True)  # offsets and characters, which Arrow believes when it reads
        return frame_of(table.replace_schema_metadata(None))  # that of pandas may be damaged
    except DataError:
        raise
    except Exception as error:  # a damaged byte makes Arrow raise whatever Python has
        name, reason = "a Parquet" if kind == "parquet" else "an Arrow", (str(error) or type(error).__name__)
        raise DataError(f"{path}: not {name} file ({reason.splitlines()[0][:200]})") from None


def _arrow_table(path: Path, feather: Any) -> Any:
    """A table in Arrow's file form (Feather 2) or stream form (as `datasets` writes it)."""
    import pyarrow as pa

    with path.open("rb") as handle:
        whole = handle.read(4) in (b"ARRO", b"FEA1")
    if whole:
        return feather.read_table(path, memory_map=False)
    with pa.OSFile(str(path)) as source, pa.ipc.open_stream(source) as reader:
        return reader.read_all()
