"""Rows that Temper wrote next to a source's own: they join these for training alone, and change nothing of them.

Checks, cleaning and splitting treat the own rows as if there were no others, so that held-out rows stay the same to the
byte whatever is added.
"""

from collections.abc import Iterable

import pandas as pd

from configs.added_rows import MADE_BY

from .errors import DataError
from .pairs import sides


def with_added(own: pd.DataFrame, tables: Iterable[tuple[str, pd.DataFrame]]) -> pd.DataFrame:
    """The own rows, then those of each table (text or pair, label), named in MADE_BY. Raises DataError where the tables
    hold other texts than the source."""
    parts = [own]
    for name, table in tables:
        if sides(table) != sides(own):
            raise DataError(
                f"download.extra: {name} has the columns {', '.join(sides(table))}, the source "
                f"{', '.join(sides(own))}; label rows that are like the source's"
            )
        parts.append(table[[*sides(table), "label"]].assign(**{MADE_BY: name}))
    return own if len(parts) == 1 else pd.concat(parts, ignore_index=True).astype({MADE_BY: "str"})


def apart(rows: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The source's own rows, without the column MADE_BY, and the added ones."""
    if MADE_BY not in rows:
        return rows, rows.head(0)
    added = rows[MADE_BY].notna()
    return rows[~added].drop(columns=MADE_BY), rows[added]


def without_empty(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows without the column MADE_BY where none was added, so that held-out parts are the same whatever is."""
    return rows.drop(columns=MADE_BY) if MADE_BY in rows and rows[MADE_BY].isna().all() else rows
