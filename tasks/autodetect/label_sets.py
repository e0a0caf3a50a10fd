"""A table that nobody has described yet -> its columns of any number of labels per row, and what holds of its rows."""

from typing import Any

import pandas as pd

from configs.cleaning import Clean
from configs.columns import Columns
from configs.label_set_starter import LabelSetFacts

from ..data.cleaning.pipeline import clean_rows
from ..data.errors import DataError
from ..data.label_sets import LABELS, OFF, ON, SEPARATORS, as_list, present_labels, read_sets
from ..data.label_variants import describe_variants, label_variants
from ..data.ledger import PARTS
from ..data.rows import with_ids
from ..data.sources.columns import take_columns
from .table import TEXT_NAMES, UNNAMED, inspect_columns, names_parts, rank
from .targets import likely_split

LIST_NAMES = ("labels", "label", "tags", "emotions", "topics", "categories", "genres", "classes", "keywords")
"""Names of columns that may hold several labels."""
MOST = 200
"""Different labels from which on a column seems to hold something else."""
SAMPLE = 1000
"""Rows on which a column is recognised."""
FIT = 0.9
"""Share of a column's cells that must be 0 or 1."""


def list_column(table: pd.DataFrame) -> str | None:
    """The column called like labels whose cells are lists of few different words; None where there is none."""
    names = [name for name in table.columns if isinstance(name, str) and list(table.columns).count(name) == 1]
    named = sorted(
        (name for name in names if rank(name, LIST_NAMES) < UNNAMED), key=lambda name: rank(name, LIST_NAMES)
    )
    return next((name for name in named if are_lists(table[name])), None)


def are_lists(column: pd.Series) -> bool:
    """Whether a column's cells are lists of few different words."""
    cells: list[Any] = [as_list(cell) for cell in column.head(SAMPLE).tolist()]
    if not all(isinstance(cell, list) for cell in cells):
        return False
    every = [label for cell in cells for label in cell]
    return bool(every) and all(isinstance(label, str | int) for label in every) and 2 <= len({*every}) <= MOST


def switch_columns(table: pd.DataFrame) -> tuple[str, ...]:
    """The columns of 0 and 1, those too in which a few cells are something else: the reader names these."""
    return tuple(column.name for column in inspect_columns(table) if _switches(table[column.name]))


def _switches(column: pd.Series) -> bool:
    return bool(len(column)) and column.astype(str).str.strip().str.lower().isin([*ON, *OFF]).mean() >= FIT


def look_at_label_sets(table: pd.DataFrame, where: str, text: str | None, label: str | None) -> LabelSetFacts:
    """Guess the columns that are not given and measure the rows. Raises DataError where they cannot be trained on."""
    columns, why = _choose(table, where, text, label)
    rows = with_ids(take_columns(table, columns, where))
    labels, sets = present_labels(rows[LABELS]), read_sets(rows[LABELS])
    if not 2 <= len(labels) <= MOST:
        raise DataError(f"{where}: {', '.join(columns.label_columns)} holds {len(labels)} different labels, not 2 to "
                        f"{MOST}; name another column with --label")  # fmt: skip
    cleaned = clean_rows(rows, Clean(max_dropped=1.0))
    kept, seen = cleaned.rows, rows["text"].dropna()
    split, parts = likely_split(kept, where, given=columns.split is not None)
    counts = {label: sum(label in row_labels for row_labels in sets) for label in labels}
    return LabelSetFacts(
        columns=columns, why=why, rows=len(rows),
        labels=counts,
        without=sum(not row_labels for row_labels in sets) / len(sets), longest=int(seen.str.len().max()),
        missing=float(rows["text"].isna().mean()), duplicates=1 - seen.nunique() / len(seen),
        dropped={str(reason): int(count) for reason, count in cleaned.dropped["reason"].value_counts().items()},
        split=split, parts={part: int((parts == part).sum()) for part in PARTS}, texts=kept["text"].tolist(),
        variants=describe_variants(label_variants(counts)),
    )  # fmt: skip


def _choose(table: pd.DataFrame, where: str, text: str | None, label: str | None) -> tuple[Columns, dict[str, str]]:
    labels, separator, reason = _label_columns(table, where, label)
    known = [column for column in inspect_columns(table) if column.name not in labels]
    split = next((column.name for column in known if column.name != text and names_parts(table[column.name])), None)
    words = [column for column in known if column.words and column.name != split]
    if text is None and not words:
        raise DataError(f"{where}: no column looks like texts; name it with --text")
    chosen = text or min(words, key=lambda column: (rank(column.name, TEXT_NAMES), -column.mean)).name
    named = rank(chosen, TEXT_NAMES) < UNNAMED
    why = {"text": "as you said" if text else "by its name" if named else "the longest texts", "labels": reason}
    given = labels[0] if len(labels) == 1 else labels
    return Columns(text=chosen, labels=given, label_separator=separator, split=split), why


def _label_columns(table: pd.DataFrame, where: str, label: str | None) -> tuple[tuple[str, ...], str | None, str]:
    """The columns, what separates labels in them, and why."""
    listed = f"the columns are {list(map(str, table.columns))}"
    if label is None and (lists := list_column(table)) is not None:
        return (lists,), None, "its cells are lists"
    if label is None and len(switches := switch_columns(table)) > 1:
        return switches, None, "columns of 0 and 1"
    named = [column.name for column in inspect_columns(table) if rank(column.name, LIST_NAMES) < UNNAMED]
    chosen = label or min(named, key=lambda name: rank(name, LIST_NAMES), default=None)
    if chosen is None or chosen not in table:
        raise DataError(f"{where}: no column holds lists of labels, and no two hold 0 and 1; {listed}; name the column "
                        "with --label")  # fmt: skip
    reason = "as you said" if label else "by its name"
    texts = [cell for cell in map(as_list, table[chosen].tolist()) if isinstance(cell, str)]
    counts = {mark: sum(mark in text for text in texts) for mark in SEPARATORS}
    mark = max(counts, key=lambda separator: counts[separator])
    if texts and not counts[mark]:
        raise DataError(f"{where}: no row of {chosen!r} has several labels, with one of {' '.join(SEPARATORS[:-1])} or "
                        f"a space between them; --kind classifier predicts one label per row, {listed}")  # fmt: skip
    return (chosen,), mark if texts else None, reason
