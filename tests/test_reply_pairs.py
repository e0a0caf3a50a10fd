"""Rows with a better and a worse reply: their forms, what is counted and dropped, and where they are placed."""

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pydantic import TypeAdapter, ValidationError

from configs.cleaning import Clean
from configs.columns import Columns
from configs.splitting import HashSplit
from tasks.data.cleaning.pipeline import clean_rows
from tasks.data.dialogues import replies
from tasks.data.dialogues.messages import load_messages
from tasks.data.dialogues.nearest_replies import most_similar, nearest_pairs
from tasks.data.errors import DataError
from tasks.data.rows import aim, with_ids
from tasks.data.sources.columns import take_columns
from tasks.data.splitting import split_rows

USER = {"role": "user", "content": "hi"}
GOOD, BAD = ({"role": "assistant", "content": text} for text in ("hello", "go away"))
EXPLICIT, IMPLICIT = (
    Columns(prompt="prompt", chosen="chosen", rejected="rejected"),
    Columns(chosen="chosen", rejected="rejected"),
)
CALL = {"role": "assistant", "content": "", "tool_calls": [{"function": {"name": "look", "arguments": {"at": "1"}}}]}


def read(columns: Columns, **row: Any) -> tuple[pd.DataFrame, list[str]]:
    notes: list[str] = []
    return take_columns(pd.DataFrame([row]), columns, "rows", notes=notes), notes


@pytest.mark.parametrize(
    ("columns", "row"),
    [
        (EXPLICIT, {"prompt": "hi", "chosen": "hello", "rejected": "go away"}),
        (EXPLICIT, {"prompt": [USER], "chosen": [GOOD], "rejected": [BAD]}),
        (EXPLICIT, {"prompt": [USER], "chosen": "hello", "rejected": [BAD]}),
        (EXPLICIT, {"prompt": "hi", "chosen": [USER, GOOD], "rejected": [USER, BAD]}),
        (IMPLICIT, {"chosen": [USER, GOOD], "rejected": [USER, BAD]}),
        (IMPLICIT, {"chosen": json.dumps([USER, GOOD]), "rejected": json.dumps([USER, BAD])}),
    ],
)
def test_every_form_gives_the_same_pair(columns: Columns, row: dict[str, Any]) -> None:
    rows, notes = read(columns, **row)
    assert load_messages(rows["messages"][0]) == [USER, GOOD] and not notes
    assert replies.read_rejected(rows["rejected"][0]) == BAD and aim(rows) == "rejected"


@pytest.mark.parametrize(
    ("columns", "row", "reason"),
    [
        (EXPLICIT, {"prompt": "hi", "chosen": "hello", "rejected": "hello"}, replies.EQUAL),
        (EXPLICIT, {"prompt": "hi", "chosen": "hello", "rejected": " \n"}, replies.EMPTY),
        (EXPLICIT, {"prompt": "hi", "chosen": "", "rejected": "hello"}, replies.EMPTY),
        (EXPLICIT, {"prompt": "ho", "chosen": [USER, GOOD], "rejected": [USER, BAD]}, replies.PROMPTS),
        (IMPLICIT, {"chosen": [USER, GOOD], "rejected": [{**USER, "content": "ho"}, BAD]}, replies.PROMPTS),
        (IMPLICIT, {"chosen": [USER, GOOD], "rejected": [USER, GOOD, USER, BAD]}, replies.PROMPTS),
        (IMPLICIT, {"chosen": [USER, GOOD], "rejected": [USER, GOOD, USER]}, replies.NO_REPLY),
        (IMPLICIT, {"chosen": [GOOD], "rejected": [BAD]}, replies.NO_PROMPT),
        (IMPLICIT, {"chosen": [USER, GOOD], "rejected": [USER, {**GOOD, "weight": 0}]}, replies.EQUAL),
    ],
)
def test_what_is_no_pair_is_counted_with_its_reason(columns: Columns, row: dict[str, Any], reason: str) -> None:
    rows, notes = read(columns, **row)
    assert notes == [f"rows: 1 rows have {reason} (row 1); `encode` drops them"]
    with pytest.raises(replies.BrokenPairError, match=reason):
        replies.read_rejected(rows["rejected"][0])


def test_a_missing_side_leaves_as_a_missing_value() -> None:
    table = pd.DataFrame({"prompt": ["hi"] * 3, "chosen": ["a", None, "a"], "rejected": ["b", "b", None]})
    rows = with_ids(take_columns(table, EXPLICIT, "rows").assign(split=None).astype({"split": "str"}))
    cleaned = clean_rows(rows, Clean())
    assert len(cleaned.rows) == 1 and list(cleaned.dropped["reason"]) == ["missing messages", "missing rejected"]


def test_a_call_without_words_is_a_reply() -> None:
    rows, notes = read(IMPLICIT, chosen=[USER, CALL], rejected=[USER, BAD])
    assert not notes and load_messages(rows["messages"][0])[-1]["tool_calls"]


def test_a_turn_that_cannot_be_read_is_an_error_that_names_the_row() -> None:
    with pytest.raises(DataError, match="rows: row 1: message 2: unknown role 'robot'"):
        read(IMPLICIT, chosen=[USER, GOOD], rejected=[USER, {"role": "robot", "content": "x"}])
    with pytest.raises(DataError, match="no column 'rejected'"):
        read(IMPLICIT, chosen=[USER, GOOD])


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"chosen": "a"}, "chosen and rejected go together"),
        ({"chosen": "a", "rejected": "a"}, "are both 'a'"),
        ({"chosen": "a", "rejected": "b", "messages": "m"}, "exclude each other"),
        ({"chosen": "a", "rejected": "b", "prompt": "p", "completion": "c"}, "exclude each other"),
        ({"chosen": "a", "rejected": "b", "label": "c"}, "exclude each other"),
        ({"chosen": "a", "rejected": "b", "text_pair": "c"}, "exclude each other"),
        ({"prompt": "p"}, "prompt and completion go together"),
    ],
)
def test_columns_that_do_not_go_together_are_refused(keys: dict[str, str], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        TypeAdapter(Columns).validate_python(keys)


def test_pairs_of_one_prompt_fall_into_one_part() -> None:
    table = pd.DataFrame(
        {
            "prompt": [f"question {number // 4}" for number in range(240)],
            "chosen": map(str, range(240)),
            "rejected": ["no"] * 240,
        }
    )
    rows = with_ids(take_columns(table, EXPLICIT, "rows"))
    parts = split_rows(rows, HashSplit())
    assert parts.nunique() == 3 and (parts.groupby(table["prompt"]).nunique() == 1).all()


def test_steps_that_change_one_side_alone_are_refused() -> None:
    with pytest.raises(ValueError, match=r"clean\.steps has merge_turns, but of a prompt with two replies"):
        TypeAdapter(Clean).validate_python({"steps": ["merge_turns"]}).require_fit("messages", "rejected")


def test_the_rejected_turn_stands_behind_the_most_similar_history_of_another_dialogue() -> None:
    said = [("a red car", "buy"), ("a blue car", "rent"), ("a red boat", "buy"), ("a red van", "wait")]
    dialogues = [
        json.dumps([{"role": "user", "content": asked}, {"role": "assistant", "content": reply}])
        for asked, reply in said
    ]
    pairs = nearest_pairs(pd.DataFrame({"messages": dialogues}, dtype="str"))
    worse = [replies.read_rejected(one)["content"] for one in pairs["rejected"]]
    assert worse == ["rent", "buy", "wait", "buy"]  # never a turn like the chosen one, though the red boat is near
    assert list(pairs["group"]) == ["0", "1", "2", "3"]


def test_what_has_no_other_is_left_out() -> None:
    assert most_similar(["a", "a"], [np.zeros(2, np.int64)]).tolist() == [-1, -1]
