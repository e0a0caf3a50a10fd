"""What a step that drops rows gives back."""

from dataclasses import dataclass

import pandas as pd


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
