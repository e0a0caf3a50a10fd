"""Dialogue models against their baselines by a paired test: in all, by slices, and what has nothing to be tested."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from pydantic import ValidationError

from configs.load import RecipeError, load_recipe
from tasks.kinds.dialogue.contests import contests, describe_contests, slices_of
from tasks.kinds.dialogue.metrics import Turn
from tasks.learn.resampling import Resampling

RECIPES = Path(__file__).parents[1] / "configs"
HOW = Resampling(500, 0.95, 0)
REPLY = {"role": "assistant", "content": "hello"}


def call(city: str) -> dict[str, Any]:
    function = {"name": "find", "arguments": {"city": city}}
    return {"role": "assistant", "content": "", "tool_calls": [{"type": "function", "function": function}]}


def sides(right: dict[str, tuple[bool, bool]]) -> tuple[list[Turn], dict[str, list[Turn]]]:
    """A due call per dialogue, and whether the model and the baseline write it as it is due."""
    written = [
        [Turn(row, 1, call("Bath"), call("Bath" if which[side] else "Rome"), True) for row, which in right.items()]
        for side in (0, 1)
    ]
    return written[0], {"nearest": written[1]}


def table(right: dict[str, tuple[bool, bool]]) -> pd.DataFrame:
    return pd.DataFrame({"id": [*right], "service": [row[0] for row in right]})


def test_each_slice_has_its_own_finding_and_all_rows_theirs() -> None:
    seen = {f"a{n}": (True, n % 4 == 0) for n in range(40)}
    unseen = {f"b{n}": (n % 4 == 0, True) for n in range(40)}
    right = seen | unseen
    found = contests(*sides(right), slices_of(table(right), ["service"]), HOW)
    exact = {one["value"]: one for one in found if one["score"] == "call_exact"}
    assert {value: one["finding"] for value, one in exact.items()} == {"all": "undecided", "a": "better", "b": "worse"}
    assert (exact["a"]["model"], exact["a"]["other"], exact["a"]["dialogues"]) == (1.0, 0.25, 40)
    assert exact["b"]["difference"] == pytest.approx(-0.75)
    text = "\n".join(describe_contests(found))
    assert "| nearest, service a | 40 | call exact | 1.0000 | 0.2500 | +0.7500 [" in text and text.count("worse") == 2


def test_a_score_of_calls_is_left_out_where_none_is_due() -> None:
    turns = [Turn(f"a{n}", 1, REPLY, REPLY, True) for n in range(3)]
    rows = pd.DataFrame({"id": [turn.dialogue for turn in turns], "service": [None, "x", "y"]})
    assert [one.value for one in slices_of(rows, ["service"])] == ["all", "x", "y"], "a row without one is in all alone"
    assert contests(turns, {"nearest": turns}, slices_of(rows, ["service"]), HOW) == [] == describe_contests([])


def test_columns_that_the_rows_do_not_keep_are_refused() -> None:
    with pytest.raises((RecipeError, ValidationError), match=r"evaluate.slices has 'hour', but the rows keep group"):
        load_recipe(RECIPES / "hotel_demo.yaml", ["evaluate.slices=[hour]"])
    with pytest.raises((RecipeError, ValidationError), match=r"slices is not read with encode.kind: classifier"):
        load_recipe(RECIPES / "reviews_local_bert.yaml", ["evaluate.slices=[group]"])
    assert load_recipe(RECIPES / "hotel_demo.yaml", ["evaluate.slices=[group]"]).evaluate.slices == ("group",)
