"""A part of the training rows: nested, whole groups, held-out rows untouched, every dropped row with its reason."""

import json
import random

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny import recipe

from configs.splitting import GivenSplit, HashSplit
from flows.stage_graph import perform_until
from tasks.data.errors import DataError
from tasks.data.ledger import read_ledger
from tasks.data.rows import read_rows, with_ids
from tasks.data.train_subset import beyond_train_rows
from tasks.store.events import Event

PARTS = ["train", "train", "train", "test"]


def rows(count: int, groups: int | None = None) -> tuple[pd.DataFrame, pd.Series]:
    """Rows of which three quarters are training rows, with so many groups."""
    table = pd.DataFrame({"text": [f"text {n}" for n in range(count)], "label": "a", "split": None}).astype("str")
    if groups:
        table["group"] = [f"g{n % groups}" for n in range(count)]
    return with_ids(table), pd.Series([PARTS[n % 4] for n in range(count)])


def kept(table: pd.DataFrame, parts: pd.Series, section: GivenSplit | HashSplit) -> set[str]:
    """Ids of the training rows that stay."""
    gone = beyond_train_rows(table, parts, section)
    assert set(gone["reason"]) <= {"beyond split.train_rows"} and gone["id"].is_unique
    assert set(gone["id"]) <= set(table.loc[parts == "train", "id"])
    return set(table.loc[parts == "train", "id"]) - set(gone["id"])


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 40), st.integers(1, 40), st.randoms(use_true_random=False))
def test_fewer_rows_are_part_of_more_in_any_order(few: int, more: int, shuffle: random.Random) -> None:
    few, more = sorted((few, more))
    table, parts = rows(40)
    order = list(range(40))
    shuffle.shuffle(order)
    small = kept(table, parts, HashSplit(train_rows=few))
    assert len(small) == min(few, 30) and small <= kept(table, parts, HashSplit(train_rows=more))
    assert small == kept(table.iloc[order], parts.iloc[order], HashSplit(train_rows=few))


def test_without_the_key_and_with_enough_room_every_row_stays() -> None:
    table, parts = rows(40)
    for section in (HashSplit(), HashSplit(train_rows=30), GivenSplit(kind="given", train_rows=1000)):
        assert len(kept(table, parts, section)) == 30


@pytest.mark.parametrize("section", [HashSplit(by="group", train_rows=12), GivenSplit(kind="given", train_rows=12)])
def test_groups_stay_whole(section: GivenSplit | HashSplit) -> None:
    table, parts = rows(40, groups=8)
    stay = table["id"].isin(kept(table, parts, section))
    of_group = stay[parts == "train"].groupby(table["group"]).agg(["min", "max"])
    assert (of_group["min"] == of_group["max"]).all() and 0 < stay.sum() <= 12


def test_rows_without_a_group_are_drawn_one_by_one_and_a_first_group_too_large_is_named() -> None:
    table, parts = rows(40, groups=8)
    table["group"] = None
    assert len(kept(table, parts, GivenSplit(kind="given", train_rows=7))) == 7
    table["group"] = "the same"
    with pytest.raises(DataError, match=r"train_rows: 7 is less than the 30 rows of the first group; raise it"):
        beyond_train_rows(table, parts, GivenSplit(kind="given", train_rows=7))


def test_held_out_rows_stay_and_the_dropped_ones_are_counted(heard: list[Event]) -> None:
    whole, part = (
        perform_until(recipe(f"split={json.dumps(section)}"), "split")["split"].result
        for section in ({"kind": "hash"}, {"kind": "hash", "train_rows": 20})
    )
    for name in ("validation", "test"):
        assert whole.file(f"{name}.parquet").read_bytes() == part.file(f"{name}.parquet").read_bytes()
    before, after = (set(read_rows(one.file("train.parquet"))["id"]) for one in (whole, part))
    assert len(after) == 20 and after < before
    ledger = read_ledger(part.file("ledger.parquet")).set_index("id")
    assert set(ledger.loc[sorted(before - after), "reason"]) == {"beyond split.train_rows"}
    shown = " ".join(str(event) for event in heard)
    assert f"{len(before) - 20:,} training rows beyond split.train_rows (20) are dropped" in shown
