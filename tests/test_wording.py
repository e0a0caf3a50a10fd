"""Expectations in words: every one that a recipe can name, and every argument of it, changes what is said."""

import json
from typing import Any

import pandas as pd
import pytest

from configs.expectations import Expectation, Validate
from tasks.artifact import StageError
from tasks.data.checks.great_expectations import OWN, make_expectation
from tasks.data.checks.wording import in_words

VALUES: dict[str, tuple[Any, Any]] = {
    "column": ("text", "label"),
    "column_A": ("text", "id"),
    "column_B": ("label", "split"),
    "column_list": (["text", "label"], ["id", "label"]),
    "column_set": (["text"], ["label"]),
    "value_set": (["a", "b"], [1, 2]),
    "value_pairs_set": ([["a", "b"]], [["c", "d"]]),
    "min_value": (2, 3000),
    "max_value": (5, 7),
    "strict_min": (True, False),
    "strict_max": (True, False),
    "mostly": (0.5, 0.75),
    "row_condition": (
        {"type": "comparison", "column": {"name": "label"}, "operator": "==", "parameter": "a"},
        {"type": "nullity", "column": {"name": "text"}, "is_null": False},
    ),
    "threshold": (0.5, 3),
    "partition_object": ({"values": ["a"], "weights": [1.0]}, {"values": ["b"], "weights": [1]}),
    "internal_weight_holdout": (0.1, 0.2),
    "tail_weight_holdout": (0.1, 0.2),
    "bucketize_data": (True, False),
    "ties_okay": (True, False),
    "or_equal": (True, False),
    "strictly": (True, False),
    "double_sided": (True, False),
    "exact_match": (True, False),
    "ignore_row_if": ("never", "both_values_are_missing"),
    "column_index": (0, 1),
    "quantile_ranges": ({"quantiles": [0.5], "value_ranges": [[1, 2]]}, {"quantiles": [0.1], "value_ranges": [[1, 2]]}),
    "allow_relative_error": (True, False),
    "type_": ("str", "int"),
    "type_list": (["str"], ["int"]),
    "value": (12, 3400),
    "sum_total": (1, 2),
    "json_schema": ({"type": "object"}, {"type": "array"}),
    "like_pattern": ("a%", "b%"),
    "like_pattern_list": (["a%"], ["b%"]),
    "match_on": ("any", "all"),
    "escape": ("!", "?"),
    "regex": ("^a", "^b"),
    "regex_list": (["^a"], ["^b"]),
    "strftime_format": ("%Y", "%d"),
    "method": ("iqr", "std"),
    "multiplier": (1.5, 3.0),
    "base_query": ("x", "y"),
    "comparison_query": ("z", "w"),
    "comparison_data_source_name": ("one", "two"),
    "other_table_name": ("one", "two"),
}
"""Arguments of all expectations, each with two values."""


def kinds() -> list[str]:
    from great_expectations.expectations.registry import list_registered_expectation_implementations

    return [name for name in sorted(list_registered_expectation_implementations()) if name.startswith("expect_")]


def fields(kind: str) -> list[str]:
    from great_expectations.expectations.registry import get_expectation_impl

    return [name for name in get_expectation_impl(kind).__fields__ if name not in {*OWN, "condition_parser"}]


def test_every_expectation_and_every_argument_has_words() -> None:
    assert len(kinds()) > 50
    for kind in kinds():
        given = {name: VALUES[name][0] for name in fields(kind)}
        words = in_words(kind, given)
        assert (
            "expect" not in words
            and "{" not in in_words(kind, given | {"partition_object": 1, "json_schema": 1, "quantile_ranges": 1})
            and "not given" not in words
        ), words
        for name in given:
            assert in_words(kind, given | {name: VALUES[name][1]}) != words, (kind, name, words)


def test_arguments_that_are_left_out_are_not_spoken_of() -> None:
    for kind in kinds():
        words = in_words(kind, {})
        assert words and "expect" not in words and "None" not in words and not words.endswith(","), (kind, words)


@pytest.mark.parametrize(
    ("kind", "arguments", "words"),
    [
        (
            "expect_column_values_to_be_between",
            {"column": "stars", "min_value": 1, "strict_min": True, "max_value": 5},
            "each stars is more than 1 and at most 5",
        ),
        (
            "expect_column_values_to_not_be_null",
            {"column": "text", "mostly": 0.95},
            "no text is missing, in 95.00% of the rows or more",
        ),
        (
            "expect_column_values_to_be_in_set",
            {
                "column": "label",
                "value_set": ["a", ""],
                "row_condition": {
                    "type": "and",
                    "conditions": [VALUES["row_condition"][0], VALUES["row_condition"][1]],
                },
            },
            "each label is one of ['a', ''], where label == a and text is not missing",
        ),
        (
            "expect_column_values_to_be_increasing",
            {"column": "day", "strictly": True},
            "day increases from row to row, never equal",
        ),
        ("expect_table_row_count_to_be_between", {"min_value": 1000}, "the number of rows is at least 1,000"),
        ("expect_of_another_version", {"column": "text"}, "expect_of_another_version(column=text)"),
    ],
)
def test_words_of_an_expectation(kind: str, arguments: dict[str, Any], words: str) -> None:
    assert in_words(kind, arguments) == words


@pytest.mark.parametrize("severity", ["warn", "quarantine", "fail"])
def test_warnings_failures_and_reasons_of_the_ledger_are_in_words(severity: Any) -> None:
    from test_expectations import store_raw, texts

    from tasks.data.ledger import read_ledger
    from tasks.store.events import Event, listeners
    from tasks.validate import validate

    rows = texts()
    rows.loc[3, "text"] = "a lone < here"
    asked = Expectation(
        expect="expect_column_values_to_not_match_regex", severity=severity, arguments={"column": "text", "regex": "<"}
    )
    events: list[Event] = []
    words, lines, error = "no text matches the regular expression <", "", ""
    with listeners(events.append):
        try:
            made = validate.run_or_load(Validate(expectations=(asked,)), {"raw": store_raw(rows)}).result
            ledger = read_ledger(made.file("ledger.parquet"))
            lines = "".join(ledger.loc[ledger["state"] == "dropped", "reason"])
        except StageError as stopped:
            error = str(stopped)
    noted = [event.text for event in events if event.kind == "note"]
    if severity == "warn":
        assert noted == [f"does not hold: {words}: 1 of 60 rows break it (1.67 %)"]
    if severity == "quarantine":
        assert lines == f"does not hold: {words}"
    if severity == "fail":
        assert f"\n  {words}: 1 of 60 rows break it" in error and "in Great Expectations' words: expect_" in error


def test_all_columns_of_dialogues_have_words() -> None:
    from tasks.data.checks.dialogue_checks import COLUMNS, dialogue_expectations
    from tasks.data.checks.expectations import check_rows
    from tasks.data.rows import with_ids

    asked = [[{"role": "user", "content": "a"}], [{"role": "user", "content": "b"}, {"role": "user", "content": "c"}]]
    rows = with_ids(pd.DataFrame({"messages": [json.dumps(one) for one in asked], "split": None}, dtype="str"))
    verdicts, _ = check_rows(rows, Validate(min_rows=1))
    assert len(dialogue_expectations()) == len(COLUMNS)
    assert sum("dialogue" in verdict.name for verdict in verdicts) == len(COLUMNS)
    assert not [verdict.name for verdict in verdicts if "expect_" in verdict.name]


def test_an_expectation_of_every_name_that_pandas_can_check_is_made() -> None:
    """The table of values above is one that Great Expectations takes, so that the sweep speaks of real expectations."""
    for kind in kinds():
        given = {name: VALUES[name][0] for name in fields(kind) if name not in ("row_condition", "ignore_row_if")}
        made = make_expectation(Expectation(expect=kind, arguments=given), "here", ["text", "label", "id", "split"])
        assert made.expectation_type == kind
