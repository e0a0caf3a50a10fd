"""What a step that drops rows gives back."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice

import pandas as pd

EXAMPLES, LONGEST = 3, 60
"""Rows shown of each reason, and characters of one."""


@dataclass(frozen=True)
class Drops:
    """All in the order of the rows: `reasons` (null where a row stays), `others` (id of the row that it repeats or
    contradicts); `listed` is a table for a person, of any shape, and `note` a sentence on it."""

    reasons: pd.Series
    others: pd.Series | None = None
    listed: pd.DataFrame | None = None
    note: str = ""


def drop_where(mask: pd.Series, reason: str, others: pd.Series | None = None) -> Drops:
    """One reason where the mask holds."""
    return Drops(reason_where(mask, reason), others)


def reason_where(mask: pd.Series, reason: str) -> pd.Series:
    """The reason where the mask holds, else null."""
    return pd.Series(reason, index=mask.index, dtype="str").where(mask)


def first_of(values: Iterable[str]) -> str:
    """The first EXAMPLES of some values, as they stand behind "such as"."""
    return ", ".join(islice(values, EXAMPLES))


def describe_reasons(reasons: pd.Series, values: pd.Series) -> str:
    """Each reason with its count and the first EXAMPLES values; both in the order of the rows, `values` by row id."""
    rows = pd.DataFrame({"reason": reasons.to_numpy(), "id": values.index, "value": values.to_numpy()})
    lines = []
    for reason, count in reasons.value_counts().items():
        some = rows[rows["reason"] == reason].head(EXAMPLES)
        shown = ", ".join(f"row {row}{_shown(value)}" for row, value in zip(some["id"], some["value"], strict=True))
        lines.append(f"{reason}: {count:,}, such as {shown}")
    return "; ".join(lines)


def _shown(value: object) -> str:
    """A value in quotes, cut; nothing where there is none."""
    if not isinstance(value, str):
        return ""
    cut = value if len(value) <= LONGEST else f"{value[: LONGEST - 3]}..."
    return f" {cut!r}" if cut.isprintable() else f" {cut!a}"
