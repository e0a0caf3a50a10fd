"""Kept columns, which are words as the source has them -> the same as numbers, truth values or moments, for checks."""

from typing import Any

import pandas as pd

from ..rows import CORE

INTEGER, NUMBER = r"-?(?:0|[1-9]\d{0,17})", r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][-+]?\d+)?"
"""How a number is spelt; "007" and "1,5" are words."""
LONG = r"\d{16}"
"""More digits than a floating-point number keeps."""
MOMENT = r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}:\d{2}(?:\.\d{1,6})?(?:Z|[-+]\d{2}:?\d{2})?"


def typed_rows(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows with each kept column as what every one of its values spells; the rows themselves stay words."""
    kept = [name for name in rows.columns if name not in CORE and isinstance(rows[name].dtype, pd.StringDtype)]
    return rows.assign(**{name: as_spelt(rows[name]) for name in kept})


def as_spelt(words: pd.Series) -> pd.Series:
    """Words as whole numbers, numbers, truth values or moments in UTC where every one is spelt so; else as they are."""
    there = words.dropna()
    if there.empty:
        return words
    if there.str.fullmatch(INTEGER).all():
        return words.astype("Int64")
    if there.str.fullmatch(NUMBER).all() and not there.str.contains(LONG).any():
        return words.astype("Float64")
    if there.str.lower().isin(["true", "false"]).all():
        return (words.str.lower() == "true").astype("boolean").where(words.notna())
    if there.str.fullmatch(MOMENT).all():
        moments = pd.to_datetime(words, format="ISO8601", errors="coerce", utc=True)
        if moments.notna().equals(words.notna()):
            return moments.dt.tz_localize(None).astype("datetime64[us]")
    return words


def asks_for_words(arguments: dict[str, Any]) -> bool:
    """Whether an expectation compares with texts: then a column is read as it is written."""
    values = arguments.get("value_set") or [pair for pairs in arguments.get("value_pairs_set") or () for pair in pairs]
    return bool(values) and all(isinstance(value, str) for value in values)
