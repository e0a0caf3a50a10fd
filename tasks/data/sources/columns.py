"""A source's table -> Temper's columns: text, label, split, group and time, and those that a recipe keeps."""

import difflib
import re
from pathlib import PurePosixPath
from typing import Any, Literal

import numpy as np
import pandas as pd

from configs.sources import Columns

from ..dialogues.columns import read_dialogues
from ..dialogues.replies import read_pairs
from ..drops import first_of
from ..errors import DataError
from ..label_sets import LABELS, join_labels, single_labels
from ..label_variants import map_labels
from ..tags.columns import read_tagged
from .part_names import LONGEST, part_named
from .written import as_written

Part = Literal["train", "validation", "test"]
EPOCHS = ("s", "ms")
UNAMBIGUOUS = ("%a %b %d %H:%M:%S %z %Y", "%a, %d %b %Y %H:%M:%S %z", "%d %b %Y", "%d %B %Y", "%B %d, %Y")
"""Tried where ISO 8601 does not fit: forms that name the month, so that no day can be taken for one."""
DATED = r"\d{1,4}[-/. ]+\w{1,9}[-/., ]+\d{1,4}|^\d{8,}(?:\.\d*)?$"
"""What was meant as a moment, as against "unknown"."""
FINER = r"(\.\d{6})\d+"


def take_columns(table: pd.DataFrame, columns: Columns, where: str, *, notes: list[str] | None = None) -> pd.DataFrame:
    """Pick and rename the columns, every value as it is written; what a person should know goes to `notes`.

    Dialogues come out as canonical JSON, lists and objects as text, target or kept value as JSON text; rows without
    classes have no column `label`.

    Raises DataError for an absent column, a list or object where one value is read, an unknown label or split, and a
    time whose form is not given.
    """
    notes = [] if notes is None else notes
    _check_names(table, columns, where)
    what = _content(columns)
    picked: dict[str, Any] = _with_truth(table, columns, where, notes) or {
        what: _contents(table, columns, where, notes)
    }
    if columns.text_pair is not None:
        picked["text_pair"] = _texts(table[columns.text_pair], where, "text_pair", notes)
    if columns.label is not None:
        picked["label"] = _labels(_word_of(table, columns, "label", where), columns, where, notes)
    if columns.labels is not None:
        single = _labels(single_labels(table, columns, where), columns, where, notes)
        picked[LABELS] = join_labels(single, table.index)
    picked["split"] = (
        split_names(_word_of(table, columns, "split", where), columns.split_map) if columns.split else None
    )
    types = dict.fromkeys(picked, "str")
    if columns.image is not None:
        picked["file"], types["file"] = table["file"], "str"
    if columns.target is not None:
        picked["target"] = _texts(table[columns.target], where, "target", notes)
    if columns.group is not None:
        picked["group"] = _word_of(table, columns, "group", where)
    if columns.time is not None:
        picked["time"] = read_moments(table[columns.time], columns, where, notes)
    for name in columns.keep:
        picked[name] = as_written(table[name], where, "download.columns.keep", nested=True)
    if columns.keep:
        notes.append(f"kept columns: {', '.join(columns.keep)}")
    return pd.DataFrame(picked, index=table.index).astype(types)


def _with_truth(table: pd.DataFrame, columns: Columns, where: str, notes: list[str]) -> dict[str, Any]:
    """Texts and what is tagged in them, or dialogues and the worse reply, of a source that has that."""
    if columns.is_preference:
        return read_pairs(table, columns, where, notes)
    return (
        dict(zip(("text", "tags"), read_tagged(table, columns, where, notes), strict=True)) if columns.is_tagged else {}
    )


def _contents(table: pd.DataFrame, columns: Columns, where: str, notes: list[str]) -> pd.Series:
    if columns.is_dialogue:
        return read_dialogues(table, columns, where, notes)
    return (
        _word_of(table, columns, "image", where) if columns.image else _texts(table[columns.text], where, "text", notes)
    )


def _word_of(table: pd.DataFrame, columns: Columns, role: str, where: str) -> pd.Series:
    return as_written(table[getattr(columns, role)], where, f"download.columns.{role}")


def _texts(column: pd.Series, where: str, role: str, notes: list[str]) -> pd.Series:
    """Texts; a list or object is its JSON text, which is stated."""
    words = as_written(column, where, f"download.columns.{role}", nested=True)
    if column.dtype == object and (count := sum(isinstance(value, list | dict | np.ndarray) for value in column)):
        notes.append(
            f"{where}: {count:,} values of {column.name!r} are lists or objects, read as JSON text; where another text "
            f"is meant, write it into a column of its own and name it in columns.{role}"
        )
    return words


def other_separator(table: pd.DataFrame, wanted: str | None = None) -> str | None:
    """What seems to separate the fields of a table that was read as one column, one of them called as `wanted`; None
    where nothing does."""
    name = str(table.columns[0]) if table.shape[1] == 1 else ""
    by_name = (mark for mark in ",;|\t" if mark in name and wanted in [part.strip('" ') for part in name.split(mark)])
    return next(by_name, None) or next((mark for mark in ";|\t" if mark in name), None)


def _content(columns: Columns) -> str:
    return "image" if columns.image else "messages" if columns.is_dialogue else "text"


def _check_names(table: pd.DataFrame, columns: Columns, where: str) -> None:
    names = list(table.columns)
    contents = ("tokens", "tags") if columns.tags else (_content(columns),)
    replies = ("completion", "chosen", "rejected")
    further = ("text_pair", "spans", *replies, "tools", "system", "label", "target", "split", "group", "time")
    named = (*contents, *further)
    roles = [(role, getattr(columns, role)) for role in named]
    for role, name in [
        *roles,
        *(("prompt", name) for name in columns.prompts),
        *(("labels", name) for name in columns.label_columns),
        *(("keep", name) for name in columns.keep),
    ]:
        if name is not None and names.count(name) > 1:
            raise DataError(f"{where}: two columns are called {name!r}; rename one of them")
        if name is not None and name not in names:
            near = difflib.get_close_matches(name, map(str, names), 1, 0.4)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            mark = other_separator(table, name)
            spelt = '"\\t"' if mark == "\t" else f"'{mark}'"
            fix = f"set `separator: {spelt}` and, unless the name says it, `format: csv`"
            hint = hint if mark is None else f"; fields seem to be separated by {mark!r}: {fix}"
            raise DataError(
                f"{where}: no column {name!r} for `columns.{role}`; the columns are {list(map(str, names))}{hint}"
            )


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


def part_of(name: str, split_map: dict[str, Part]) -> str:
    """The split that a file's name gives, by the map or as a word in it, or else its folder.

    Raises DataError where none or several are in it.
    """
    path = PurePosixPath(name)
    stem = path.stem
    if mapped := split_map.get(stem) or split_map.get(path.name):
        return mapped
    words = {part for word in re.split(r"[^A-Za-z]+", stem[:LONGEST]) if word and (part := part_named(word))}
    whole = part_named(stem) or (None if words else part_named(path.parent.name))
    parts = {whole} if whole else words
    if len(parts) != 1:
        named = " and ".join(sorted(parts)) or "no"
        raise DataError(
            f"{name}: the name gives {named} split, but `split_files` asks for one: train, val or test as "
            f"a word in it, or `columns.split_map: {{{stem}: train}}`"
        )
    return parts.pop()


def split_names(column: pd.Series, split_map: dict[str, Part] | None = None) -> pd.Series:
    """Names of splits as Temper spells them, by the map first. Raises DataError for one that it does not know."""
    given = split_map or {}
    names = {name: given.get(name) or given.get(name.strip()) or part_named(name) for name in column.dropna().unique()}
    known = column.map(names).astype("str")
    odd = sorted(column[known.isna() & column.notna()].unique())
    if odd:
        raise DataError(
            f"split names {odd[:5]} are unknown; use train, validation and test, or map them in "
            f"`columns.split_map`, such as {{{odd[0]}: train}}"
        )
    return known


def read_moments(column: pd.Series, columns: Columns, where: str, notes: list[str]) -> pd.Series:
    """Moments in microseconds, in UTC and without zone; those that cannot be read are null and counted in `notes`.

    Without `time_format` only forms with one meaning are read. Raises DataError where values are dates of another
    form, since day and month must not be guessed.
    """
    time_format, name = columns.time_format, columns.time
    words = as_written(column, where, "download.columns.time")
    words = words.str.strip().where(words.str.strip() != "")
    moments = _parsed(words, time_format)
    unread = words[moments.isna() & words.notna()]
    dated = unread if time_format else unread[unread.str.contains(DATED)]
    if len(dated) and (not time_format or len(dated) == words.notna().sum()):
        form = (
            f"none fits time_format {time_format!r}"
            if time_format
            else "not ISO 8601, and day and month are not guessed"
        )
        raise DataError(
            f"{where}: column {name!r}, row {dated.index[0] + 1}: {dated.iloc[0][:60]!r} is a time of unknown form "
            f'({form}); {"correct" if time_format else "set"} `columns.time_format`, such as "%d-%m-%Y %H:%M", or s or '
            "ms since 1970"
        )
    if len(unread):
        examples = first_of(repr(value[:60]) for value in unread)
        notes.append(f"{len(unread):,} values of {name!r} are no time, such as {examples}; read as missing")
    return _without_zone(moments)


def _parsed(words: pd.Series, time_format: str | None) -> pd.Series:
    """Moments in UTC, null where a word does not fit; digits behind the microseconds are left out, since one such word
    would narrow the years that all of them may name."""
    if time_format in EPOCHS:
        unit: Any = time_format
        numbers = pd.to_numeric(words, errors="coerce").astype("float64")
        return pd.to_datetime(numbers, unit=unit, errors="coerce", utc=True)
    words = words if time_format else words.str.replace(FINER, r"\1", regex=True)
    moments = pd.to_datetime(words, format=time_format or "ISO8601", errors="coerce", utc=True)
    for form in () if time_format else UNAMBIGUOUS:
        if (moments.isna() & words.notna()).any():
            moments = moments.fillna(pd.to_datetime(words, format=form, errors="coerce", utc=True))
    return moments


def _without_zone(moments: pd.Series) -> pd.Series:
    plain: pd.Series = pd.to_datetime(moments, utc=True).dt.tz_localize(None).astype("datetime64[us]")
    return plain
