"""Columns with any number of labels per row -> one text per row, and back: a JSON list of the labels, sorted."""

import ast
import json
from collections.abc import Collection, Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from configs.columns import Columns

from .errors import DataError
from .sources.written import as_written

LABELS = "labels"
"""The column of rows that may have any number of labels."""
ON, OFF = ("1", "1.0", "true"), ("0", "0.0", "false")
"""How columns of 0 and 1 are written."""
SEPARATORS = (",", ";", "|", "/", " ")
"""What commonly stands between labels, for messages."""


def write_set(labels: Iterable[str]) -> str:
    """Labels as a row keeps them: each once, sorted."""
    return json.dumps(sorted({*labels}), ensure_ascii=False)


def read_sets(written: Iterable[str]) -> list[list[str]]:
    """The labels of each row."""
    return [json.loads(text) for text in written]


def present_labels(written: pd.Series) -> list[str]:
    """The labels that rows have, sorted."""
    return sorted({label for labels in read_sets(written.unique()) for label in labels})


def indicators(written: Sequence[str], labels: Sequence[str]) -> npt.NDArray[np.bool_]:
    """Which row has which label [rows, labels]. Raises KeyError for a label that is not among them."""
    places = {label: place for place, label in enumerate(labels)}
    has = np.zeros((len(written), len(labels)), bool)
    for row, names in enumerate(read_sets(written)):
        has[row, [places[name] for name in names]] = True
    return has


def single_labels(table: pd.DataFrame, columns: Columns, where: str) -> pd.Series:
    """The labels as they are written, each by itself under the number of its row (from 0); none of a row without.

    Raises DataError naming column, row and fix for a cell that is no 0 or 1, no list or of no known form, and for a
    separator that is missing, not read or in no cell.
    """
    if isinstance(columns.labels, tuple):
        sets = _switched_on(table, columns.labels, where)
    else:
        name = columns.label_columns[0]
        sets = _listed(table[name], columns.label_separator, f"{where}: column {name!r}")
    rows = [row for row, labels in enumerate(sets) for _ in labels]
    flat = pd.Series([label for labels in sets for label in labels], index=rows, dtype=object)
    words = as_written(flat, where, "download.columns.labels")
    return words[words.notna() & (words.str.strip() != "")]


def join_labels(single: pd.Series, index: pd.Index) -> pd.Series:
    """Labels by the numbers of their rows -> the written set of each row of `index`."""
    sets: list[list[str]] = [[] for _ in index]
    for row, label in zip(single.index, single, strict=True):
        sets[row].append(label)
    return pd.Series([write_set(labels) for labels in sets], index=index, dtype="str")


def _switched_on(table: pd.DataFrame, names: Sequence[str], where: str) -> list[list[str]]:
    sets: list[list[str]] = [[] for _ in range(len(table))]
    for name in names:
        words = as_written(table[name], where, "download.columns.labels").str.strip().str.lower().tolist()
        for row, word in enumerate(words):
            if word not in (*ON, *OFF):
                shown = "nothing" if pd.isna(word) else repr(word)
                raise DataError(f"{where}: row {row + 1} has {shown} in the label column {name!r}, not 0 or 1; "
                                "correct it, or take the column out of `columns.labels`")  # fmt: skip
            if word in ON:
                sets[row].append(name)
    return sets


def _listed(column: pd.Series, separator: str | None, where: str) -> list[list[Any]]:
    """What each cell lists; nothing where it is missing."""
    cells = [as_list(cell) for cell in column.tolist()]
    texts = {row: cell for row, cell in enumerate(cells) if isinstance(cell, str)}
    if separator is None and texts:
        row, text = next(iter(texts.items()))
        raise DataError(f"{where}: row {row + 1} has the text {text[:60]!r}, not a list; set `columns.label_separator` "
                        f"to what stands between its labels{_hint(tuple(texts.values()))}")  # fmt: skip
    if separator is not None and cells and not any(separator in text for text in texts.values()):
        what = f"none of the {len(texts):,} texts has it" if texts else "the cells are lists, or empty"
        raise DataError(f"{where}: `columns.label_separator` is {separator!r}, but {what}; correct it or leave it out"
                        f"{_hint(tuple(texts.values()))}")  # fmt: skip
    sets: list[list[Any]] = []
    for row, cell in enumerate(cells):
        if isinstance(cell, dict):
            raise DataError(f"{where}: row {row + 1} has an object, not a list of labels or a text; write a list, or "
                            "name another column in `columns.labels`")  # fmt: skip
        if isinstance(cell, str) and cell.startswith("[") and cell.endswith("]"):
            raise DataError(f"{where}: row {row + 1} has {cell[:60]!r} in brackets, which is no list; write its "
                            "labels in quotes, or take the brackets away")  # fmt: skip
        if isinstance(cell, list) and any(isinstance(label, list | tuple | dict | np.ndarray) for label in cell):
            raise DataError(f"{where}: row {row + 1} has a list or an object among its labels; write a list of words")
        sets.append([label.strip() for label in cell.split(separator)] if isinstance(cell, str) else cell)
    return sets


def as_list(cell: Any) -> Any:
    """A list of a list or its text, [] of a missing cell, a text of any other single value; an object as it is."""
    if isinstance(cell, list | tuple | np.ndarray):
        return list(cell)
    if isinstance(cell, dict):
        return cell
    if cell is None or cell is pd.NA or cell != cell or not str(cell).strip():
        return []
    text = str(cell).strip()
    if text.startswith("[") and text.endswith("]"):
        for read in (json.loads, ast.literal_eval):  # as JSON, or as pandas writes a list into a CSV file
            try:
                return list(read(text))
            except (ValueError, SyntaxError):
                pass
    return text


def _hint(texts: Collection[str]) -> str:
    counts = {mark: sum(mark in text for text in texts) for mark in SEPARATORS}
    mark = max(counts, key=lambda separator: counts[separator])
    return f"; {mark!r} stands in {counts[mark]:,} of {len(texts):,}" if counts[mark] else ""
