"""Drift between two states of the data: none on the same, planted shifts flagged, resamples left alone."""

import json
import math
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from source_rows import load_rows

from configs.sources import ClassFilesSource, EmbeddedSource
from tasks.data.drift import Drift, drift, drift_table, profile, stability_index

SHARED = Path(__file__).resolve().parents[2] / "shared" / "datasets"


@cache
def data(name: str) -> pd.DataFrame:
    if name == "reviews":
        return load_rows(EmbeddedSource(kind="embedded"), Path())
    if not SHARED.is_dir():
        pytest.skip("the public data sets are not on this machine")
    files = {label: str(SHARED / "rt-polarity" / f"rt-polarity.{label}") for label in ("neg", "pos")}
    return load_rows(ClassFilesSource(kind="class_files", files=files), Path())


def found(before: pd.DataFrame, now: pd.DataFrame) -> dict[str, Drift]:
    """Through JSON, as the flow reads a profile."""
    read = [json.loads(json.dumps(profile(rows), allow_nan=False)) for rows in (before, now)]
    return {line.feature: line for line in drift(*read)}


def words(lines: dict[str, Drift]) -> dict[str, str]:
    return {feature: line.verdict for feature, line in lines.items() if line.verdict != "stable"}


def test_the_index_is_the_sum_over_bins() -> None:
    p, q = np.array([0.2, 0.3, 0.5]), np.array([0.3, 0.3, 0.4])
    expected = 0.1 * math.log(0.3 / 0.2) + 0.1 * math.log(0.5 / 0.4)
    assert stability_index(p * 1e9, q * 1e9)[0] == pytest.approx(expected, rel=1e-6)
    assert stability_index(q * 1e9, p * 1e9)[0] == pytest.approx(expected, rel=1e-6)


def test_chance_is_yurdakuls_chi_square() -> None:
    """99.9 % points of tables: 10.828 with one degree of freedom, 27.877 with nine; the formula errs upwards."""
    for bins, point, error in ((2, 10.828, 0.035), (10, 27.877, 0.01)):
        counts = np.full(bins, 100.0 / bins) - 0.5
        psi, chance = stability_index(counts, counts)
        assert psi == 0 and 0.02 * point <= chance <= 0.02 * point * (1 + error)


@pytest.mark.parametrize("name", ["reviews", "polarity"])
def test_the_same_data_do_not_drift(name: str) -> None:
    rows = data(name)
    assert profile(rows) == profile(rows.sample(frac=1, random_state=0))
    assert {line.psi for line in found(rows, rows).values()} == {0.0}
    assert found(rows, rows).keys() == {"label", "missing text", "missing label", "length"}


def mostly_pos(rows: pd.DataFrame) -> pd.DataFrame:
    return pd.concat([rows[rows["label"] == "pos"], rows[rows["label"] == "neg"].iloc[::4]])


def longer(rows: pd.DataFrame) -> pd.DataFrame:
    return rows.assign(text=rows["text"] + rows["text"].str.slice(0, 60))


def gaps(column: str, value: str | None):
    return lambda rows: rows.assign(**{column: rows[column].mask(np.arange(len(rows)) % 8 == 0, value)})


def renamed(rows: pd.DataFrame) -> pd.DataFrame:
    return rows.assign(label=rows["label"].mask(rows["label"] == "neg", "negative"))


PLANTED = {
    "label shares": (mostly_pos, {"label": "drifted"}),
    "a new label": (
        lambda rows: rows.assign(label=rows["label"].mask(np.arange(len(rows)) % 40 == 0, "new")),
        {"label": "drifted"},
    ),
    "another name of a label": (renamed, {"label": "drifted"}),
    "length": (longer, {"length": "drifted"}),
    "missing texts": (gaps("text", None), {"missing text": "drifted"}),
    "blank texts": (gaps("text", "  "), {"missing text": "drifted", "length": "shifted"}),
    "missing labels": (gaps("label", None), {"missing label": "drifted"}),
}


@pytest.mark.parametrize("name", ["reviews", "polarity"])
@pytest.mark.parametrize("fault", PLANTED)
def test_planted_shifts_are_flagged_and_nothing_else(name: str, fault: str) -> None:
    plant, expected = PLANTED[fault]
    rows = data(name)
    told = words(found(rows, plant(rows)))
    if fault == "blank texts":
        assert told.pop("length", None) in (None, "shifted", "drifted")
        expected = {"missing text": "drifted"}
    assert told == expected


def test_new_and_vanished_labels_are_named_without_infinities() -> None:
    lines = found(data("reviews"), renamed(data("reviews")))
    assert lines["label"].change.startswith("new: negative; gone: neg; ")
    assert all(math.isfinite(line.psi) for line in lines.values())


def test_a_rare_label_that_chance_leaves_out_is_no_drift() -> None:
    rows = data("reviews").assign(label=lambda r: r["label"].mask(r.index < 4, "rare"))
    assert words(found(rows, rows.iloc[4:])) == {}


def test_the_table_is_plain_and_finite() -> None:
    before, now = profile(data("reviews")), profile(longer(data("reviews")))
    table = drift_table(before, now)
    assert json.loads(json.dumps(table, allow_nan=False)) == table
    assert {line["verdict"] for line in table} == {"stable", "drifted"}
    assert [*table[0]] == ["feature", "psi", "verdict", "change"]


def test_missing_targets_are_told() -> None:
    """Of rows without classes it is the target that may be absent."""
    target = pd.Series([None if n % 4 else "0.5" for n in range(400)], dtype="str")
    rows = pd.DataFrame({"text": "a text", "target": target}).astype("str")
    before = profile(rows.assign(target="0.5"))
    assert {line.feature: line.verdict for line in drift(before, profile(rows.assign(target=target)))} == {
        "label": "stable",
        "missing text": "stable",
        "missing target": "drifted",
        "length": "stable",
    }


def test_images_have_no_length() -> None:
    rows = pd.DataFrame({"image": ["a" * 64, "b" * 64], "label": ["ant", "bee"], "split": [None, None]}, dtype="str")
    assert [line.feature for line in drift(profile(rows), profile(rows))] == ["label", "missing image", "missing label"]


def test_no_rows_and_no_texts_are_said() -> None:
    rows = data("reviews")
    nothing = profile(rows.head(0))
    assert all(math.isfinite(line.psi) for line in drift(nothing, profile(rows)) + drift(profile(rows), nothing))
    assert drift(nothing, nothing)[0].verdict == "stable"


def tables(*labels: str) -> st.SearchStrategy[list[tuple[str | None, str | None]]]:
    return st.lists(st.tuples(st.text(max_size=40) | st.none(), st.sampled_from([*labels, None])), max_size=30)


@settings(max_examples=30, deadline=None)
@given(tables("a", "b"), tables("a", "c"))
def test_any_two_tables_give_finite_figures(before: list, now: list) -> None:
    frames = [pd.DataFrame(rows, columns=["text", "label"]).astype("str") for rows in (before, now)]
    lines = found(*frames)
    assert all(math.isfinite(line.psi) and line.psi >= 0 for line in lines.values())


def false_alarms(name: str, size: int, resamples: int) -> int:
    """Resamples of one population with any feature not stable, against the population."""
    rows, before = data(name), profile(data(name))
    alarms = 0
    for seed in range(resamples):
        sample = rows.sample(size, replace=True, random_state=seed)
        alarms += any(line.verdict != "stable" for line in drift(before, profile(sample)))
    return alarms


LARGE = pytest.mark.faults


@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("reviews", 100),
        ("polarity", 300),
        *(pytest.param(*case, marks=LARGE) for case in (("reviews", 670), ("polarity", 100), ("polarity", 10_662))),
    ],
)
@pytest.mark.faults
def test_resamples_are_rarely_flagged(name: str, size: int) -> None:
    assert false_alarms(name, size, 200) <= 4
