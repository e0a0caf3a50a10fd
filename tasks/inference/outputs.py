"""Rows with their predictions -> a CSV, JSON lines or Parquet file; and a summary."""

import base64
import json
import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import date, time
from pathlib import Path
from typing import IO, Any, Protocol

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from configs.load import RecipeError

from ..data.errors import DataError
from ..data.escape import cell


class Writer(Protocol):
    """Writes a file, some rows at a time."""

    def writing(self, path: Path) -> Any:
        """The file is open inside."""

    def write(self, rows: pd.DataFrame, predictions: pa.Table) -> None:
        """Append rows and their predictions."""


def check_ending(output: Path) -> None:
    """Raise RecipeError unless predictions can be written as this."""
    if output.suffix.lower() not in (".csv", ".jsonl", ".parquet"):
        raise RecipeError(f"{output}: predictions are written to a file that ends in .csv, .jsonl or .parquet")


def open_writer(output: Path, rows: pd.DataFrame, predictions: pa.Schema) -> Writer:
    """The writer for this ending. Raises DataError for columns that the format cannot hold."""
    check_ending(output)
    names = free_names(list(rows.columns), predictions.names)
    if output.suffix.lower() == ".parquet":
        return Parquet(names, rows, predictions)
    return Csv(names) if output.suffix.lower() == ".csv" else Jsonl(names)


def free_names(taken: Sequence[Any], names: Sequence[str]) -> list[str]:
    """The names of predictions next to an input's columns: one that is taken gets `predicted` before it."""
    free: list[str] = []
    for name in names:
        while name in taken or name in free:
            name = f"predicted {name}"
        free.append(name)
    return free


def join_predictions(rows: pd.DataFrame, predictions: pa.Table, names: Sequence[str]) -> pd.DataFrame:
    """Rows and their predictions in one table."""
    renamed: pd.DataFrame = predictions.rename_columns(list(names)).to_pandas()
    return pd.concat([rows.reset_index(drop=True), renamed], axis=1)


_RAW: ContextVar[bool] = ContextVar("raw", default=False)


@contextmanager
def raw(on: bool = True) -> Iterator[None]:
    """Write cells of CSV as they are inside; else a text that a spreadsheet would compute has an apostrophe before
    it."""
    token = _RAW.set(on)
    try:
        yield
    finally:
        _RAW.reset(token)


def to_csv(table: pd.DataFrame, *, header: bool) -> str:
    """The rows as CSV, with or without the line of names."""
    if not _RAW.get():
        table = table.set_axis([cell(name) for name in table.columns], axis=1)
        safe = [
            column.map(cell) if column.dtype == object or pd.api.types.is_string_dtype(column) else column
            for _, column in table.items()
        ]
        table = pd.concat(safe, axis=1) if safe else table
    return str(table.to_csv(index=False, header=header))


class Csv:
    """Comma-separated, with a line of names."""

    def __init__(self, names: Sequence[str]) -> None:
        self.names, self.header = names, True
        self.file: IO[str]

    @contextmanager
    def writing(self, path: Path) -> Iterator[None]:
        """The file is open inside."""
        with path.open("w", encoding="utf-8", newline="") as self.file:
            yield

    def write(self, rows: pd.DataFrame, predictions: pa.Table) -> None:
        """Append rows and their predictions."""
        self.file.write(to_csv(join_predictions(rows, predictions, self.names), header=self.header))
        self.header = False


class Jsonl:
    """One JSON object per line; a missing value is null, bytes are base64."""

    def __init__(self, names: Sequence[str]) -> None:
        self.names = names
        self.file: IO[str]

    @contextmanager
    def writing(self, path: Path) -> Iterator[None]:
        """The file is open inside."""
        with path.open("w", encoding="utf-8", newline="\n") as self.file:
            yield

    def write(self, rows: pd.DataFrame, predictions: pa.Table) -> None:
        """Append rows and their predictions."""
        table = join_predictions(rows, predictions, self.names)
        names = [str(name) for name in table.columns]
        for values in zip(*(table.iloc[:, place] for place in range(len(names))), strict=True):
            row = {name: _plain(value) for name, value in zip(names, values, strict=True)}
            self.file.write(json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n")


class Parquet:
    """Parquet with the input's own types."""

    def __init__(self, names: Sequence[str], rows: pd.DataFrame, predictions: pa.Schema) -> None:
        self.own = pa.schema([pa.field(str(name), _type_of(rows[name], str(name))) for name in rows.columns])
        more = [field.with_name(name) for name, field in zip(names, predictions, strict=True)]
        self.schema = pa.schema([*self.own, *more])
        self.file: Any = None

    @contextmanager
    def writing(self, path: Path) -> Iterator[None]:
        """The file is open inside."""
        with pq.ParquetWriter(path, self.schema) as self.file:
            yield

    def write(self, rows: pd.DataFrame, predictions: pa.Table) -> None:
        """Append rows and their predictions."""
        named = rows.set_axis(self.own.names, axis=1)
        table = pa.Table.from_pandas(named, schema=self.own, preserve_index=False)
        columns = [column.combine_chunks() for column in (*table.columns, *predictions.columns)]
        self.file.write_table(pa.Table.from_arrays(columns, schema=self.schema))


def _type_of(values: pd.Series, name: str) -> pa.DataType:
    try:
        return pa.Array.from_pandas(values).type
    except pa.ArrowException as error:
        reason = str(error).splitlines()[0]
        raise DataError(f"column {name!r} cannot be written as Parquet ({reason}); write .jsonl or .csv") from None


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(name): _plain(part) for name, part in value.items()}
    if isinstance(value, list | tuple | np.ndarray):
        return [_plain(part) for part in value]
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if value is None or value is pd.NA or value is pd.NaT or (isinstance(value, float) and not math.isfinite(value)):
        return None
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, np.generic):
        return value.item()
    return value if isinstance(value, str | int | float) else str(value)


Summary = Mapping[str, int | Mapping[str, float]]
"""By label how many rows have it; of numbers, by column, `mean`, `min` and `max`."""


class Tally:
    """The summary of predictions, added up part by part."""

    def __init__(self) -> None:
        self.labels: Counter[str] = Counter()
        self.numbers: dict[str, list[float]] = {}
        self.failed = 0

    def add(self, predictions: pa.Table) -> None:
        """Count a part."""
        if "error" in predictions.column_names:
            self.failed += len(predictions) - predictions["error"].null_count
        if "label" in predictions.column_names:
            self.labels.update(predictions["label"].drop_null().to_pylist())
            return
        for name in (field.name for field in predictions.schema if pa.types.is_floating(field.type)):
            values = predictions[name].drop_null()
            if len(values):
                low, high = pc.min_max(values).values()
                summary = [len(values), pc.sum(values).as_py(), low.as_py(), high.as_py()]
                known = self.numbers.get(name, [0, 0.0, math.inf, -math.inf])
                self.numbers[name] = [
                    known[0] + summary[0],
                    known[1] + summary[1],
                    min(known[2], summary[2]),
                    max(known[3], summary[3]),
                ]

    def summary(self) -> Summary:
        """Per label how many rows have it, the commonest first; of numbers mean, min and max."""
        if self.labels:
            return dict(sorted(self.labels.items(), key=lambda item: (-item[1], item[0])))
        return {
            name: {"mean": total / count, "min": low, "max": high}
            for name, (count, total, low, high) in self.numbers.items()
        }
