"""Any number of labels per row: three ways in which sources hold them, what is refused, checks and strata."""

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from configs.cleaning import Clean
from configs.columns import Columns
from configs.expectations import Validate
from configs.splitting import HashSplit
from tasks.autodetect.label_sets import switch_columns
from tasks.data.checks.expectations import check_rows, label_set
from tasks.data.errors import DataError
from tasks.data.label_sets import indicators, read_sets, write_set
from tasks.data.ledger import parts_by_label
from tasks.data.rows import NO_LABEL, each_label, with_ids
from tasks.data.sources.columns import take_columns
from tasks.data.splitting import FEWEST, require_common_labels, split_rows, strata

WANTED = [["joy", "love"], [], ["anger"], ["joy"]]


def taken(columns: dict[str, list[Any]], notes: list[str] | None = None, **options: Any) -> list[list[str]]:
    table = pd.DataFrame({"text": [f"text {row}" for row in range(len(next(iter(columns.values()))))], **columns})
    return read_sets(take_columns(table, Columns(**options), "t", notes=notes)["labels"])


@pytest.mark.parametrize(
    ("cells", "options"),
    [
        ([["love", "joy"], [], ["anger"], ["joy", "joy"]], {}),
        ([["love", "joy"], None, np.array(["anger"]), ["joy", None, ""]], {}),
        (['["love", "joy"]', "[]", '["anger"]', '["joy"]'], {}),
        (["['love', 'joy']", "[]", "['anger']", None], {}),
        (["love, joy", "", "anger", "joy,"], {"label_separator": ","}),
        (["joy | love", None, " anger ", "joy|"], {"label_separator": "|"}),
        ([[1, 0], [], [2], [0]], {"label_names": ["joy", "love", "anger"]}),
        (["1;0", None, "2", "0"], {"label_names": ["joy", "love", "anger"], "label_separator": ";"}),
        (["L;J", None, "anger", "J"], {"label_map": {"L": "love", "J": "joy"}, "label_separator": ";"}),
    ],
)
def test_lists_their_texts_and_separated_texts_are_the_same_rows(cells: list[Any], options: dict[str, Any]) -> None:
    wanted = WANTED if cells[3] is not None else [*WANTED[:3], []]
    assert taken({"emotions": cells}, labels="emotions", **options) == wanted


@pytest.mark.parametrize(("on", "off"), [(1, 0), ("1", "0"), (True, False), (1.0, 0.0), ("true", "FALSE")])
def test_columns_of_0_and_1_are_labels_of_their_names(on: Any, off: Any) -> None:
    columns = {name: [on if name in row else off for row in WANTED] for name in ("joy", "love", "anger")}
    assert taken(columns, labels=["joy", "love", "anger"]) == WANTED


@given(st.lists(st.sets(st.text(max_size=6).filter(lambda text: text.strip() != "")), max_size=8))
def test_sets_come_back_as_they_were_written(sets: list[set[str]]) -> None:
    assert read_sets(map(write_set, sets)) == [sorted(one) for one in sets]
    labels = sorted({label for one in sets for label in one})
    has = indicators([write_set(one) for one in sets], labels)
    assert [{labels[at] for at in np.flatnonzero(row)} for row in has] == sets


@pytest.mark.parametrize(
    ("columns", "options", "message"),
    [
        ({"a": [0, 1], "b": [1, 2]}, {"labels": ["a", "b"]}, "row 2 has '2' in the label column 'b', not 0 or 1"),
        ({"a": [0, 1], "b": [1, None]}, {"labels": ["a", "b"]}, "row 2 has nothing in the label column 'b'"),
        ({"a": ["x", "0"], "b": [1, 0]}, {"labels": ["a", "b"]}, "row 1 has 'x' in the label column 'a'"),
        ({"a": ["x;y", "x"]}, {"labels": "a"}, "row 1 has the text 'x;y', not a list; set `columns.label_separator` .*"
                                               "; ';' stands in 1 of 2"),
        ({"a": ["x;y", "x"]}, {"labels": "a", "label_separator": ","}, "`columns.label_separator` is ',', but none of "
                                                                       "the 2 texts has it.*; ';' stands in 1 of 2"),
        ({"a": [["x"], ["y", "x"]]}, {"labels": "a", "label_separator": ","}, "',', but the cells are lists, or empty"),
        ({"a": [["x"], {"x": 1}]}, {"labels": "a"}, "column 'a': row 2 has an object, not a list of labels"),
        ({"a": [["x", "z"], [["y"]]]}, {"labels": "a"}, "row 2 has a list or an object among its labels"),
        ({"a": ["x;y", "[x; y]"]}, {"labels": "a", "label_separator": ";"}, r"row 2 has '\[x; y\]' in brackets, which "
                                                                            "is no list"),
        ({"a": [[0, 2], [1]]}, {"labels": "a", "label_names": ["x", "y"]}, "row 1 has the label '2', which is not one "
                                                                           "of the 2 in"),
        ({"a": [["x"]]}, {"labels": "b"}, "no column 'b' for `columns.labels`"),
        ({"a": [1, 0]}, {"labels": ["a", "c"]}, "no column 'c' for `columns.labels`"),
    ],
)  # fmt: skip
def test_what_holds_no_labels_is_named_with_its_row(
    columns: dict[str, list[Any]], options: dict[str, Any], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        taken(columns, **options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"labels": "a", "label": "b"}, "label 'b' and labels 'a' exclude each other"),
        ({"labels": "a", "target": "b"}, "target and labels exclude each other"),
        ({"labels": "a", "spans": "b"}, "spans and labels exclude each other"),
        ({"labels": ["a"]}, "labels must name one column, or two or more different ones"),
        ({"labels": ["a", "a"]}, "labels must name one column, or two or more different ones"),
        ({"labels": ["a", "b"], "label_separator": ","}, "label_separator is not read without one column of labels"),
        ({"label_separator": ","}, "label_separator is not read without one column of labels"),
        ({"labels": ["a", "b"], "label_names": ["x", "y"]}, "label_names is not read with labels in columns of their"),
    ],
)
def test_columns_that_do_not_go_together_are_named(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Columns(**options)


def test_a_step_that_compares_single_labels_is_refused() -> None:
    with pytest.raises(ValueError, match=r"label_errors, which needs one label per row \(columns.label\)"):
        Clean(steps=("label_errors",)).require_fit("text", "labels")  # type: ignore[arg-type]


def rows_of(sets: list[list[str]], **columns: Any) -> pd.DataFrame:
    table = {"text": [f"text {row}" for row in range(len(sets))], "labels": [write_set(one) for one in sets], **columns}
    return with_ids(pd.DataFrame({"split": None, **table}).astype({"split": "str"}))


def failing(rows: pd.DataFrame, **options: Any) -> dict[str, tuple[str, str]]:
    verdicts, _ = check_rows(rows, Validate(min_rows=1, **options))
    return {one.name: (one.severity, one.observed) for one in verdicts if not one.success}


def test_labels_are_checked_against_the_recipes() -> None:
    rows = rows_of([["joy"], [], ["joy", "ire"], ["love"]])
    assert failing(rows) == {} and label_set(rows, Validate()) == ["ire", "joy", "love"]
    assert failing(rows, labels=["love", "joy"]) == {"labels_are_known": ("fail", "ire")}
    assert failing(rows, labels=["love", "joy", "ire", "awe"]) == {"labels_have_rows": ("fail", "without: awe")}
    assert label_set(rows, Validate(labels=["love", "joy"], severity={"labels": "warn"})) == ["love", "joy", "ire"]
    assert failing(rows_of([["joy"], []])) == {"labels_are_several": ("fail", "1: joy")}
    assert failing(rows_of([[], []])) == {"labels_are_several": ("fail", "0: ")}


def test_rows_with_unknown_labels_leave_under_quarantine() -> None:
    rows = rows_of([["joy"], [], ["joy", "ire"], ["love"]])
    asked = Validate(min_rows=1, labels=["love", "joy"], severity={"labels": "quarantine"}, max_quarantined=0.1)
    verdicts, _ = check_rows(rows, asked)
    (known,) = [one for one in verdicts if one.name == "labels_are_known"]
    assert known.rows.tolist() == [rows["id"][2]]
    assert any("quarantine" in one.name or "leave" in one.asked for one in verdicts if not one.success and one.stops)


def test_labels_that_are_spellings_of_one_label_stop_the_run() -> None:
    rows = rows_of([["joy"], ["Joy "], ["ire", "joy"]])
    ((name, (severity, found)),) = failing(rows).items()
    assert (name, severity) == ("labels_are_spelt_one_way", "fail") and found == "'joy' (2) = 'Joy ' (1)"
    assert failing(rows, distinct_labels=[["joy", "Joy "]]) == {}


def test_a_column_of_0_and_1_with_an_odd_cell_is_one_all_the_same() -> None:
    """Left out, its label would be lost without a word; the reader names the cell."""
    table = pd.DataFrame({"text": [f"text {n}" for n in range(20)], "a": ["2", *"01" * 9, "0"], "b": [*"01" * 10],
                          "stars": [*"12" * 10]})  # fmt: skip
    assert switch_columns(table) == ("a", "b")


def test_each_label_counts_by_itself_and_rows_without_one_too() -> None:
    rows = rows_of([["joy", "ire"], [], ["joy"]])
    assert [*each_label(rows).items()] == [(0, "ire"), (0, "joy"), (1, NO_LABEL), (2, "joy")]
    ledger = pd.DataFrame({"id": rows["id"], "state": ["train", "test", "dropped"]})
    counts = parts_by_label(ledger, each_label(rows.set_index("id")))
    assert counts["train"].to_dict() == {NO_LABEL: 0, "ire": 1, "joy": 1} and counts["dropped"].sum() == 1
    parts = pd.Series(["train", "train", "test"])
    require_common_labels(each_label(rows), parts.loc[each_label(rows).index])
    with pytest.raises(DataError, match="no test row has a label that a training row has"):
        require_common_labels(each_label(rows_of([["joy"], [], ["ire"]])), parts)


def test_exact_shares_are_of_sets_and_rare_sets_go_with_their_rarest_label() -> None:
    draw = np.random.default_rng(0)
    names, chances = np.array(["a", "b", "c", "d", "e"]), np.array([0.5, 0.4, 0.3, 0.2, 0.05])
    sets = [names[draw.random(5) < chances].tolist() for _ in range(2000)]
    rows = rows_of(sets)
    groups = strata(rows)
    sizes = rows["labels"].value_counts()
    common = rows["labels"].map(sizes) >= FEWEST
    assert (groups[common] == rows["labels"][common]).all() and (~common).sum() > 20
    rare = [read_sets([text])[0] for text in rows["labels"][~common]]
    assert all(group in row for group, row in zip(groups[~common], rare, strict=True))
    parts = split_rows(rows, HashSplit(exact=True))
    single = each_label(rows)
    shares = pd.crosstab(single.to_numpy(), parts.loc[single.index].to_numpy(), normalize="index")
    assert np.abs(shares["test"] - 0.1).max() < 0.02 and np.abs(shares["validation"] - 0.1).max() < 0.02


def test_rows_of_one_label_are_strata_as_before() -> None:
    rows = pd.DataFrame({"text": ["a", "b"], "label": ["x", "y"]})
    assert strata(rows).tolist() == ["x", "y"] == each_label(rows).tolist()


def test_labels_that_no_row_has_are_told_apart_in_notes() -> None:
    notes: list[str] = []
    taken({"a": [["x"], ["y"]]}, notes, labels="a", label_map={"X": "x"})
    assert notes == ["label_map names 'X', which no row has"]


def test_the_text_of_a_set_is_the_same_whatever_the_order() -> None:
    assert write_set(["b", "a", "b"]) == json.dumps(["a", "b"])
