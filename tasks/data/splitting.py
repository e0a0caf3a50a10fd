"""Splitting: each row's part follows from a hash of its text or group, from its time, or is the source's own."""

import hashlib
from dataclasses import replace
from typing import assert_never

import numpy as np
import numpy.typing as npt
import pandas as pd

from configs.splitting import GivenSplit, HashSplit, Split, TimeSplit

from .dialogues.replies import prompts
from .errors import DataError
from .label_sets import LABELS
from .label_variants import shown_label
from .ledger import PARTS
from .pairs import TEXT, joined
from .rows import NO_LABEL, aim, classes, content, each_label

FEWEST = 20
"""Rows of one set of labels from which on exact shares are taken of it."""
SHOWN = 5
"""Labels of a part that a message names."""


def split_rows(rows: pd.DataFrame, section: Split) -> pd.Series:
    """Name the part of each row: train, validation or test. Raises DataError where a row cannot be placed, and as
    `require_parts` does."""
    match section:
        case GivenSplit():
            parts = _given(rows, section)
        case TimeSplit():
            parts = _timed(rows, section)
        case HashSplit():
            parts = _exact(rows, section) if section.exact else _hashed(rows, section)
        case _:
            assert_never(section)
    require_parts(parts, section, rows)
    return parts


def require_parts(parts: pd.Series, section: Split, rows: pd.DataFrame | None = None) -> None:
    """Raise DataError where a part that is asked for is empty, or one that is not asked for has rows; `rows`: those
    that were split, on which a fix is tried."""
    wanted = _wanted(section)
    for part in wanted:
        if not (parts == part).any():
            raise DataError(f"no row falls into {part}; {_fix(section, part, rows)}")
    odd = sorted(set(parts.unique()) - set(wanted))
    if odd:
        raise DataError(f"the source has {odd[0]} rows, but the recipe wants none; set split.validation: given")


def require_common_labels(labels: pd.Series, parts: pd.Series) -> None:
    """Raise DataError where validation or test rows share not one label with the training rows: on such nothing that
    was learnt can be measured. Rows without a label do not count."""
    sets = {part: set(labels[parts == part].dropna()) - {NO_LABEL} for part in PARTS}
    for part in PARTS[1:]:
        if sets[part] and sets["train"].isdisjoint(sets[part]):
            raise DataError(
                f"no {part} row has a label that a training row has, so nothing could be measured: train has "
                f"{_shown(sets['train'])}, {part} {_shown(sets[part])}; where they are spellings of the same labels, "
                "map them (label_map in download), else split again (split.kind: hash)"
            )


def _shown(labels: set[str]) -> str:
    named = [shown_label(label) for label in sorted(labels)[:SHOWN]]
    return ", ".join(named) + (f" and {len(labels) - SHOWN:,} more" if len(labels) > SHOWN else "")


def _wanted(section: Split) -> list[str]:
    return [part for part in PARTS if part != "validation" or section.validation not in (0, "none")]


def _fix(section: Split, part: str, rows: pd.DataFrame | None) -> str:
    """What would fill the part; of the recipe's keys only such as are not set already, and help."""
    match section:
        case GivenSplit() if part != "validation":
            return "the source lacks it; name it in the source or use split.kind: hash"
        case GivenSplit():
            return "the source lacks it (split.validation: none, or a share of the training rows; or split.kind: hash)"
        case TimeSplit():
            return "move split.test_from or split.validation_from"
        case HashSplit(by="group"):
            return "too few groups, or one holds nearly all rows; change the seed or the shares"
    assert isinstance(section, HashSplit)
    other = replace(section, exact=not section.exact)
    if rows is not None and {*_wanted(other)} <= {*(_exact if other.exact else _hashed)(rows, other)}:
        how = "which divides each label's rows" if other.exact else "which divides all rows and not each label's"
        return f"set split.exact: {str(other.exact).lower()}, {how}, add rows or raise split.{part}"
    few = "; with exact shares a part has a row of a label once its share is half a row" if section.exact else ""
    return f"add rows or raise split.{part}{few}"


def _column(rows: pd.DataFrame, name: str, otherwise: str) -> pd.Series:
    """A column that a split needs for every row; `otherwise`: what the recipe can say for it not to."""
    kind = name
    if name not in rows:
        raise DataError(f"split by {kind} needs the column; name it in download as `columns.{name}`")
    blank = rows[name].isna() if name == "time" else rows[name].isna() | (rows[name].str.strip() == "")
    missing = int(blank.sum())
    if missing:
        first = rows.loc[blank, "id"].iloc[0]
        raise DataError(
            f"{missing} of {len(rows)} rows have no {name}, such as {first}; a split by {kind} cannot place them: "
            f"fix the source or {otherwise}"
        )
    return rows[name]


def _given(rows: pd.DataFrame, section: GivenSplit) -> pd.Series:
    missing = int(rows["split"].isna().sum())
    if missing:
        first = rows.loc[rows["split"].isna(), "id"].iloc[0]
        fix = "set `columns.split`" if missing == len(rows) else "fix the source"
        raise DataError(
            f"{missing} of {len(rows)} rows have no given split, such as {first}; {fix} or use split.kind: hash"
        )
    if isinstance(section.validation, str):
        return rows["split"]
    if (rows["split"] == "validation").any():
        raise DataError("the source has validation rows of its own; set split.validation: given")
    keys = _column(rows, "group", "leave out columns.group") if "group" in rows else placed_by(rows)
    cut = (rows["split"] == "train") & (positions(keys, 0) < section.validation)
    return rows["split"].mask(cut, "validation")


def _timed(rows: pd.DataFrame, section: TimeSplit) -> pd.Series:
    time = _column(rows, "time", "use split.kind: hash")
    bounds = [_moment(section.test_from), _moment(section.validation_from or section.test_from)]
    return pd.Series(
        np.select([time >= bound for bound in bounds], ["test", "validation"], "train"), index=rows.index, dtype="str"
    )


def _moment(moment: object) -> pd.Timestamp:
    """A moment as rows have it: UTC without a zone where it has one."""
    stamp = pd.Timestamp(moment)  # type: ignore[arg-type]
    return stamp if stamp.tzinfo is None else stamp.tz_convert("UTC").tz_localize(None)


def placed_by(rows: pd.DataFrame) -> pd.Series:
    """What of each row its place follows from: its content, of a pair of texts both, of two replies their prompt."""
    what = content(rows)
    if aim(rows) == "rejected":
        return prompts(rows[what])
    return joined(rows) if what == TEXT else rows[what]


def positions(keys: pd.Series, seed: int) -> npt.NDArray[np.float64]:
    """A number in [0, 1) per key, the same for equal keys (case and white space aside), from sha256."""
    plain = keys.str.casefold().str.split().str.join(" ")
    hashed = (hashlib.sha256(f"{seed}\x1f{key}".encode()).digest()[:8] for key in plain)
    return np.fromiter((int.from_bytes(value) for value in hashed), np.float64, len(keys)) / 2.0**64


def _hashed(rows: pd.DataFrame, section: HashSplit) -> pd.Series:
    keys = _column(rows, "group", "use split.by: row") if section.by == "group" else placed_by(rows)
    return _cut(rows, positions(keys, section.seed), section)


def _exact(rows: pd.DataFrame, section: HashSplit) -> pd.Series:
    """Exact shares per label: rows take their rank by hash within the label, equal texts side by side."""
    place = pd.Series(positions(placed_by(rows), section.seed), index=rows.index)
    labels = strata(rows)
    rank = place.groupby(labels).rank(method="min") - 0.5
    size = place.groupby(labels).transform("size")
    return _cut(rows, (rank / size).to_numpy(), section)


def strata(rows: pd.DataFrame) -> pd.Series:
    """What exact shares are shares of: the rows of a label, or of a set of labels; rows of a set that fewer than FEWEST
    have count as rows of the rarest of its labels alone."""
    if LABELS not in rows:
        return classes(rows)
    sets, single = rows[LABELS], each_label(rows)
    order = single.map(single.value_counts()).argsort(kind="stable")
    rarest = single.iloc[order.to_numpy()].groupby(level=0).first().reindex(rows.index)
    return sets.where(sets.map(sets.value_counts()) >= FEWEST, rarest)


def _cut(rows: pd.DataFrame, place: npt.NDArray[np.float64], section: HashSplit) -> pd.Series:
    below = [place < section.test, place < section.test + section.validation]
    return pd.Series(np.select(below, ["test", "validation"], "train"), index=rows.index, dtype="str")
