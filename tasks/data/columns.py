"""A source's table -> Temper's columns: text, label, split, group and time, and those that a recipe keeps."""

import difflib
import json
import re
from pathlib import PurePosixPath
from typing import Any

import numpy as np
import pandas as pd

from configs.sources import Columns

from .dialogue_columns import read_dialogues
from .files import DataError
from .label_variants import map_labels
from .part_names import part_named
from .rows import UNLABELLED

SPLITS = {"train": "train", "validation": "validation", "valid": "validation", "val": "validation",
          "dev": "validation", "test": "test"}  # fmt: skip
EPOCHS = ("s", "ms")
UNAMBIGUOUS = ("%a %b %d %H:%M:%S %z %Y", "%a, %d %b %Y %H:%M:%S %z", "%d %b %Y", "%d %B %Y", "%B %d, %Y")
"""Tried where ISO 8601 does not fit: forms that name the month, so that no day can be taken for one."""
DATED = r"\d{1,4}[-/. ]+\w{1,9}[-/., ]+\d{1,4}|^\d{8,}(?:\.\d*)?$"
"""What was meant as a moment, as against "unknown"."""
INTEGER, NUMBER = r"-?(?:0|[1-9]\d{0,17})", r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][-+]?\d+)?"


def take_columns(
    table: pd.DataFrame, columns: Columns, where: str, *, notes: list[str] | None = None, typed: bool = True
) -> pd.DataFrame:
    """Pick and rename the columns, with labels, groups and splits as names; what a person should know goes to `notes`.

    Dialogues come out as canonical JSON; rows without classes have the label UNLABELLED.

    Without `typed` the table is of a format that knows only words, and kept columns that spell numbers become such.

    Raises DataError for an absent column, an unknown label or split, and a time whose form is not told.
    """
    notes = [] if notes is None else notes
    _check_names(table, columns, where)
    what = _content(columns)
    picked: dict[str, Any] = {
        what: read_dialogues(table, columns, where, notes)
        if columns.is_dialogue
        else _words(table[getattr(columns, what)]),
        "label": UNLABELLED if columns.label is None else _labels(_words(table[columns.label]), columns, where, notes),
    }
    picked["split"] = split_names(_words(table[columns.split])) if columns.split else None
    types = {what: "str", "label": "str", "split": "str"}
    if columns.image is not None:
        picked["file"], types["file"] = table["file"], "str"
    if columns.target is not None:
        picked["target"], types["target"] = _words(table[columns.target]), "str"
    if columns.group is not None:
        picked["group"], types["group"] = _words(table[columns.group]), "str"
    if columns.time is not None:
        picked["time"] = read_moments(table[columns.time], columns, where, notes)
    for name in columns.keep:
        picked[name] = as_kept(table[name], typed=typed)
    rows = pd.DataFrame(picked, index=table.index).astype(types)
    if columns.keep:
        kept = ", ".join(f"{name} ({rows[name].dtype})" for name in columns.keep)
        notes.append(f"kept columns: {kept}")
    return rows


def other_separator(table: pd.DataFrame) -> str | None:
    """What seems to separate the fields of a table that was read as one column; None where nothing does."""
    name = str(table.columns[0]) if table.shape[1] == 1 else ""
    return next((mark for mark in ";|\t" if mark in name), None)


def _content(columns: Columns) -> str:
    return "image" if columns.image else "messages" if columns.is_dialogue else "text"


def _check_names(table: pd.DataFrame, columns: Columns, where: str) -> None:
    names = list(table.columns)
    named = (_content(columns), "completion", "tools", "system", "label", "target", "split", "group", "time")
    roles = [(role, getattr(columns, role)) for role in named]
    for role, name in [
        *roles,
        *(("prompt", name) for name in columns.prompts),
        *(("keep", name) for name in columns.keep),
    ]:
        if name is not None and names.count(name) > 1:
            raise DataError(f"{where}: two columns are called {name!r}; rename one of them")
        if name is not None and name not in names:
            near = difflib.get_close_matches(name, map(str, names), 1, 0.4)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            mark = other_separator(table)
            hint = hint if mark is None else f"; fields seem to be separated by {mark!r}: set `separator`"
            raise DataError(
                f"{where}: no column {name!r} for `columns.{role}`; the columns are {list(map(str, names))}{hint}"
            )


def _words(column: pd.Series) -> pd.Series:
    """Any column as words: 1.0 from an integer column with gaps is "1"; null stays null."""
    if pd.api.types.is_float_dtype(column):
        numbers = column.dropna()
        if (numbers % 1 == 0).all() and (numbers.abs() < 2**53).all():
            column = column.astype("Int64")
    return column.astype("str").where(column.notna())


def _labels(written: pd.Series, columns: Columns, where: str, notes: list[str]) -> pd.Series:
    """Labels as the recipe calls them: `label_map` goes by a label as it is written, or else by its name."""
    label_map, names = columns.label_map, columns.label_names
    if not names:
        return map_labels(written, label_map, notes)
    spelt = {f"{index}{zero}": name for index, name in enumerate(names) for zero in ("", ".0")}
    direct = written.map({spelling: spelt.get(label, label) for spelling, label in label_map.items()}).astype("str")
    others = written.where(direct.isna())
    odd = others.dropna()[~others.dropna().isin([*spelt, *names])]
    if len(odd):
        raise DataError(
            f"{where}: row {odd.index[0] + 1} has the label {odd.iloc[0]!r}, which is not one of the {len(names)} in "
            f"`columns.label_names` ({', '.join(names)}); name it there, or map it in `columns.label_map`"
        )
    return direct.fillna(map_labels(others.map(spelt).astype("str").fillna(others), label_map))


def part_of(name: str) -> str:
    """The split that a file's name tells, or else its folder. Raises DataError where none or several are in it."""
    path = PurePosixPath(name)
    words = [SPLITS[word] for word in re.split(r"[^a-z]+", path.name.lower()) if word in SPLITS]
    found = set(words or [SPLITS[word] for word in [path.parent.name.lower()] if word in SPLITS])
    if len(found) != 1:
        raise DataError(f"{name}: the name tells {' and '.join(sorted(found)) or 'no'} split, but `split_files` asks "
                        "for one: train, val or test as a word in it")  # fmt: skip
    return found.pop()


def split_names(column: pd.Series) -> pd.Series:
    """Names of splits as Temper spells them. Raises DataError for one that it does not know."""
    known = column.map({name: part_named(name) for name in column.dropna().unique()}).astype("str")
    odd = column[known.isna() & column.notna()].unique()
    if len(odd):
        raise DataError(f"split names {sorted(odd)[:5]} are unknown; use train, validation and test")
    return known


def read_moments(column: pd.Series, columns: Columns, where: str, notes: list[str]) -> pd.Series:
    """Moments in microseconds, in UTC and without zone; those that cannot be read are null and counted in `notes`.

    Without `time_format` only forms with one meaning are read. Raises DataError where values are dates of another
    form, since day and month must not be guessed.
    """
    told, name = columns.time_format, columns.time
    if pd.api.types.is_datetime64_any_dtype(column):
        return _without_zone(column)
    words = _words(column)
    words = words.str.strip().where(words.str.strip() != "")
    moments = _parsed(words, told)
    unread = words[moments.isna() & words.notna()]
    dated = unread if told else unread[unread.str.contains(DATED)]
    if len(dated) and (not told or len(dated) == words.notna().sum()):
        form = f"none fits time_format {told!r}" if told else "not ISO 8601, and day and month are not guessed"
        raise DataError(
            f"{where}: column {name!r}, row {dated.index[0] + 1}: {dated.iloc[0][:60]!r} is a time of unknown form "
            f'({form}); set `columns.time_format`, such as "%d-%m-%Y %H:%M", or s or ms since 1970'
        )
    if len(unread):
        example = unread.iloc[0][:60]
        notes.append(f"{len(unread):,} values of {name!r} are no time, such as {example!r}; read as missing")
    return _without_zone(moments)


def _parsed(words: pd.Series, told: str | None) -> pd.Series:
    """Moments in UTC, null where a word does not fit."""
    if told in EPOCHS:
        unit: Any = told
        numbers = pd.to_numeric(words, errors="coerce").astype("float64")
        return pd.to_datetime(numbers, unit=unit, errors="coerce", utc=True)
    moments = pd.to_datetime(words, format=told or "ISO8601", errors="coerce", utc=True)
    for form in () if told else UNAMBIGUOUS:
        if (moments.isna() & words.notna()).any():
            moments = moments.fillna(pd.to_datetime(words, format=form, errors="coerce", utc=True))
    return moments


def _without_zone(moments: pd.Series) -> pd.Series:
    plain: pd.Series = pd.to_datetime(moments, utc=True).dt.tz_localize(None).astype("datetime64[us]")
    return plain


def as_kept(column: pd.Series, *, typed: bool = True) -> pd.Series:
    """A column with its own type: whole number, number, truth, moment or words; nested values as JSON text.

    Without `typed` (CSV) a column of which every value spells a number or a truth becomes one.
    """
    if isinstance(column.dtype, pd.CategoricalDtype):
        column = column.astype(column.cat.categories.dtype)
    if pd.api.types.is_datetime64_any_dtype(column):
        return _without_zone(column)
    if column.dtype == object:
        return _of_objects(column)
    if pd.api.types.is_string_dtype(column):
        return column.astype("str") if typed else _spelt(column.astype("str"))
    if pd.api.types.is_float_dtype(column) and column.isna().any() and column.notna().any():
        numbers = column.dropna()  # whole numbers with gaps
        whole = bool((numbers % 1 == 0).all() and (numbers.abs() < 2**53).all())
        return column.astype("Int64") if whole else column
    known = pd.api.types.is_bool_dtype(column) or pd.api.types.is_numeric_dtype(column)
    return column if known else _words(column)


def _of_objects(column: pd.Series) -> pd.Series:
    kinds = set(column.dropna().map(type))
    if kinds <= {bool, np.bool_}:
        return column.astype("boolean") if kinds else column.astype("str")
    try:
        if kinds <= {int, np.int64}:
            return column.astype("Int64")
    except (OverflowError, TypeError, ValueError):  # beyond 64 bits: words keep every digit
        return _words(column)
    if kinds <= {int, float}:
        return column.astype("float64")
    if kinds & {dict, list, tuple, np.ndarray}:
        return column.map(_json, na_action="ignore").astype("str")
    return _words(column)


def _spelt(words: pd.Series) -> pd.Series:
    """Words as numbers or truths where every one of them is spelt so; "007" and "1,5" are words."""
    there = words.dropna()
    if there.empty:
        return words
    if there.str.fullmatch(INTEGER).all():
        return words.astype("Int64")
    if there.str.fullmatch(NUMBER).all():
        return words.astype("Float64")
    truths = there.str.lower()
    if truths.isin(["true", "false"]).all():
        return (words.str.lower() == "true").astype("boolean").where(words.notna())
    return words


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, default=_plain)


def _plain(value: Any) -> Any:
    return value.tolist() if isinstance(value, np.ndarray | np.generic) else str(value)
