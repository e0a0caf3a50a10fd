"""Rows that Temper wrote next to a source's own: they join these for training alone, and change nothing of them.

Cleaning and splitting treat the own rows as if there were no others, so that held-out rows stay the same to the byte
whatever is added; an added row that repeats an own one, or nearly copies a held-out one, is dropped with that reason.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import pandas as pd

from configs.added_rows import MADE_BY
from configs.cleaning import Clean, LabelErrors
from configs.splitting import Split

from .cleaning.pipeline import TEXTS, clean_rows
from .cleaning.report import Cleaned
from .errors import DataError
from .leakage import near_copies, reasons
from .ledger import dropped_rows
from .pairs import TEXT, distinct, sides

TRAIN = "train"


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


def clean_apart(own: Cleaned, added: pd.DataFrame, section: Clean) -> Cleaned:
    """What cleaning left of the own rows with what it leaves of added texts, by the same steps but for `label_errors`.
    Raises DataError as `clean_rows` does."""
    if added.empty:
        return own
    theirs = clean_rows(added, without(section, LabelErrors))
    return Cleaned(
        pd.concat([own.rows, theirs.rows], ignore_index=True),
        pd.concat([own.dropped, theirs.dropped], ignore_index=True),
        (*own.done, *(replace(done, step=f"{done.step} of added rows") for done in theirs.done)),
    )


def without(section: Clean, *kinds: type) -> Clean:
    """The section without the steps of these kinds."""
    steps = TEXTS if section.steps is None else section.steps
    return replace(section, steps=tuple(step for step in steps if not isinstance(step, kinds)))


def leaking(own: pd.DataFrame, parts: pd.Series, added: pd.DataFrame, section: Split) -> pd.DataFrame:
    """Added rows that nearly copy a held-out row, as of `near_copies`, whatever the recipe does with its own."""
    held = parts != TRAIN
    both = pd.concat([own[held], added], ignore_index=True)
    where = pd.Series([*parts[held], *[TRAIN] * len(added)], dtype="str")
    copies = near_copies(both, where, replace(section, near_copies="drop"))
    return copies[copies["part"] == TRAIN]


@dataclass(frozen=True)
class Joined:
    """Own rows with the added ones that stay, their parts, the ledger's lines (id, reason) for added rows that leave,
    and which of these copy a held-out row, as of `near_copies`."""

    rows: pd.DataFrame
    parts: pd.Series
    gone: pd.DataFrame
    copies: pd.DataFrame


def join(own: pd.DataFrame, parts: pd.Series, added: pd.DataFrame, section: Split) -> Joined:
    """Add rows for training, but for those that copy a held-out row, whatever the recipe does with its own copies, and
    those that repeat an own row that is left."""
    if added.empty:
        return Joined(own, parts, dropped_rows(added, ""), added.head(0))
    copies = leaking(own, parts, added, section)
    rest = added[~added["id"].isin(copies["id"])]
    known = distinct(rest, TEXT).isin(set(distinct(own, TEXT)))
    gone = pd.concat([reasons(copies), dropped_rows(rest[known], "repeats a row of the source")], ignore_index=True)
    where = pd.Series(TRAIN, index=rest.index[~known], dtype="str")
    return Joined(pd.concat([own, rest[~known]]), pd.concat([parts, where]), gone, copies)


def without_empty(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows without the column MADE_BY where none was added, so that held-out parts are the same whatever is."""
    return rows.drop(columns=MADE_BY) if MADE_BY in rows and rows[MADE_BY].isna().all() else rows
