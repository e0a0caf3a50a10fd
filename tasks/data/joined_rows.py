"""Splitting where rows are added to a source's own: they join the training rows, unless they copy what is held out."""

from dataclasses import dataclass, replace

import pandas as pd

from configs.splitting import Split

from .leakage import near_copies, reasons
from .ledger import dropped_rows
from .pairs import TEXT, distinct

TRAIN = "train"


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
