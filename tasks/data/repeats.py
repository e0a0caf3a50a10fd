"""Steps about rows that repeat others: rows in, the reason per row that is dropped out (null where it stays)."""

import pandas as pd

from configs import cleaning as steps

from .files import DataError

SPLIT_ORDER = {"test": 0, "validation": 1, "train": 2}
"""Of equal rows in several given splits the one is kept that must not be lost: test before training."""


def content(rows: pd.DataFrame) -> str:
    """The column that holds what a row is about."""
    return "image" if "image" in rows else "text"


def reason_where(mask: pd.Series, reason: str) -> pd.Series:
    """The reason where the mask holds, else null."""
    return pd.Series(reason, index=mask.index, dtype="str").where(mask)


def contradictions(rows: pd.DataFrame, step: steps.Contradictions) -> pd.Series:
    """The same text under different labels. Raises DataError where the step says `fail`."""
    shared = rows.groupby(content(rows))["label"].transform("nunique") > 1
    if step.action == "fail" and shared.any():
        first = rows[shared].iloc[0]
        others = rows.loc[rows[content(rows)] == first[content(rows)], "label"].unique()
        raise DataError(
            f"{int(shared.sum())} rows share a text with a row of another label, such as {first['id']} "
            f"({str(first[content(rows)])[:80]!r}: {', '.join(map(str, others))})"
        )
    if step.action == "majority":
        votes = rows.groupby([content(rows), "label"])["id"].transform("size")
        most = votes.groupby(rows[content(rows)]).transform("max")
        winners = rows["label"].where(votes == most).groupby(rows[content(rows)]).transform("nunique")
        shared &= ~((votes == most) & (winners == 1))
    return reason_where(shared, "contradictory label")


def duplicates(rows: pd.DataFrame, step: steps.Duplicates) -> pd.Series:
    """All but one of equal rows."""
    rank = rows["split"].map(SPLIT_ORDER).fillna(0)
    best_first = rows.assign(rank=rank).sort_values("rank", kind="stable")
    repeated = best_first.duplicated([content(rows), "label"], keep="first")
    return reason_where(repeated.reindex(rows.index), "duplicate")
