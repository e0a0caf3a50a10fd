"""No error proposes what the recipe says already; the fix that it names helps."""

import re
from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
import pytest

from configs.schema import Register
from configs.splitting import GivenSplit, HashSplit
from tasks.data.errors import DataError
from tasks.data.rows import with_ids
from tasks.data.splitting import split_rows
from tasks.tracking.promotion import decide

SET = re.compile(r"split\.(\w+): (\w+)")


def refusal(rows: pd.DataFrame, section: HashSplit) -> str:
    """Why the rows cannot be split so; empty where they can."""
    try:
        split_rows(rows, section)
    except DataError as error:
        return str(error)
    return ""


def rows_of(labels: int, each: int) -> pd.DataFrame:
    names = [f"label {n % labels}" for n in range(labels * each)]
    return with_ids(
        pd.DataFrame(
            {"text": [f"text {n} of {name}" for n, name in enumerate(names)], "label": names, "split": None}
        ).astype({"split": "str"})
    )


@pytest.mark.parametrize(("labels", "each"), product([1, 2, 5, 40], [1, 2, 3, 4, 6]))
@pytest.mark.parametrize("exact", [False, True])
@pytest.mark.parametrize("shares", [(0.8, 0.1, 0.1), (0.7, 0.1, 0.2), (0.9, 0.0, 0.1)])
def test_a_split_without_rows_proposes_only_what_is_not_set_and_helps(
    labels: int, each: int, exact: bool, shares: tuple[float, float, float]
) -> None:
    rows = rows_of(labels, each)
    train, validation, test = shares
    section = HashSplit(train=train, validation=validation, test=test, exact=exact)
    error = refusal(rows, section)
    said = dict(SET.findall(error))
    assert said.keys() <= {"exact"} and (not error or "add rows" in error)
    if said:
        assert said["exact"] == str(not exact).lower()
        assert refusal(rows, replace(section, exact=not exact)) == ""


def test_rows_that_cannot_be_placed_are_not_sent_where_they_are() -> None:
    rows = rows_of(2, 20).assign(group=["a", "", *(f"g{n}" for n in range(38))], split="train")
    with pytest.raises(DataError, match=r"fix the source or use split\.by: row"):
        split_rows(rows, HashSplit(by="group"))
    with pytest.raises(DataError, match=r"fix the source or leave out columns\.group"):
        split_rows(rows, GivenSplit(kind="given", validation=0.2))
    some = rows.assign(split=["train", "validation", *["test"] * 37, None])
    with pytest.raises(DataError, match=r"1 of 40 rows have no given split.*; fix the source or use split\.kind"):
        split_rows(some, GivenSplit(kind="given"))
    with pytest.raises(DataError, match=r"40 of 40 rows .*; set `columns\.split` or use"):
        split_rows(some.assign(split=np.nan).astype({"split": "str"}), GivenSplit(kind="given"))


@pytest.mark.parametrize(
    ("scores", "baselines", "section", "says"),
    [
        (
            {"accuracy": 0.0},
            {"majority": {"accuracy": 0.4}},
            {},
            "the first champion, accuracy 0.0000: it predicts nothing right, and it is not better than the baseline "
            "majority (0.4000); set register.thresholds.accuracy to refuse such a model",
        ),
        (
            {"accuracy": 0.5},
            {"majority": {"accuracy": 0.5}, "tfidf": {"accuracy": 0.9}},
            {"thresholds": {"accuracy": 0.1}},
            "the first champion, accuracy 0.5000: it is not better than the baseline majority (0.5000) and tfidf "
            "(0.9000); change register.thresholds.accuracy to refuse such a model",
        ),
        (
            {"rmse": 2.0},
            {"mean": {"rmse": 1.5}},
            {"metric": "rmse"},
            "the first champion, rmse 2.0000: it is not better than the baseline mean (1.5000); set "
            "register.thresholds.rmse to refuse such a model",
        ),
        ({"rmse": 0.0}, {"mean": {"rmse": 1.5}}, {"metric": "rmse"}, "the first champion, rmse 0.0000"),
        ({"accuracy": 0.8}, {"majority": {"accuracy": 0.5}}, {}, "the first champion, accuracy 0.8000"),
    ],
)
def test_a_first_champion_is_said_to_be_what_it_is(scores: Any, baselines: Any, section: Any, says: str) -> None:
    verdict = decide(scores, Register(model="m", **section), None, baselines)
    assert (verdict.decided, verdict.reason) == ("promoted", says)
