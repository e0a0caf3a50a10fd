"""Names of parts: the generous rule, and what must not be taken for a part."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.data.sources.part_names import WORDS, part_named, parts_named

SEPARATORS = ("", "_", "-", " ", ".")


@given(
    st.sampled_from(sorted(WORDS)),
    st.sampled_from(["set", "data", "images", "split", ""]),
    st.sampled_from(SEPARATORS),
    st.booleans(),
    st.sampled_from([str, str.upper, str.title]),
    st.sampled_from(["", "1", "2017", "_02"]),
)
def test_a_part_in_any_case_with_separators_and_numbers(word, filler, separator, first, case, number) -> None:
    name = separator.join([filler, word] if first else [word, filler]) + number
    assert part_named(case(name)) == WORDS[word]


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("Training", "train"),
        ("trainSet", "train"),
        ("train_set", "train"),
        ("valid", "validation"),
        ("VAL", "validation"),
        ("dev", "validation"),
        ("hold-out", "test"),
        ("Held Out", "test"),
        ("test_images", "test"),
        ("eval", "validation"),
        ("train2017", "train"),
        ("training", "train"),
        ("Testing", "test"),
        ("cat", None),
        ("train_station", None),
        ("test tube", None),
        ("devil", None),
        ("valley", None),
        ("contest", None),
        ("retrain", None),
        ("evaluator", None),
        ("", None),
        ("123", None),
        ("测试", None),
    ],
)
def test_names_by_themselves(name: str, part: str | None) -> None:
    assert part_named(name) == part


def test_names_beside_each_other() -> None:
    assert parts_named(["seg_train", "seg_test", "seg_pred"]) == {"seg_train": "train", "seg_test": "test"}
    assert parts_named(["train", "test", "train_station"]) == {"train": "train", "test": "test"}
    assert parts_named(["train_station", "bus_station"]) == {}
    assert parts_named(["birds-val", "birds-train"]) == {"birds-val": "validation", "birds-train": "train"}
    assert parts_named(["train", "eval"]) == {"train": "train", "eval": "test"}
    assert parts_named(["train", "eval", "test"]) == {"train": "train", "eval": "validation", "test": "test"}
    assert parts_named(["train", "val"]) == {"train": "train", "val": "validation"}


def test_long_names_take_no_time() -> None:
    start = time.monotonic()
    for letter in ("set", "train", "_", "data", "trainset", "\x00"):
        assert part_named(letter * 10**6) is None and parts_named([letter * 10**6]) == {}
    assert part_named("set" * 33) is None and part_named("data" * 25) is None and part_named("dataset" * 14) is None
    assert time.monotonic() - start < 1
