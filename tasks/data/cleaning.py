"""Cleaning: rows in; cleaned rows and the dropped ones, each with its reason, out."""

import pandas as pd

from configs.schema import Clean

from .rows import dropped_rows

SPLIT_ORDER = {"test": 0, "validation": 1, "train": 2}
"""Of equal rows in several given splits the one is kept that must not be lost: test before training."""


def clean_rows(rows: pd.DataFrame, section: Clean) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Normalise texts, then drop rows without text or label, contradictions and duplicates.

    Takes and returns columns id, text, label, split; the second table has id and reason.
    """
    rows = rows.assign(text=clean_texts(rows["text"], section))
    dropped = []

    def drop(mask: pd.Series, reason: str) -> None:
        nonlocal rows
        dropped.append(dropped_rows(rows[mask], reason))
        rows = rows[~mask]

    drop(rows["text"].isna() | (rows["text"].str.strip() == ""), "missing text")
    drop(rows["label"].isna() | (rows["label"].str.strip() == ""), "missing label")
    if section.contradictions == "drop":
        drop(rows.groupby("text")["label"].transform("nunique") > 1, "contradictory label")
    if section.duplicates == "drop":
        drop(_repeated(rows), "duplicate")
    return rows.reset_index(drop=True), pd.concat(dropped, ignore_index=True)


def clean_texts(texts: pd.Series, section: Clean) -> pd.Series:
    """Unicode form, white space and case as the recipe asks; missing texts stay missing."""
    if section.unicode != "none":
        texts = texts.str.normalize(section.unicode)
    if section.whitespace == "squeeze":
        texts = texts.str.replace(r"\s+", " ", regex=True)
    if section.whitespace != "keep":
        texts = texts.str.strip()
    return texts.str.lower() if section.case == "lower" else texts


def _repeated(rows: pd.DataFrame) -> pd.Series:
    rank = rows["split"].map(SPLIT_ORDER).fillna(0)
    best_first = rows.assign(rank=rank).sort_values("rank", kind="stable")
    repeated = best_first.duplicated(["text", "label"], keep="first")
    return repeated.reindex(rows.index)
