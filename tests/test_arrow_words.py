"""Arrow's own kernels spell whole numbers, truth values and doubles as Python spells each one by itself."""

import math
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.data.sources.arrow_words import words_of
from tasks.data.sources.json_rows import DECODER
from tasks.data.sources.written import Number, as_written, exact

EDGES = [
    0.0,
    -0.0,
    1.0,
    -54.0,
    0.1,
    1e-4,
    9.999e-5,
    999999999.9,
    1e9,
    1e10,
    1e15,
    1e16,
    1e22,
    5e-324,
    1.7e308,
    1e5,
    math.inf,
    -math.inf,
    2.0**53,
    123456.789,
]


def column_of(values: list[Any], kind: Any) -> pd.Series:
    halves = [pa.array(values[:2], kind), pa.array(values[2:], kind)]
    return pd.Series(pd.arrays.ArrowExtensionArray(pa.chunked_array(halves)), name="n")


def spelt(values: list[Any]) -> list[str | None]:
    return [None if value is None or value != value else repr(value) for value in values]


def words(column: pd.Series) -> list[str | None]:
    found = words_of(column)
    assert found is not None and found.name == "n"
    return [None if pd.isna(word) else word for word in found]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.one_of(st.none(), st.floats(), st.floats(-1e10, 1e10), st.integers(-(10**6), 10**6).map(float))))
def test_doubles_are_spelt_as_by_python(values: list[float | None]) -> None:
    assert words(column_of([*EDGES, *values], pa.float64())) == spelt([*EDGES, *values])


def test_random_doubles_of_every_size_are_spelt_as_by_python() -> None:
    dice = np.random.default_rng(0)
    values = (dice.normal(size=40_000) * 10.0 ** dice.integers(-8, 20, 40_000)).tolist()
    assert words(column_of(values, pa.float64())) == spelt(values)


def test_whole_numbers_and_truth_values_are_spelt_as_written() -> None:
    whole = [2**63 - 1, -(2**63), 0, None]
    assert words(column_of(whole, pa.int64())) == ["9223372036854775807", "-9223372036854775808", "0", None]
    assert words(column_of([2**64 - 1, None], pa.uint64())) == ["18446744073709551615", None]
    assert words(column_of([True, None, False], pa.bool_())) == ["true", None, "false"]


@pytest.mark.parametrize("kind", [pa.float32(), pa.float16(), pa.date32(), pa.decimal128(9, 2)])
def test_other_types_are_left_to_python(kind: Any) -> None:
    assert words_of(column_of([None, None], kind)) is None
    assert words_of(pd.Series([1.5, 2.5])) is None


SPELLINGS = st.from_regex(r"-?(0|[1-9][0-9]{0,3})(\.[0-9]{1,5})?([eE][+-]?[0-9])?", fullmatch=True)


@settings(max_examples=60, deadline=None)
@given(
    st.one_of(st.floats(allow_nan=False, allow_infinity=False).map(repr), SPELLINGS.filter(lambda text: text != "-0"))
)
def test_a_number_of_json_keeps_its_spelling(number: str) -> None:
    value = DECODER.decode(number)
    assert as_written(pd.Series([value, "x"], dtype=object), "t", "r")[0] == number
    assert exact(pd.Series([value], dtype=object))[0] == float(number)


def test_a_number_that_python_spells_alike_needs_no_object_of_its_own() -> None:
    kinds = {number: type(DECODER.decode(number)) for number in ("0.5", "12.0", "1e+22", "0.50", "1e5", "NaN", "7")}
    assert kinds == {
        "0.5": float,
        "12.0": float,
        "1e+22": float,
        "0.50": Number,
        "1e5": Number,
        "NaN": Number,
        "7": int,
    }
