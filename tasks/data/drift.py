"""Drift between two states of the data: a profile per state; the population stability index per feature, and a verdict.

PSI = sum over bins of (p - q) ln(p / q), with p and q the shares before and now (Siddiqi, "Credit Risk Scorecards",
2006); usual reading: below 0.1 stable, from 0.25 drifted. Half a row is added to each bin on both sides, so that a
label that is new or gone gives no infinity. Between samples of one population PSI is (1/n + 1/m) times a chi-square
of (bins - 1) degrees of freedom (Yurdakul, "Statistical Properties of Population Stability Index", 2018): what lies
below its 99.9 % point is called stable whatever the thresholds say, which matters below some hundred rows.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, NotRequired, TypedDict

import numpy as np
import pandas as pd

from .pairs import joined, sides
from .rows import aim, content, each_label

Word = Literal["stable", "shifted", "drifted"]
SHIFTED, DRIFTED = 0.1, 0.25
"""Thresholds of the index."""
STEPS = 16
"""Bins of text length per doubling; drift merges them into tenths of the earlier rows."""
PARTS = 10
QUANTILES = (0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0)
SURE = 7.0
"""So many rows of a label expected and none found: by chance in less than one case of a thousand (e^-7)."""


@dataclass(frozen=True)
class Drift:
    """One feature: its index, the verdict on it, and what moved most."""

    feature: str
    psi: float
    verdict: Word
    change: str


class DriftLine(TypedDict):
    """The same as a row of a table; psi with 4 decimals."""

    feature: str
    psi: float
    verdict: Word
    change: str


class Counts(TypedDict):
    """By label, column or bin the number of rows, and their share."""

    counts: Mapping[str, int]
    shares: Mapping[str, float]


class Lengths(Counts):
    """Text length in characters: bins, each named by its lower edge, and quantiles, each named by its share."""

    quantiles: Mapping[str, float]


class Profile(TypedDict):
    """What drift needs of rows; `length` is there for texts."""

    rows: int
    labels: Counts
    missing: Counts
    length: NotRequired[Lengths]


def profile(rows: pd.DataFrame) -> Profile:
    """What drift needs of rows (see rows.py CORE), JSON-ready and the same for the same rows in any order.

    The bins of `length` are sixteen to a doubling.
    """
    what, count = content(rows), len(rows)
    columns = sides(rows) if what == "text" else (what,)
    labels = each_label(rows).value_counts().sort_index()
    missing = {name: int(_absent(rows[name]).sum()) for name in filter(None, (*columns, aim(rows)))}
    profile_: Profile = {
        "rows": count,
        "labels": _counted({str(label): int(number) for label, number in labels.items()}),
        "missing": {"counts": missing, "shares": {name: number / max(count, 1) for name, number in missing.items()}},
    }
    if what == "text":
        profile_["length"] = _lengths(joined(rows).dropna().str.len())
    return profile_


def _absent(column: pd.Series) -> pd.Series:
    return column.isna() | (column.str.strip() == "")


def _counted(counts: Mapping[str, int]) -> Counts:
    total = max(sum(counts.values()), 1)
    return {"counts": counts, "shares": {name: count / total for name, count in counts.items()}}


def _lengths(lengths: pd.Series) -> Lengths:
    bins = np.floor(STEPS * np.log2(lengths.to_numpy(dtype=float) + 1)).astype(int)
    numbers, counts = np.unique(bins, return_counts=True)
    edges = np.ceil(2 ** (numbers / STEPS) - 1).astype(int)
    named = pd.Series(counts, index=edges).groupby(level=0).sum()
    quantiles = {f"{q:g}": float(lengths.quantile(q)) for q in QUANTILES} if len(lengths) else {}
    return {"quantiles": quantiles, **_counted({str(edge): int(count) for edge, count in named.items()})}


def drift(before: Profile, now: Profile) -> list[Drift]:
    """Two profiles -> one line per feature: labels, missing values, text length where both have it."""
    lines = [_labels(before["labels"]["counts"], now["labels"]["counts"])]
    lines += [_missing(name, before, now) for name in before["missing"]["counts"] if name in now["missing"]["counts"]]
    if "length" in before and "length" in now:
        lines.append(_length(before["length"], now["length"]))
    return lines


def drift_table(before: Profile, now: Profile) -> list[DriftLine]:
    """The same as rows of a table."""
    return [
        {"feature": line.feature, "psi": round(line.psi, 4), "verdict": line.verdict, "change": line.change}
        for line in drift(before, now)
    ]


def stability_index(before: np.ndarray, now: np.ndarray) -> tuple[float, float]:
    """PSI of two rows of counts over the same bins, and the 99.9 % point of it between samples of one population."""
    bins = len(before)
    n, m = before.sum() + bins / 2, now.sum() + bins / 2
    p, q = (before + 0.5) / n, (now + 0.5) / m
    return float(((p - q) * np.log(p / q)).sum()), float(1 / n + 1 / m) * _chi_square(bins - 1)


def _chi_square(freedom: int) -> float:
    """The 99.9 % point of a chi-square (Wilson and Hilferty 1931)."""
    if freedom < 1:
        return 0.0
    part = 2 / (9 * freedom)
    return float(freedom * (1 - part + 3.0902 * math.sqrt(part)) ** 3)


def _verdict(psi: float, chance: float) -> Word:
    if psi < SHIFTED or psi <= chance:
        return "stable"
    return "drifted" if psi >= DRIFTED else "shifted"


def _labels(before: Mapping[str, int], now: Mapping[str, int]) -> Drift:
    names = sorted({*before, *now})
    old, new = (np.array([side.get(name, 0) for name in names], dtype=float) for side in (before, now))
    psi, chance = stability_index(old, new) if len(names) > 1 else (0.0, 0.0)
    n, m = max(old.sum(), 1), max(new.sum(), 1)
    vanished = [name for name, a, b in zip(names, old, new, strict=True) if a and not b and a / n * m >= SURE]
    appeared = [name for name, a, b in zip(names, old, new, strict=True) if b and not a and b / m * n >= SURE]
    changes = [f"{word} {', '.join(labels)}" for word, labels in (("new:", appeared), ("gone:", vanished)) if labels]
    if names:
        most = int(np.abs(old / n - new / m).argmax())
        changes.append(f"{names[most]}: {old[most] / n:.1%} before, {new[most] / m:.1%} now")
    verdict: Word = "drifted" if appeared or vanished else _verdict(psi, chance)
    return Drift("label", psi, verdict, "; ".join(changes))


def _missing(name: str, before: Profile, now: Profile) -> Drift:
    counts = [
        np.array([side["missing"]["counts"][name], side["rows"] - side["missing"]["counts"][name]], dtype=float)
        for side in (before, now)
    ]
    psi, chance = stability_index(*counts)
    shares = [side["missing"]["shares"][name] for side in (before, now)]
    observed = f"missing: {shares[0]:.2%} before, {shares[1]:.2%} now"
    return Drift(f"missing {name}", psi, _verdict(psi, chance), observed)


def _length(before: Lengths, now: Lengths) -> Drift:
    """Bins are tenths of the earlier rows, as far as the fine bins allow."""
    edges = sorted({int(edge) for side in (before, now) for edge in side["counts"]})
    old, new = (np.array([side["counts"].get(str(edge), 0) for edge in edges], dtype=float) for side in (before, now))
    if not old.sum() or not new.sum():
        return Drift("length", 0.0, "stable", "no texts to compare")
    tenth = np.minimum((np.cumsum(old) - old / 2) / old.sum() * PARTS, PARTS - 1).astype(int)
    counts = [np.array([side[tenth == part].sum() for part in np.unique(tenth)]) for side in (old, new)]
    psi, chance = stability_index(*counts) if len(counts[0]) > 1 else (0.0, 0.0)
    medians = [side["quantiles"]["0.5"] for side in (before, now)]
    return Drift("length", psi, _verdict(psi, chance), f"median {medians[0]:g} characters before, {medians[1]:g} now")
