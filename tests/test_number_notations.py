"""Targets in the notation that the recipe names; what is dropped is shown, with the notation that would read it."""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from configs.encodings import RegressionEncode
from tasks.data.errors import DataError
from tasks.data.numbers import read_numbers
from tasks.encode import _describe_dropped, _require_rest
from tasks.kinds.regression.encode import certify_part, encode_part, make_encoding
from tasks.kinds.regression.encoding import other_notations
from tasks.kinds.spec import EncodedRows

TOKENIZER: Any = {"kind": "train", "vocab_size": 300}

NOTATIONS = [
    (",", ".", ["1,234", "12,345,678.5", "-7", "0.5", "1e3"], [1234, 12345678.5, -7, 0.5, 1000]),
    (".", ",", ["1.234", "1.234.567,25", "0,5", "+3"], [1234, 1234567.25, 0.5, 3]),
    (" ", ",", ["1 234,5", "1\u00a0234", "12\u202f000"], [1234.5, 1234, 12000]),
    ("'", ".", ["1'234'567.5"], [1234567.5]),
    (None, ",", ["0,5", "-3,25e2"], [0.5, -325]),
]


@pytest.mark.parametrize(("thousands", "decimal", "told", "values"), NOTATIONS)
def test_targets_are_read_as_the_recipe_says_they_are_written(
    thousands: str | None, decimal: str, told: list[str], values: list[float]
) -> None:
    assert read_numbers(told, thousands, decimal).tolist() == values
    section = RegressionEncode(kind="regression", tokenizer=TOKENIZER, thousands=thousands, decimal=decimal)
    targets = [*told, "-1", "2"]
    rows = pd.DataFrame({"id": [f"r{n}" for n in range(len(targets))], "text": "a text", "target": targets})
    rows = rows.astype("str")
    encoding, tokenizer = make_encoding(section, rows)
    part, dropped = encode_part(encoding, tokenizer, rows)
    assert dropped.empty and part.values.tolist() == [*values, -1, 2]
    certify_part(encoding, tokenizer, part, rows).require("train")


def test_what_is_grouped_otherwise_is_no_number() -> None:
    for text in ("1,23", "1234,567", ",123", "1,234,56", "1,,234", "1.5,000", "12 345", "1,234.5.6", "abc", ""):
        assert np.isnan(read_numbers([text], ",", ".")).all(), text
    assert np.isnan(read_numbers(["1,234", "1.234,5"])).all(), "nothing is guessed where the recipe is silent"
    assert np.isnan(read_numbers(["0.5", "1,2.3"], None, ",")).all()


def test_marks_that_are_the_same_are_refused() -> None:
    with pytest.raises(ValueError, match="thousands and decimal are both ','"):
        RegressionEncode(kind="regression", tokenizer=TOKENIZER, thousands=",", decimal=",")


def described(section: RegressionEncode, rows: pd.DataFrame, dropped: pd.DataFrame) -> str:
    """As the stage says it of what the kind's encoder drops."""
    targets = rows.set_index("id")["target"].loc[dropped["id"]].tolist()
    hint = other_notations(targets, section.thousands, section.decimal)
    return _describe_dropped(EncodedRows({}, dropped, "", shown="target", hint=hint), rows)


def test_dropped_targets_are_shown_with_the_notation_that_reads_them() -> None:
    rows = pd.DataFrame(
        {
            "id": [f"r{n}" for n in range(40)],
            "text": [f"text {n}" for n in range(40)],
            "target": [f"1,{100 + n}" if n % 8 == 0 else str(n) for n in range(40)],
        }
    )
    dropped = pd.DataFrame({"id": ["r0", "r8", "r16", "r24", "r32"], "reason": "target is no number"}, dtype="str")
    section = RegressionEncode(kind="regression", tokenizer=TOKENIZER)
    said = described(section, rows, dropped)
    assert said.startswith("target is no number: 5, such as row r0 '1,100', row r8 '1,108', row r16 '1,116'; they are")
    assert "encode.thousands: ',' ('1,100' is then 1100)" in said and "encode.decimal: ','" in said
    set_already = replace(section, thousands=",")
    odd = rows.assign(target=rows["target"].replace("1,100", "a lot"))
    assert "they are numbers with" not in described(set_already, odd, dropped)
    kept = {"train": [f"r{n}" for n in range(40) if n % 8], "validation": [], "test": []}
    with pytest.raises(DataError, match=r"12% of 40 rows, more than `encode.max_dropped` 0.05: target is no number: 5"):
        _require_rest(section, {"train": 40, "validation": 0, "test": 0}, kept, said)
    _require_rest(replace(section, max_dropped=0.2), {"train": 40, "validation": 0, "test": 0}, kept, said)
