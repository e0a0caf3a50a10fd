"""Cleaning: rows in; what an ordered list of steps leaves, the dropped rows with their reasons, and counts out."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from configs import cleaning as steps

from . import repeats, texts
from .files import DataError
from .ledger import dropped_rows

TEXTS = (
    steps.Unicode(kind="unicode"),
    steps.Whitespace(kind="whitespace"),
    steps.Missing(kind="missing"),
    steps.Contradictions(kind="contradictions"),
    steps.Duplicates(kind="duplicates"),
)
"""What is done to texts where the recipe is silent."""


@dataclass(frozen=True)
class Done:
    """One step: its name, how many texts it changed, how many rows it dropped."""

    step: str
    changed: int
    dropped: int


@dataclass(frozen=True)
class Cleaned:
    """Rows that are left, dropped rows (id, reason), and a line per step."""

    rows: pd.DataFrame
    dropped: pd.DataFrame
    done: tuple[Done, ...]


def clean_rows(rows: pd.DataFrame, section: steps.Clean) -> Cleaned:
    """Take the steps in their order. Raises DataError where a step says `fail`, or too much is dropped."""
    before, dropped, done = len(rows), [dropped_rows(rows.head(0), "")], []
    for step in section.steps if section.steps is not None else TEXTS:
        changed = 0
        if type(step) in CHANGES:
            new = CHANGES[type(step)](rows["text"], step)
            changed = int((new.fillna("") != rows["text"].fillna("")).sum())
            rows = rows.assign(text=new)
        else:
            reasons = DROPS[type(step)](rows, step)
            gone = rows[reasons.notna()]
            dropped.append(pd.DataFrame({"id": gone["id"], "reason": reasons[gone.index]}, dtype="str"))
            rows = rows[reasons.isna()]
        done.append(Done(step.kind, changed, len(dropped[-1]) if type(step) in DROPS else 0))
    share = 1 - len(rows) / max(before, 1)
    if share > section.max_dropped:
        worst = pd.concat(dropped)["reason"].value_counts().head(3).to_dict()
        raise DataError(
            f"cleaning would drop {share:.0%} of {before:,} rows ({worst}), more than `clean.max_dropped` "
            f"{section.max_dropped:g}; change the steps or raise it"
        )
    return Cleaned(rows.reset_index(drop=True), pd.concat(dropped, ignore_index=True), tuple(done))


def missing(rows: pd.DataFrame, step: steps.Missing) -> pd.Series:
    """Rows without content or label."""
    content = repeats.content(rows)
    reasons = repeats.reason_where(_absent(rows["label"]), "missing label")
    return reasons.mask(_absent(rows[content]), f"missing {content}")


def _absent(column: pd.Series) -> pd.Series:
    return column.isna() | (column.str.strip() == "")


CHANGES: Mapping[type, Callable[[pd.Series, Any], pd.Series]] = {
    steps.Unicode: texts.normalise,
    steps.Whitespace: texts.cut_whitespace,
    steps.Lowercase: texts.lower,
}
"""Steps that change texts: column of texts (null where missing) in, the same rows out."""
DROPS: Mapping[type, Callable[[pd.DataFrame, Any], pd.Series]] = {
    steps.Missing: missing,
    steps.Contradictions: repeats.contradictions,
    steps.Duplicates: repeats.duplicates,
}
"""Steps that drop rows: rows in, the reason per row out, null where the row stays."""
