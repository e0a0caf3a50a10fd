"""Values as a file has them -> words, each by itself: what one row says never depends on the other rows."""

import json
from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from functools import partial
from itertools import chain
from typing import Any

import numpy as np
import pandas as pd

from ..errors import DataError
from .arrow_words import words_of


class Number(float):
    """A number of a file with its spelling there, which is its text: `1.0`, `1e5` and `100000` stay apart."""

    __slots__ = ("written",)
    written: str

    def __new__(cls, written: str) -> "Number":
        """The number that a text spells."""
        number = super().__new__(cls, written)
        number.written = written
        return number

    def __repr__(self) -> str:
        return self.written

    __str__ = __repr__


def number_of(written: str) -> float:
    """The number that a text spells, which says its spelling: Python's own where that is its spelling anyway, since
    millions of those keep the garbage collector quiet."""
    number = float(written)
    return number if repr(number) == written else Number(written)


class ArrowList(list[Any]):
    """A list of an Arrow table: an object in it has the keys of all the others, with nulls where it has none."""

    def tolist(self) -> list[Any]:
        """The same list."""
        return list(self)


SPELT: dict[type, Callable[[Any], str | None]] = {
    type(None): lambda value: None,
    str: str,
    bool: lambda value: "true" if value else "false",
    int: str,
    float: lambda value: repr(value) if value == value else None,
    Number: lambda value: value.written if value == value else None,
    Decimal: lambda value: format(value, "f") if value == value else None,
    date: str,
    datetime: str,
    time: str,
    timedelta: str,
    pd.Timestamp: str,
    pd.Timedelta: str,
}
"""How a value of each type is spelt, None where it is missing."""
SHORT = {"float[pyarrow]": np.float32, "halffloat[pyarrow]": np.float16, "float32": np.float32, "float16": np.float16}


def as_written(column: pd.Series, where: str, role: str, *, nested: bool = False) -> pd.Series:
    """Any column as words: text as it stands, numbers with every digit, truth values as `true` and `false`, moments in
    ISO form; null stays null. `nested`: lists and objects become JSON text.

    Raises DataError naming row, `role` (the recipe's key) and fix for a value that is no single one.
    """
    if isinstance(column.dtype, pd.StringDtype) or not len(column):
        return column.astype("str")
    if (typed := words_of(column)) is not None:
        return typed
    words = _words(column.tolist() if column.dtype == object else exact(column), nested)
    if NotImplemented in words:
        odd = words.index(NotImplemented)
        raise DataError(
            _refusal(exact(column.iloc[odd : odd + 1])[0], f"{where}: row {odd + 1}: {column.name!r}", role)
        )
    return _series_of(words, index=column.index, name=column.name)


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


def _words(values: list[Any], nested: bool) -> list[Any]:
    """Each value's word, None where it is missing, NotImplemented where it has none."""
    spell = {kind: SPELT.get(kind) or partial(_word, nested=nested) for kind in {*map(type, values)}}
    return [spell[type(value)](value) for value in values]


def _word(value: Any, nested: bool) -> Any:
    """The word of a value that SPELT does not know."""
    if (plain := _plain_value(value)) is not value:
        return _words([plain], nested)[0]
    return nested_json(value) if nested and isinstance(value, dict | list | np.ndarray) else NotImplemented


def _series_of(words: list[Any], index: Any, name: Any = None) -> pd.Series:
    """Words as pandas keeps texts, by way of Arrow, which takes a third of the time."""
    import pyarrow as pa

    return pd.Series(pa.array(words, pa.large_string()), index=index, dtype="str", name=name)


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
    kind = (
        "a list"
        if isinstance(value, list | tuple | np.ndarray)
        else "an object"
        if isinstance(value, dict)
        else (f"a {type(value).__name__}")
    )
    spelling = json.dumps(value, ensure_ascii=False, default=str)
    shown = spelling if len(spelling) <= 60 else f"{spelling[:57]}..."
    several = isinstance(value, list | tuple | np.ndarray) and role == "download.columns.label"
    more = "; any number of labels a row are read by `columns.labels` and encode.kind: multi_label" if several else ""
    return (
        f"{place} holds {kind}, {shown}, where one value is read; write a single value in each row, or name another "
        f"column in `{role}`{more}"
    )


def frame_of_rows(rows: Sequence[dict[str, Any]]) -> pd.DataFrame:
    """Rows as dictionaries as a frame that keeps every value; what a row lacks is missing."""
    names, index = dict.fromkeys(chain.from_iterable(rows)), range(len(rows))
    columns = {name: _kept([row.get(name) for row in rows], index) for name in names}
    return pd.DataFrame(columns, index=index)


def _kept(values: list[Any], index: range) -> pd.Series:
    """Values as they are; texts alone as pandas keeps texts."""
    texts = {*map(type, values)} <= {str, type(None)}
    return _series_of(values, index) if texts else pd.Series(values, index=index, dtype=object)


def frame_of(table: Any) -> pd.DataFrame:
    """An Arrow table as a frame that keeps every value: whole numbers stay such next to nulls, lists are lists."""
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
        return pd.Series(column.cast(pa.large_string()), dtype="str")
    if pa.types.is_null(kind):
        return pd.Series([None] * len(column), dtype=object)
    if pa.types.is_primitive(kind) or pa.types.is_decimal(kind):
        return pd.Series(pd.arrays.ArrowExtensionArray(column))
    return pd.Series([_listed(value) for value in column.to_pylist()], dtype=object)


def _listed(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _listed(part) for key, part in value.items()}
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
