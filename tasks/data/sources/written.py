"""Values as a file has them -> words, each by itself: what one row says never depends on the other rows."""

import json
from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd

from ..errors import DataError


class Number(float):
    """A number of a file with its spelling there, which is its text: `1.0`, `1e5` and `100000` stay apart."""

    written: str

    def __new__(cls, written: str) -> "Number":
        """The number that a text spells."""
        number = super().__new__(cls, written)
        number.written = written
        return number

    def __repr__(self) -> str:
        return self.written

    __str__ = __repr__


class ArrowList(list[Any]):
    """A list of an Arrow table: an object in it has the keys of all the others, with nulls where it has none."""

    def tolist(self) -> list[Any]:
        """The same list."""
        return list(self)


SPELT: dict[type, Callable[[Any], str]] = {
    str: str,
    bool: lambda value: "true" if value else "false",
    int: str,
    float: repr,
    Number: str,
    Decimal: lambda value: format(value, "f"),
    date: str,
    datetime: str,
    time: str,
    timedelta: str,
    pd.Timestamp: str,
    pd.Timedelta: str,
}
"""How a value of each type is spelt."""
SHORT = {"float[pyarrow]": np.float32, "halffloat[pyarrow]": np.float16, "float32": np.float32, "float16": np.float16}


def as_written(column: pd.Series, where: str, role: str, *, nested: bool = False) -> pd.Series:
    """Any column as words: text as it stands, numbers with every digit, truth values as `true` and `false`, moments in
    ISO form; null stays null. `nested`: lists and objects become JSON text.

    Raises DataError naming row, `role` (the recipe's key) and mend for a value that is no single one.
    """
    if isinstance(column.dtype, pd.StringDtype) or not len(column):
        return column.astype("str")
    values = column.tolist() if column.dtype == object else exact(column)
    words = [_word(value, nested) for value in values]
    odd = next((row for row, word in enumerate(words) if word is NotImplemented), None)
    if odd is not None:
        raise DataError(
            _refusal(exact(column.iloc[odd : odd + 1])[0], f"{where}: row {odd + 1}: {column.name!r}", role)
        )
    return pd.Series(words, index=column.index, dtype="str", name=column.name)


def exact(column: pd.Series) -> list[Any]:
    """The values of a column as Python's own, None where missing."""
    short = SHORT.get(str(column.dtype))
    if short is not None:  # as a double 0.1 would be 0.10000000149011612
        numbers = column.to_numpy(dtype=short, na_value=np.nan)
        return [None if number != number else Number(str(number)) for number in numbers]
    return [_plain_value(value) for value in column.astype(object).tolist()]


def _plain_value(value: Any) -> Any:
    if isinstance(value, np.generic):
        value = value.item()
    missing = value is None or value is pd.NA or value is pd.NaT or (isinstance(value, float) and value != value)
    return None if missing else value


def _word(value: Any, nested: bool) -> Any:
    """A value's word, None where it is missing, NotImplemented where it has none."""
    kind = type(value)
    if kind is str or value is None:
        return value
    spell = SPELT.get(kind)
    if spell is not None:
        return None if value != value else spell(value)
    if (plain := _plain_value(value)) is not value:
        return _word(plain, nested)
    return nested_json(value) if nested and isinstance(value, dict | list | np.ndarray) else NotImplemented


def nested_json(value: Any) -> str:
    """A list or object as JSON text, keys in their own order. Raises DataError for what JSON cannot hold."""
    try:
        return json.dumps(value, ensure_ascii=False, default=_plain)
    except TypeError as error:
        raise DataError(f"{error}; write it as text") from None


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    spell = SPELT.get(type(value))
    if spell is None:
        raise TypeError(f"a {type(value).__name__} in a list or object has no JSON form")
    return spell(value)


def _refusal(value: Any, place: str, role: str) -> str:
    if isinstance(value, bytes):
        return f"{place} holds bytes; write it as text, or name another column in `{role}`"
    kind = "a list" if isinstance(value, list | tuple | np.ndarray) else "an object" if isinstance(value, dict) else (
        f"a {type(value).__name__}")  # fmt: skip
    said = json.dumps(value, ensure_ascii=False, default=str)
    shown = said if len(said) <= 60 else f"{said[:57]}..."
    return (
        f"{place} holds {kind}, {shown}, where one value is read; write a single value in each row, or name another "
        f"column in `{role}`"
    )


def frame_of_rows(rows: Sequence[dict[str, Any]]) -> pd.DataFrame:
    """Rows as dictionaries as a frame that keeps every value; what a row lacks is missing."""
    names = dict.fromkeys(name for row in rows for name in row)
    columns = {name: _kept([row.get(name) for row in rows]) for name in names}
    return pd.DataFrame(columns, index=range(len(rows)))


def _kept(values: list[Any]) -> pd.Series:
    """Values as they are; texts alone as pandas keeps texts."""
    texts = all(value is None or isinstance(value, str) for value in values)
    return pd.Series(values, dtype="str" if texts else object)


def frame_of(table: Any) -> pd.DataFrame:
    """An Arrow table as a frame that keeps every value: whole numbers stay such beside nulls, lists are lists."""
    import pyarrow as pa

    columns, names = [], table.column_names
    for place, field in enumerate(table.schema):
        column = table.column(place)
        if pa.types.is_dictionary(field.type):
            column = column.cast(field.type.value_type)
        columns.append(_series(column))
    frame = pd.concat(dict(enumerate(columns)), axis=1) if columns else pd.DataFrame(index=range(len(table)))
    frame.columns = pd.Index(names)
    return frame


def _series(column: Any) -> pd.Series:
    """One column (a ChunkedArray): words as such, single values in Arrow's own types, all else as Python's objects."""
    import pyarrow as pa

    kind = column.type
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return pd.Series(column.cast(pa.large_string()).to_pandas(), dtype="str")
    if pa.types.is_null(kind):
        return pd.Series([None] * len(column), dtype=object)
    if pa.types.is_primitive(kind) or pa.types.is_decimal(kind):
        return pd.Series(pd.arrays.ArrowExtensionArray(column))
    return pd.Series([_listed(value) for value in column.to_pylist()], dtype=object)


def _listed(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _listed(one) for key, one in value.items()}
    return ArrowList(value) if isinstance(value, list) else value


def join_frames(frames: Iterable[pd.DataFrame]) -> pd.DataFrame:
    """Frames of the same columns one behind the other, no value changed for the sake of another frame's."""
    parts = list(frames)
    for name in parts[0].columns:
        if len({str(part[name].dtype) for part in parts}) > 1:
            parts = [
                part.assign(**{name: pd.Series(exact(part[name]), index=part.index, dtype=object)}) for part in parts
            ]
    return pd.concat(parts, ignore_index=True)
