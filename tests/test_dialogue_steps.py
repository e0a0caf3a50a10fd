"""Cleaning steps for dialogues: what each does to turns, how it is counted, and how it goes with the other steps."""

from typing import Any

import pandas as pd
import pytest

from configs.cleaning import Clean, CutTrailingTurns, DropEmptyTurns, MergeTurns
from tasks.data.cleaning.pipeline import clean_rows
from tasks.data.cleaning.report import counted, describe
from tasks.data.dialogues.messages import Message, dump_messages, load_messages
from tasks.data.errors import DataError
from tasks.data.rows import UNLABELLED, with_ids

CALL = {"type": "function", "function": {"name": "f", "arguments": {}}}


def user(text: str, **more: Any) -> Message:
    return {"role": "user", "content": text, **more}


def reply(text: str, **more: Any) -> Message:
    return {"role": "assistant", "content": text, **more}


def rows_of(*dialogues: list[Message]) -> pd.DataFrame:
    table = {"messages": [dump_messages(dialogue) for dialogue in dialogues], "label": UNLABELLED, "split": None}
    return with_ids(pd.DataFrame(table).astype({"messages": "str", "split": "str"}))


def after(step: str, *dialogues: list[Message], **options: Any) -> list[list[Message]]:
    section = Clean(steps=({"kind": step, **options},))  # type: ignore[arg-type]
    return [load_messages(text) for text in clean_rows(rows_of(*dialogues), section).rows["messages"]]


def test_consecutive_turns_of_one_role_become_one() -> None:
    several = [user("a"), user("b"), user("c"), reply("d"), reply("e")]
    assert after("merge_turns", several) == [[user("a\n\nb\n\nc"), reply("d\n\ne")]]
    assert after("merge_turns", several, separator=" ") == [[user("a b c"), reply("d e")]]


@pytest.mark.parametrize(
    "turns",
    [
        [user("a"), reply("b", weight=0), reply("c")],
        [user("a", name="Ann"), user("b", name="Ben"), reply("c")],
        [user("a"), reply("", tool_calls=[CALL]), reply("b")],
        [user("a"), reply("b"), reply("c", reasoning_content="Think.")],
    ],
)
def test_turns_that_differ_in_what_is_trained_stay_apart(turns: list[Message]) -> None:
    assert after("merge_turns", turns) == [turns]


def test_what_stands_behind_the_last_turn_of_the_assistant_is_cut() -> None:
    assert after("cut_trailing_turns", [user("a"), reply("b"), user("bye")]) == [[user("a"), reply("b")]]
    whole = [user("a"), reply("", tool_calls=[CALL])]
    assert after("cut_trailing_turns", whole) == [whole]


def test_empty_turns_are_dropped_and_calls_are_not_empty() -> None:
    turns = [user(" \n"), user("a"), reply(""), reply("", tool_calls=[CALL]), {"role": "tool", "content": ""}]
    assert after("drop_empty_turns", turns) == [[turns[1], turns[3], turns[4]]]


def test_every_changed_row_is_counted_and_one_without_a_turn_to_learn_leaves() -> None:
    rows = rows_of([user("a"), user("b"), reply("c"), user("bye")], [user("only")], [user("x"), reply("y")])
    cleaned = clean_rows(rows, Clean(steps=("merge_turns", "cut_trailing_turns", "missing", "duplicates")))  # type: ignore[arg-type]
    assert [load_messages(text) for text in cleaned.rows["messages"]] == [
        [user("a\n\nb"), reply("c")],
        [user("x"), reply("y")],
    ]
    assert cleaned.dropped[["id", "reason"]].to_numpy().tolist() == [[rows["id"][1], "missing messages"]]
    assert [(line["step"], line["changed"], line["dropped"]) for line in counted(cleaned)] == [
        ("merge_turns", 1, 0),
        ("cut_trailing_turns", 2, 0),
        ("missing", 0, 1),
        ("duplicates", 0, 0),
    ]
    listed = cleaned.done[1].listed
    assert listed is not None and dict(zip(listed["id"], listed["turns"], strict=True)) == {
        rows["id"][0]: 1,
        rows["id"][1]: 1,
    }
    assert "2 turns fewer" in describe(cleaned)


def test_the_steps_are_for_dialogues_alone() -> None:
    texts = with_ids(pd.DataFrame({"text": ["a", "b"], "label": ["x", "y"], "split": None}).astype("str"))
    for step in (
        MergeTurns(kind="merge_turns"),
        CutTrailingTurns(kind="cut_trailing_turns"),
        DropEmptyTurns(kind="drop_empty_turns"),
    ):
        with pytest.raises(DataError, match=f"{step.kind}, for dialogues, but the recipe is about texts"):
            clean_rows(texts, Clean(steps=(step,)))
