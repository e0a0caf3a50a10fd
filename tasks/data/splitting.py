"""Splitting: each row's part follows from a hash of its text, or is the source's own."""

import hashlib

import numpy as np
import numpy.typing as npt
import pandas as pd

from configs.schema import GivenSplit, HashSplit

from .files import DataError

PARTS = ("train", "validation", "test")


def split_rows(rows: pd.DataFrame, section: HashSplit | GivenSplit) -> pd.Series:
    """Name the part of each row (train, validation, test). Raises DataError where a part that is asked for is empty."""
    if isinstance(section, GivenSplit):
        parts = _given(rows)
    else:
        parts = _exact(rows, section) if section.exact else _hashed(rows, section)
    wanted = [part for part in PARTS if part != "validation" or section.validation not in (0, "none")]
    for part in wanted:
        if not (parts == part).any():
            raise DataError(f"no row falls into {part}; {_mend(section)}")
    odd = sorted(set(parts.unique()) - set(wanted))
    if odd:
        raise DataError(f"the source has {odd[0]} rows, but the recipe wants none; set split.validation: given")
    return parts


def _mend(section: HashSplit | GivenSplit) -> str:
    if isinstance(section, GivenSplit):
        return "the source lacks it (split.validation: none, or split.kind: hash)"
    return "add rows, raise its share or set split.exact: true"


def _given(rows: pd.DataFrame) -> pd.Series:
    missing = int(rows["split"].isna().sum())
    if missing:
        raise DataError(
            f"{missing} of {len(rows)} rows have no given split; set `columns.split` or use split.kind: hash"
        )
    return rows["split"]


def positions(texts: pd.Series, seed: int) -> npt.NDArray[np.float64]:
    """A number in [0, 1) per text, the same for equal texts (case and white space aside), from sha256."""
    plain = texts.str.casefold().str.split().str.join(" ")
    hashed = (hashlib.sha256(f"{seed}\x1f{text}".encode()).digest()[:8] for text in plain)
    return np.fromiter((int.from_bytes(value) for value in hashed), np.float64, len(texts)) / 2.0**64


def _hashed(rows: pd.DataFrame, section: HashSplit) -> pd.Series:
    place = positions(rows["text"], section.seed)
    return _cut(rows, place, section)


def _exact(rows: pd.DataFrame, section: HashSplit) -> pd.Series:
    """Exact shares per label: rows take their rank by hash within the label, equal texts side by side."""
    place = pd.Series(positions(rows["text"], section.seed), index=rows.index)
    rank = place.groupby(rows["label"]).rank(method="min") - 0.5
    size = place.groupby(rows["label"]).transform("size")
    return _cut(rows, (rank / size).to_numpy(), section)


def _cut(rows: pd.DataFrame, place: npt.NDArray[np.float64], section: HashSplit) -> pd.Series:
    below = [place < section.test, place < section.test + section.validation]
    return pd.Series(np.select(below, ["test", "validation"], "train"), index=rows.index, dtype="str")
