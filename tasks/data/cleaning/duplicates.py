"""Steps about rows that repeat others: rows in, the reason and the other row per row that is dropped out."""

import pandas as pd

from configs import cleaning as steps

from ..drops import Drops, drop_where
from ..errors import DataError
from ..pairs import distinct, joined, sides
from ..rows import aim, content
from .near_duplicates import Copies

SPLIT_ORDER = {"test": 0, "validation": 1, "train": 2}
"""Of equal rows in several given splits the one is kept that must not be lost: test before training."""


def best_first(rows: pd.DataFrame) -> pd.DataFrame:
    """The same rows, those first that are kept of several equal ones."""
    rank = rows["split"].map(SPLIT_ORDER).fillna(0)
    return rows.loc[rank.sort_values(kind="stable").index]


def contradictions(rows: pd.DataFrame, step: steps.Contradictions) -> Drops:
    """The same text, or pair, under different labels (or targets). Raises DataError where the step says `fail`."""
    what, truth = content(rows), aim(rows)
    if truth is None:
        return drop_where(pd.Series(False, index=rows.index), "")
    contents = distinct(rows, what)
    shared = rows.groupby(contents)[truth].transform("nunique") > 1
    if step.action == "fail" and shared.any():
        first = rows[shared].iloc[0]
        others = rows.loc[contents == contents[shared].iloc[0], truth].dropna().unique()
        raise DataError(
            f"{int(shared.sum())} rows share a {what} with a row of another {truth}, such as {first['id']} "
            f"({str(first[what])[:80]!r}: {', '.join(map(str, others))}); correct them or set `action: drop`"
        )
    other = _contradicting(rows[shared], truth).reindex(rows.index)
    if step.action == "majority":
        votes = rows.groupby([contents, truth])["id"].transform("size")
        most = votes.groupby(contents).transform("max")
        winners = rows[truth].where(votes == most).groupby(contents).transform("nunique")
        shared &= ~((votes == most) & (winners == 1))
    return drop_where(shared, f"contradictory {truth}", other)


def _contradicting(rows: pd.DataFrame, truth: str) -> pd.Series:
    """Per row the first row of the same content and another label."""
    contents = distinct(rows, content(rows))
    first = rows.groupby(contents)[["id", truth]].transform("first")
    differs = rows[truth] != first[truth]
    second = rows["id"].where(differs).groupby(contents).transform("first")
    return first["id"].where(differs, second)


def duplicates(rows: pd.DataFrame, step: steps.Duplicates) -> Drops:
    """All but one of equal rows."""
    ordered = best_first(rows)
    what = content(rows)
    columns = sides(rows) if what == "text" else (what,)
    same = [name for name in (*columns, aim(rows)) if name is not None]
    kept = ordered.groupby(same, dropna=False)["id"].transform("first")
    return drop_where(ordered.duplicated(same).reindex(rows.index), "duplicate", kept.reindex(rows.index))


def near_duplicates(rows: pd.DataFrame, step: steps.NearDuplicates) -> Drops:
    """Texts, or pairs of texts, that nearly equal one that is kept, whatever the label of either."""
    ordered = best_first(rows[joined(rows).notna()])
    stands = Copies(joined(ordered), step.similarity).first_kept()
    kept = pd.Series(ordered["id"].to_numpy()[stands], index=ordered.index, dtype="str")
    return drop_where(
        (kept != ordered["id"]).reindex(rows.index, fill_value=False), "near-duplicate", kept.reindex(rows.index)
    )
