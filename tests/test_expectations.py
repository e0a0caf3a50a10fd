"""The gate before training: severities, expectations by name, given splits, and planted faults with false alarms."""

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from pydantic import ValidationError
from source_rows import load_rows

from configs.expectations import OF_ROWS, Expectation, Validate
from configs.sources import ClassFilesSource, Columns, EmbeddedSource, FileSource, Source
from tasks.artifact import Artifact, StageError
from tasks.data.checks.expectations import check_rows, label_set, rows_under
from tasks.data.checks.results import Verdict, shown
from tasks.data.checks.split_checks import check_splits
from tasks.data.errors import DataError
from tasks.data.ledger import open_ledger, read_ledger, write_ledger
from tasks.data.rows import read_rows, with_ids, write_rows
from tasks.store.events import Event, listeners
from tasks.validate import validate

SHARED = Path(__file__).resolve().parents[2] / "shared" / "datasets"
MEGABYTE = "word " * 200_000
NOT_NULL = "expect_column_values_to_not_be_null"
IN_SET = "expect_column_values_to_be_in_set"
REGEX = "expect_column_values_to_match_regex"
LIKE = "expect_column_values_to_match_like_pattern"
QUERY = "expect_query_results_to_match_comparison"
OTHER = "expect_table_row_count_to_equal_other_table"
BETWEEN = "expect_column_values_to_be_between"
OF_TYPE = "expect_column_values_to_be_of_type"


def texts(count: int = 60, **columns: Any) -> pd.DataFrame:
    frame = {"text": [f"text number {i}" for i in range(count)], "label": ["neg", "pos"] * (count // 2), "split": None}
    return with_ids(pd.DataFrame(frame | columns).astype({"text": "str", "label": "str", "split": "str"}))


def wish(expect: str, severity: Any = "fail", name: str | None = None, **arguments: Any) -> Expectation:
    return Expectation(expect=expect, severity=severity, name=name, arguments=arguments)


def verdicts_of(rows: pd.DataFrame, section: Validate) -> dict[str, Verdict]:
    found, page = check_rows(rows, section)
    assert "<html" in page
    return {verdict.name: verdict for verdict in found}


def not_held(rows: pd.DataFrame, section: Validate) -> dict[str, Verdict]:
    return {name: verdict for name, verdict in verdicts_of(rows, section).items() if not verdict.success}


def store_raw(rows: pd.DataFrame, images: bytes | None = None) -> Artifact:
    """A raw artifact of these rows."""
    from configs.settings import settings
    from tasks.store import disk

    partial = disk.begin(settings().store, "download", "raw")
    write_rows(rows, partial / "data" / "rows.parquet")
    write_ledger(open_ledger(rows["id"]), partial / "data" / "ledger.parquet")
    if images is not None:
        (partial / "data" / "images.parquet").write_bytes(images)
    return disk.commit(settings().store, "download", "raw", {"inputs": {}})


# Severities ----------------------------------------------------------------------------------------------------------


def test_rows_in_quarantine_leave_with_the_expectations_name() -> None:
    rows = texts()
    rows.loc[3, "text"] = "a <b>bold</b> one"
    rows.loc[4, "label"] = "neutral"
    rows.loc[5, "text"] = "x" * 300
    rows.loc[6, ["text", "label"]] = ["<p>" + "x" * 300, "neutral"]
    section = Validate(
        labels=("neg", "pos"),
        max_chars=100,
        severity={"labels": "quarantine", "chars": "quarantine"},
        expectations=(wish("expect_column_values_to_not_match_regex", "quarantine", "html", column="text", regex="<"),),
    )
    artifact = validate.run_or_load(section, {"raw": store_raw(rows)}).result
    kept, ledger = read_rows(artifact.file("rows.parquet")), read_ledger(artifact.file("ledger.parquet"))
    assert kept["id"].tolist() == rows.drop(index=[3, 4, 5, 6])["id"].tolist()
    gone = ledger[ledger["state"] == "dropped"].set_index("number")
    assert gone["stage"].unique().tolist() == ["validate"]
    assert gone["reason"].to_dict() == {
        4: "html",
        5: "does not hold: each label is one of ['neg', 'pos']",
        6: "does not hold: each text has from 1 to 100 characters",
        7: "does not hold: each label is one of ['neg', 'pos']",
    }
    assert json.loads(artifact.file("labels.json").read_text()) == ["neg", "pos"]
    told = pq.read_table(artifact.records / "quarantined.parquet").to_pandas()
    assert sorted(told.loc[told["id"] == rows.loc[6, "id"], "expectation"]) == sorted(
        {reason.removeprefix("does not hold: ") for reason in gone["reason"]}
    )
    summary = (artifact.records / "summary.md").read_text()
    assert "Rows that leave under quarantine: 4" in summary and "| html | 2 |" in summary
    assert json.loads((artifact.records / "profile.json").read_text())["rows"] == 60


def test_what_stays_is_what_the_other_expectations_are_asked_of() -> None:
    rows = texts()
    rows.loc[3, "text"] = "x" * 30_000
    same = wish("expect_column_value_lengths_to_be_between", name="same", column="text", max_value=500)
    short = "each text has from 1 to 20,000 characters"
    assert not_held(rows, Validate(severity={"chars": "quarantine"}, expectations=(same,))).keys() == {short}
    assert not_held(rows, Validate(expectations=(same,))).keys() == {short, "same"}


def test_mostly_decides_the_verdict_and_quarantine_takes_every_row() -> None:
    rows = texts()
    rows.loc[[3, 40], "text"] = "odd"
    for mostly, holds in ((0.9, True), (0.99, False)):
        asked = wish(REGEX, "quarantine", "r", column="text", regex="^text", mostly=mostly)
        verdict = verdicts_of(rows, Validate(expectations=(asked,)))["r"]
        assert (verdict.success, verdict.stops, verdict.rows.tolist()) == (
            holds,
            False,
            rows.loc[[3, 40], "id"].tolist(),
        )


def test_too_many_rows_in_quarantine_stop_the_run() -> None:
    rows = texts()
    rows.loc[:6, "label"] = "neutral"
    section = Validate(labels=("neg", "pos"), severity={"labels": "quarantine"})
    with pytest.raises(StageError, match=r"max_quarantined.*7 of 60 rows leave \(11.67%\)"):
        validate.run_or_load(section, {"raw": store_raw(rows)})
    rows.loc[6, "label"] = "neg"
    assert not verdicts_of(rows, section)["max_quarantined"].stops
    assert verdicts_of(rows, Validate(labels=("neg", "pos"), severity={"labels": "quarantine"}, max_quarantined=0.05))[
        "max_quarantined"
    ].stops


def test_a_label_that_leaves_altogether_stops_the_run() -> None:
    rows = texts(100)
    rows.loc[2:, "label"] = "pos"
    asked = wish(IN_SET, "quarantine", column="label", value_set=["pos"])
    stops = [
        v.name for v in verdicts_of(rows, Validate(labels=("neg", "pos"), expectations=(asked,))).values() if v.stops
    ]
    assert "the rows have each label of ['neg', 'pos']" in stops


def test_a_label_that_nobody_named_may_leave_with_its_rows() -> None:
    rows = texts()
    rows.loc[2, "label"] = "neutral"
    asked = wish(IN_SET, "quarantine", column="label", value_set=["pos", "neg"])
    assert [v.name for v in verdicts_of(rows, Validate(expectations=(asked,))).values() if v.stops] == []


def test_an_absent_class_stops_the_run_unless_labels_only_warn() -> None:
    section = {
        severity: Validate(labels=("neg", "pos", "neutral"), severity={"labels": severity})
        for severity in ("fail", "quarantine", "warn")
    }
    name = "the rows have each label of ['neg', 'pos', 'neutral']"
    found = {severity: verdicts_of(texts(), asked)[name] for severity, asked in section.items()}
    assert {verdict.success for verdict in found.values()} == {False}
    assert {severity: verdict.stops for severity, verdict in found.items()} == {
        "fail": True,
        "quarantine": True,
        "warn": False,
    }
    assert found["fail"].observed == "absent: neutral"


def test_a_warning_is_said_and_recorded_and_nothing_else() -> None:
    rows = texts()
    rows.loc[7, "text"] = "short"
    rows.loc[8, "label"] = "neutral"
    lengths = wish("expect_column_value_lengths_to_be_between", "warn", "long", column="text", min_value=6)
    section = Validate(labels=("pos", "neg"), severity={"labels": "warn"}, expectations=(lengths,))
    told: list[Event] = []
    with listeners(told.append):
        artifact = validate.run_or_load(section, {"raw": store_raw(rows)}).result
    assert [event.text for event in told if event.kind == "note"] == [
        f"does not hold: each label is one of ['pos', 'neg']: 1 of {len(rows)} rows break it (1.67 %)",
        f"does not hold: long (each text has at least 6 characters): 1 of {len(rows)} rows break it (1.67 %)",
        "does not hold: labels_are_balanced (at most 20 rows of the commonest label for one of the rarest): "
        "30.0 (pos: 30, neutral: 1)",
    ]
    assert read_rows(artifact.file("rows.parquet")).equals(rows)
    assert json.loads(artifact.file("labels.json").read_text()) == ["pos", "neg", "neutral"]
    warned = pq.read_table(artifact.records / "warned.parquet").to_pylist()
    assert warned == [
        {"id": rows.loc[8, "id"], "expectation": "each label is one of ['pos', 'neg']"},
        {"id": rows.loc[7, "id"], "expectation": "long"},
    ]
    table = {line["expectation"]: line for line in json.loads((artifact.records / "table.json").read_text())}
    assert table["long"]["severity"] == "warn" and table["long"]["rows"] == f"{rows.loc[7, 'id']}: short"


def test_a_stopped_run_leaves_the_rows_that_stopped_it(home: Path) -> None:
    rows = texts()
    rows.loc[7, "label"] = "neutral"
    with pytest.raises(StageError, match=rf"(?s)row {rows.loc[7, 'id']}: 'neutral'.*validate\.severity\.labels"):
        validate.run_or_load(Validate(labels=("neg", "pos")), {"raw": store_raw(rows)})
    (failed,) = (home / ".artifacts").rglob("failed.parquet")
    assert pq.read_table(failed).column("id").to_pylist() == [rows.loc[7, "id"]]


@pytest.mark.parametrize("rule", ["duplicates", "imbalance", "splits"])
def test_a_rule_about_all_rows_has_no_quarantine(rule: str) -> None:
    with pytest.raises(ValidationError, match=rf"severity\.{rule}: quarantine needs a rule that single rows break"):
        Validate(severity={rule: "quarantine"})
    assert rule not in OF_ROWS


def test_labels_in_quarantine_need_a_label_set() -> None:
    with pytest.raises(ValidationError, match=r"severity\.labels: quarantine needs `labels`"):
        Validate(severity={"labels": "quarantine"})


# Expectations by name ------------------------------------------------------------------------------------------------

HIDDEN = {"type": "and", "conditions": [{"type": "pass_through", "pass_through_filter": "1"}]}
WRONG: dict[str, tuple[str, dict[str, Any], str]] = {
    "an unknown name": (REGEX[:-2] + "x", {}, "knows no .*did you mean expect_column_values_to_match_regex?"),
    "an unknown argument": (IN_SET, {"column": "label", "value_st": ["a"]}, "'value_st'; did you mean value_set?"),
    "a missing argument": (IN_SET, {"column": "label"}, "the argument value_set must be given"),
    "a wrong argument": (NOT_NULL, {"column": "text", "mostly": 2}, "the argument mostly: .*less than or equal to 1.0"),
    "severity inside": (NOT_NULL, {"column": "text", "severity": "warn"}, "next to `arguments`"),
    "an unknown column": (NOT_NULL, {"column": "likes"}, "no column 'likes'.*`download.columns.keep`"),
    "of a pair": ("expect_column_pair_values_to_be_equal", {"column_A": "text", "column_B": "txt"}, "no column 'txt'"),
    "of a list": ("expect_compound_columns_to_be_unique", {"column_list": ["id", "txt"]}, "no column 'txt'"),
    "of a condition": (
        NOT_NULL,
        {"column": "text", "row_condition": {"type": "nullity", "column": {"name": "x"}, "is_null": True}},
        "no column 'x'",
    ),
    "a query of pandas": (
        NOT_NULL,
        {"column": "text", "row_condition": "label == 'a'", "condition_parser": "pandas"},
        "not a query of pandas",
    ),
    "a hidden one": (NOT_NULL, {"column": "text", "row_condition": HIDDEN}, "not a query of pandas"),
    "a parameter": (NOT_NULL, {"column": "text", "mostly": {"$PARAMETER": "m"}}, "suite parameters"),
    "SQL": (
        QUERY,
        {"base_query": "a", "comparison_data_source_name": "b", "comparison_query": "c"},
        "needs a database or Spark",
    ),
    "another table": (OTHER, {"other_table_name": "x"}, "needs a database or Spark"),
    "no metric in pandas": (LIKE, {"column": "text", "like_pattern": "a%"}, "needs a database or Spark"),
    "a broken pattern": (REGEX, {"column": "text", "regex": "["}, "cannot be checked: Invalid regular expression"),
    "bounds of another type": (
        BETWEEN,
        {"column": "text", "min_value": 5},
        r"cannot be checked: .*same type.*\(text holds str; ",
    ),
}
WHOLE: dict[str, dict[str, Any]] = {
    "expect_column_max_to_be_between": {"column": "id"},
    "expect_table_row_count_to_equal": {"value": 3},
    OF_TYPE: {"column": "text", "type_": "str"},
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_expectation_is_named(case: str) -> None:
    name, arguments, said = WRONG[case]
    asked = Expectation(expect=name, arguments=arguments)
    with pytest.raises(DataError, match=rf"validate\.expectations\.1: .*{said}"):
        check_rows(texts(), Validate(expectations=(wish("expect_table_row_count_to_equal", value=3), asked)))


@pytest.mark.parametrize("name", WHOLE)
def test_no_row_leaves_for_what_speaks_of_all(name: str) -> None:
    asked = Expectation(expect=name, arguments=WHOLE[name], severity="quarantine")
    with pytest.raises(DataError, match="no row can leave for it"):
        check_rows(texts(), Validate(expectations=(asked,)))


def test_every_name_that_gx_knows_can_be_asked_for() -> None:
    """The pattern of the schema lets each pass; the one that is left needs SQL."""
    from great_expectations.expectations.registry import list_registered_expectation_implementations

    refused = []
    for name in list_registered_expectation_implementations():
        try:
            Expectation(expect=name)
        except ValidationError:
            refused.append(name)
    assert refused == ["unexpected_rows_expectation"]


POSITIVE = {"type": "comparison", "column": {"name": "label"}, "operator": "==", "parameter": "pos"}
NEGATIVE = {"row_condition": 'col("label") == "neg"', "condition_parser": "great_expectations"}
HELD: list[tuple[str, dict[str, Any], list[int]]] = [
    (BETWEEN, {"column": "likes", "min_value": 5}, [0, 1, 2, 3, 4]),
    (BETWEEN, {"column": "time", "min_value": "2020-01-03"}, [0, 1]),
    (BETWEEN, {"column": "time", "max_value": "2020-02-28 00:00:00"}, [59]),
    ("expect_column_values_to_be_unique", {"column": "group"}, [8, 9]),
    ("expect_column_pair_values_to_be_equal", {"column_A": "text", "column_B": "copy"}, [10]),
    ("expect_multicolumn_sum_to_equal", {"column_list": ["likes", "minus"], "sum_total": 0}, []),
    ("expect_column_max_to_be_between", {"column": "likes", "max_value": 59}, []),
    ("expect_column_to_exist", {"column": "likes"}, []),
    (NOT_NULL, {"column": "two words"}, [20, 21]),
    (NOT_NULL, {"column": "two words", "row_condition": POSITIVE}, [21]),
    (NOT_NULL, {"column": "two words", **NEGATIVE}, [20]),
]


@pytest.mark.parametrize("shuffled", [False, True])
def test_expectations_of_gx_name_exactly_the_rows_that_break_them(shuffled: bool) -> None:
    rows = texts().assign(
        likes=range(60),
        minus=-np.arange(60),
        time=pd.date_range("2020-01-01", periods=60).astype("datetime64[us]"),
        group=pd.Series([f"g{i}" for i in range(60)], dtype="str").where(lambda c: c != "g9", "g8"),
        copy=lambda frame: frame["text"].where(frame.index != 10, "other"),
    )
    rows["two words"] = pd.Series(["x"] * 60, dtype="str").where(~rows.index.isin([20, 21]))
    ids = rows["id"].copy()
    rows = rows.sample(frac=1, random_state=1) if shuffled else rows
    asked = [Expectation(expect=expect, arguments=given, name=str(n)) for n, (expect, given, _) in enumerate(HELD)]
    found = verdicts_of(rows, Validate(expectations=tuple(asked)))
    for number, (_, _, breaking) in enumerate(HELD):
        verdict, expected = found[str(number)], set(ids[breaking])
        assert set(verdict.rows) == expected and verdict.success == (not expected), HELD[number]
        assert {row for row, _ in verdict.offending} == expected


def test_what_fails_only_on_a_later_row_is_no_verdict() -> None:
    rows = texts(400, text=["{}"] * 300 + ["no json"] * 100)
    asked = wish("expect_column_values_to_match_json_schema", "warn", "json", column="text", json_schema={})
    verdict = verdicts_of(rows, Validate(max_duplicates=1, expectations=(asked,)))["json"]
    assert verdict.stops and "could not be checked: Expecting value" in verdict.observed


def test_the_page_shows_what_was_found_of_a_whole_column(caplog: pytest.LogCaptureFixture) -> None:
    """GX leaves an expectation out of its page, with a traceback in the log, where a number is NumPy's own."""
    even = {"values": ["neg", "pos"], "weights": [0.25, 0.75]}
    asked = (
        wish("expect_column_mean_to_be_between", column="likes", max_value=1234.5),
        wish("expect_column_stdev_to_be_between", column="likes", max_value=99),
        wish("expect_column_kl_divergence_to_be_less_than", column="label", partition_object=even, threshold=9),
    )
    found, page = check_rows(texts().assign(likes=np.arange(60) * 20.5 + 0.25), Validate(expectations=asked))
    assert "604.999" in page or "605" in page
    assert [line for line in caplog.records if line.levelname not in ("DEBUG", "INFO")] == [] and len(found) > 3


# Images and odd values -----------------------------------------------------------------------------------------------


def images(count: int = 40) -> pd.DataFrame:
    frame = {
        "image": [f"{i:064x}" for i in range(count)],
        "file": [f"{i}.png" for i in range(count)],
        "label": ["ant", "bee"] * (count // 2),
        "split": None,
    }
    return with_ids(pd.DataFrame(frame).astype(dict.fromkeys(("image", "file", "label", "split"), "str")))


def test_short_rules_fit_images_and_their_bytes_go_on() -> None:
    rows = images()
    found = verdicts_of(rows, Validate(min_chars=100, max_chars=200))
    assert all(verdict.success for verdict in found.values())
    assert not [name for name in found if "text " in name or "characters" in name]
    artifact = validate.run_or_load(Validate(), {"raw": store_raw(rows, b"the bytes")}).result
    assert artifact.file("images.parquet").read_bytes() == b"the bytes"
    assert "length" not in json.loads((artifact.records / "profile.json").read_text())


def test_faults_among_images_are_found() -> None:
    rows = images()
    twice = rows.assign(image=rows["image"].where(rows.index >= 10, rows.loc[0, "image"]))
    assert "the share of different values in image is at least 0.9" in not_held(twice, Validate())
    missing = rows.assign(image=rows["image"].where(rows.index >= 10))
    assert (
        not_held(missing, Validate())["no image is missing, in 95.00% of the rows or more"].rows.tolist()
        == missing["id"][:10].tolist()
    )
    files = wish(REGEX, "quarantine", "png", column="file", regex=r"\.png$")
    assert verdicts_of(rows, Validate(expectations=(files,)))["png"].success


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("a\x00b\u202ec", "a\ufffdb\ufffdc"),
        ("two\nlines\there", "two lines here"),
        (None, "missing"),
        (float("nan"), "missing"),
        ("愉快 🙂", "愉快 🙂"),
        (MEGABYTE, MEGABYTE[:197] + "..."),
    ],
)
def test_shown_values_are_short_and_printable(value: object, told: str) -> None:
    assert shown(value) == told


def test_a_huge_text_does_not_swell_the_records() -> None:
    rows = texts()
    rows.loc[3, "text"] = MEGABYTE
    found, page = check_rows(rows, Validate())
    assert [v.rows.tolist() for v in found if not v.success] == [[rows.loc[3, "id"]]]
    assert len(page) < 100_000


# Planted faults and false alarms -------------------------------------------------------------------------------------


@cache
def data(name: str) -> pd.DataFrame:
    sources: dict[str, Source] = {
        "reviews": EmbeddedSource(kind="embedded"),
        "polarity": ClassFilesSource(
            kind="class_files", files={n: str(SHARED / "rt-polarity" / f"rt-polarity.{n}") for n in ("neg", "pos")}
        ),
        "airline": FileSource(
            kind="file", path=str(SHARED / "airline-tweets" / "Tweets.csv"), columns=Columns(label="airline_sentiment")
        ),
        "hotel": FileSource(
            kind="file",
            path=str(SHARED / "chnsenticorp-htl" / "ChnSentiCorp_htl_all.csv"),
            columns=Columns(text="review", label_names=("negative", "positive")),
        ),
    }
    if name != "reviews" and not SHARED.is_dir():
        pytest.skip("the public data sets are not on this machine")
    rows = with_ids(load_rows(sources[name], Path()))
    return rows[rows["text"].notna()].reset_index(drop=True)


Planted = tuple[pd.DataFrame, pd.Index | None]
"""Rows with a fault, and where it lies if it is about single rows."""


def pick(rows: pd.DataFrame, seed: int, count: int) -> pd.Index:
    return rows.sample(count, random_state=seed).index


def with_splits(rows: pd.DataFrame, seed: int) -> pd.DataFrame:
    drawn = np.random.default_rng(seed).choice(["train", "validation", "test"], len(rows), p=[0.7, 0.1, 0.2])
    return rows.assign(split=pd.Series(drawn, index=rows.index, dtype="str"))


def copies(rows: pd.DataFrame, seed: int) -> Planted:
    more = rows.loc[pick(rows, seed, len(rows) // 6)]
    return with_ids(pd.concat([rows, more], ignore_index=True).drop(columns="id")), None


def set_value(
    column: str, value: str | None, share: float
) -> Callable[[pd.DataFrame, int], tuple[pd.DataFrame, pd.Index]]:
    def plant(rows: pd.DataFrame, seed: int) -> Planted:
        where = pick(rows, seed, max(1, int(len(rows) * share)))
        return rows.assign(**{column: rows[column].mask(rows.index.isin(where), value)}), where

    return plant


def one_class_gone(rows: pd.DataFrame, seed: int) -> Planted:
    labels = sorted(rows["label"].unique())
    return rows[rows["label"] != labels[seed % len(labels)]].reset_index(drop=True), None


def imbalance(rows: pd.DataFrame, seed: int) -> Planted:
    rare = sorted(rows["label"].unique())[seed % 2]
    of_rare = rows[rows["label"] == rare].sample(max(1, (rows["label"] != rare).sum() // 99), random_state=seed)
    return pd.concat([rows[rows["label"] != rare], of_rare], ignore_index=True), None


def permuted(rows: pd.DataFrame, seed: int) -> Planted:
    labels = sorted(rows["label"].unique())
    turned = dict(zip(labels, labels[1:] + labels[:1], strict=True))
    rows = with_splits(rows, seed)
    return rows.assign(label=rows["label"].where(rows["split"] != "test", rows["label"].map(turned))), None


def class_absent_in_test(rows: pd.DataFrame, seed: int) -> Planted:
    rows, labels = with_splits(rows, seed), sorted(rows["label"].unique())
    gone = (rows["split"] == "test") & (rows["label"] == labels[seed % len(labels)])
    return rows[~gone].reset_index(drop=True), None


def shifted_shares(rows: pd.DataFrame, seed: int) -> Planted:
    rows, labels = with_splits(rows, seed), sorted(rows["label"].unique())
    moved = (rows["label"] == labels[seed % len(labels)]) & (rows["split"] == "test") & (rows.index % 3 > 0)
    return rows.assign(split=rows["split"].mask(moved, "train")), None


FAULTS: dict[str, tuple[Callable[[pd.DataFrame, int], Planted], str]] = {
    "exact duplicates, 14 %": (copies, "the share of different values in text"),
    "unknown label, 1 %": (set_value("label", "other", 0.01), "each label is one of"),
    "one unknown label": (set_value("label", "other", 0), "each label is one of"),
    "label missing, 10 %": (set_value("label", None, 0.1), "no label is missing"),
    "text missing, 10 %": (set_value("text", None, 0.1), "no text is missing"),
    "text empty, 10 %": (set_value("text", "", 0.1), "no text is missing"),
    "text of white space, 10 %": (set_value("text", " \t\u3000", 0.1), "no text is missing"),
    "one text of 1 MB": (set_value("text", MEGABYTE, 0), "each text has"),
    "one text with NUL": (set_value("text", "a\x00b", 0), "no text has a NUL"),
    "class missing": (one_class_gone, "the rows have each label of"),
    "99:1": (imbalance, "labels_are_balanced"),
    "class missing in test": (class_absent_in_test, "splits_hold_the_same_labels"),
    "label shares of test shifted": (shifted_shares, "label_shares_agree_between_splits"),
    "label map permuted in test": (permuted, "labels_mean_the_same_in_splits"),
}


def found_fault(name: str, fault: str, seed: int) -> bool:
    """Whether the planted fault breaks its expectation, and with exactly the planted rows where it is about rows."""
    rows, (plant, expectation) = data(name), FAULTS[fault]
    labels = tuple(sorted(rows["label"].unique()))
    planted, where = plant(rows, seed)
    broken = not_held(planted, Validate(labels=labels, max_imbalance=20)).values()
    verdict = next((verdict for verdict in broken if verdict.name.startswith(expectation)), None)
    if verdict is None or where is None:
        return verdict is not None
    return set(verdict.rows) == set(planted.loc[where, "id"]) and {row for row, _ in verdict.offending} <= set(
        verdict.rows
    )


def alarms(name: str, seed: int) -> list[str]:
    """What does not hold on clean data with given splits drawn at random."""
    rows = with_splits(data(name), seed)
    return list(not_held(rows, Validate(labels=tuple(sorted(rows["label"].unique())))))


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.faults
def test_a_planted_fault_is_found(fault: str) -> None:
    if fault.startswith("label map"):
        assert found_fault("polarity", fault, 0)
    else:
        assert found_fault("reviews", fault, 0)


def test_clean_data_raise_no_alarm() -> None:
    assert [alarms("reviews", seed) for seed in range(3)] == [[], [], []]


@pytest.mark.faults
@pytest.mark.parametrize(
    "name", ["reviews", *(pytest.param(large, marks=pytest.mark.long) for large in ("polarity", "airline", "hotel"))]
)
def test_faults_in_real_data(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Recall over 5 plantings of each fault, false alarms over 20 random splits. 670 reviews teach too little words
    for the meaning of labels: there a permuted map goes unseen."""
    recall = {fault: sum(found_fault(name, fault, seed) for seed in range(5)) for fault in FAULTS}
    raised = [alarm for seed in range(20) for alarm in alarms(name, seed)]
    with capsys.disabled():
        print(f"\n{name}: of 5 each {recall}; false alarms in 20 clean runs: {raised}")
    missed = {fault for fault, count in recall.items() if count < 5}
    assert missed <= ({"label map permuted in test"} if name == "reviews" else set())
    assert raised == []


def test_labels_without_meaning_are_not_called_permuted() -> None:
    """Words that tell nothing about the labels: no reading is better than the names."""
    rng = np.random.default_rng(0)
    words = [" ".join(rng.choice([f"w{i}" for i in range(200)], 8)) for _ in range(600)]
    told = []
    for _ in range(8):
        rows = texts(600, text=words, label=rng.choice(["a", "b", "c"], 600))
        told += [v.name for v in check_splits(with_splits(rows, 1), Validate()) if not v.success]
    assert "labels_mean_the_same_in_splits" not in told


def telling(count: int, seed: int) -> pd.DataFrame:
    """Texts of which half the words tell one of three labels."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 3, count)
    drawn = zip(labels, *rng.integers(0, 20, (3, count)), strict=True)
    words = [f"tell{label}{a} w{b} w{c}" for label, a, b, c in drawn]
    return with_splits(texts(count, text=words, label=np.array(["a", "b", "c"])[labels]), seed)


def test_a_permuted_label_map_is_spelt_out() -> None:
    rows = telling(900, 0)
    other = rows["label"].map({"a": "b", "b": "a", "c": "c"})
    turned = rows.assign(label=rows["label"].mask(rows["split"] == "test", other))
    found = {v.name: v for v in check_splits(turned, Validate())}["labels_mean_the_same_in_splits"]
    assert found.observed == "in test a reads as b, b reads as a of train" and not found.success and not found.stops
    assert all(verdict.success for verdict in check_splits(rows, Validate()))


@pytest.mark.faults
def test_shares_of_small_splits_differ_by_chance() -> None:
    assert all(verdict.success for seed in range(30) for verdict in check_splits(telling(120, seed), Validate())[1:2])


def test_splits_without_labels_are_left_alone() -> None:
    rows = texts(100, split=["train"] * 80 + ["test"] * 20)
    rows.loc[80:, "label"] = None
    assert "splits_hold_the_same_labels" not in verdicts_of(rows, Validate(max_missing=0.5))


# Size ----------------------------------------------------------------------------------------------------------------


@pytest.mark.faults
def test_few_bad_rows_among_a_million_are_named_exactly() -> None:
    count = 1_000_000
    rows = pd.DataFrame(
        {
            "id": np.arange(count).astype("str"),
            "text": "text " + pd.Series(range(count)).astype("str"),
            "label": np.where(np.arange(count) % 2, "pos", "neg"),
            "split": None,
        }
    )
    rows = rows.astype(dict.fromkeys(rows.columns, "str"))
    rows.loc[[7, 500_000, 999_999], "label"] = "neutral"
    rows.loc[[8, 999_998], "text"] = ["x" * 30_000, "y" * 30_000]
    rows.loc[[9, 11], "text"] = "a\x00b"
    section = Validate(labels=("neg", "pos"), severity={"labels": "quarantine"})
    found = not_held(rows, section)
    assert {name: verdict.rows.tolist() for name, verdict in found.items()} == {
        "each label is one of ['neg', 'pos']": ["7", "500000", "999999"],
        "each text has from 1 to 20,000 characters": ["8", "999998"],
        "no text has a NUL character": ["9", "11"],
    }
    assert len(rows_under(list(found.values()), "quarantine")) == 3
    assert label_set(rows, section) == ["neg", "pos"]


TWO = {"labels": ("neg", "pos")}
BROKEN = {
    "one label": (lambda rows: rows.assign(label="all"), {}, "different values in label is at least 2: 1"),
    "a foreign label": (lambda rows: rows.assign(label="all"), TWO, "each label is one of ['neg"),
    "an absent label": (lambda rows: rows.assign(label="pos"), TWO, "the rows have each label"),
    "few rows": (lambda rows: rows.head(9), {"min_rows": 10}, "the number of rows is at least 10: 9"),
    "no texts": (lambda rows: rows.assign(text=""), {}, "no text is missing, in 95.00% of the rows or more: "),
    "a long text": (lambda rows: rows, {"max_chars": 3}, "each text has from 1 to 3 characters: "),
    "the same text": (lambda rows: rows.assign(text="a"), {}, "different values in text is at least 0.9: 0.0"),
    "a NUL": (lambda rows: rows.assign(text="a\x00b"), {}, "no text has a NUL character: "),
}


@pytest.mark.parametrize("fault", BROKEN)
def test_a_short_rule_that_stops_a_run_says_in_words_what_it_asks(fault: str) -> None:
    from tasks.data.checks.verdict_page import complaint

    spoil, section, words = BROKEN[fault]
    verdicts, _ = check_rows(spoil(texts()), Validate(**{"min_rows": 1, **section}))
    said = [complaint(verdict) for verdict in verdicts if verdict.stops]
    assert any(words in one for one in said), said
    assert not any(one.strip().startswith("expect_") for one in said)
    assert fault != "one label" or any(
        "see download.columns.label: one label is nothing to choose" in one for one in said
    )
