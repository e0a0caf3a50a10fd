"""What regression makes of data that nobody has described: a column of many different numbers may be its target."""

from typing import Final

import pandas as pd

from configs.kinds import traits_of

from ...autodetect.proposal import CERTAIN, Proposal, Undescribed
from ...autodetect.table import Column, inspect_columns
from ...autodetect.targets import MANY, are_numbers
from ..target_draft import draft_targets

KIND: Final = "regression"
LIKELY = 0.4
"""Below that of classes, which a table may hold as well."""


def detect(data: Undescribed) -> Proposal | None:
    """Where it is asked for, or a column called like a score holds many numbers; else what it says next to classes."""
    table = data.located.table
    if table is None:
        return None
    if data.kind == KIND:
        return Proposal(CERTAIN, lambda: draft_targets(data, KIND, numbers=True, label=data.label))
    if data.kind is not None and not traits_of(data.kind).classes:
        return None
    numbers = data.number_column
    return Proposal(
        0.0 if numbers is None else LIKELY,
        lambda: draft_targets(data, KIND, numbers=True, label=None),
        notes=lambda columns: number_notes(table, columns.label, numbers) if columns.label and not data.kind else [],
        fix=lambda: number_fix(table, data.label) if numbers is None else "",
    )


def number_fix(table: pd.DataFrame, label: str | None) -> str:
    """What else may be done with a table whose columns have no classes: the options that predict its numbers."""
    fit = [column for column in inspect_columns(table) if column.name in table and are_numbers(table[column.name])]
    many = [column for column in fit if label is None and column.distinct > MANY and not _counts(table, column)]
    shown = [column for column in fit if column.name == label] or many[:3]
    return "".join(
        f"; {column.name!r} holds {column.distinct:,} different numbers, which "
        f"`--kind regression --label {column.name}` predicts"
        for column in shown
    )


def number_notes(table: pd.DataFrame, label: str, numbers: str | None) -> list[str]:
    """What to say where numbers may be meant as such: those of another column, or three and more that are labels."""
    if numbers is not None:
        return [f"{numbers!r} holds many different numbers: --kind regression predicts them, this recipe {label!r}"]
    different = table[label].dropna().astype("str").nunique()
    if different < 3 or not are_numbers(table[label]):
        return []
    return [
        f"each of the {different:,} numbers of {label!r} is a class of its own here; where they measure something, "
        f"--kind regression --label {label} predicts the number"
    ]


def _counts(table: pd.DataFrame, column: Column) -> bool:
    """Whether a column seems to number the rows: whole numbers of which none comes twice."""
    numbers = pd.to_numeric(table[column.name], errors="coerce").dropna()
    return column.distinct == column.values and bool((numbers % 1 == 0).all())
