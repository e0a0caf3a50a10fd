"""Every key of a message, and every column beside dialogues, is obeyed or refused by name, whatever the form."""

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from copy import deepcopy
from functools import reduce
from itertools import chain, product
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.feather as feather
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from configs.sources import Columns, FileSource
from tasks.data.checks.dialogue_checks import facts
from tasks.data.dialogues.messages import dump_messages, load_messages, read_messages
from tasks.data.dialogues.turn_keys import CHECKED, READ, SILENT, SILENT_PARTS, STRUCTURE, UNSUPPORTED
from tasks.data.errors import DataError
from tasks.data.sources.provenance import Intake
from tasks.data.sources.read import read_source

ASK, REPLY = {"role": "user", "content": "hi"}, {"role": "assistant", "content": "hello"}
TOOL = {
    "name": "hours",
    "description": "when",
    "parameters": {"type": "object", "properties": {"shop": {"type": "string"}}},
}
SCHEMA = {"type": "function", "function": TOOL}


@pytest.mark.parametrize("key", ["reasoning_content", "thinking", "reasoning"])
@pytest.mark.parametrize("form", [("role", "content", "assistant"), ("from", "value", "gpt")])
def test_thoughts_are_kept_whatever_they_are_called(key: str, form: tuple[str, str, str]) -> None:
    role, content, who = form
    messages = read_messages([ASK, {role: who, content: "hello", key: "I greet."}])
    assert messages[1] == {**REPLY, "reasoning_content": "I greet."}
    assert load_messages(dump_messages(messages)) == messages == read_messages(messages)


@pytest.mark.parametrize("value", [0, False, 0.0])
@pytest.mark.parametrize("key", ["weight", "train", "loss_mask"])
def test_a_turn_that_is_said_not_to_be_trained_has_weight_0(key: str, value: Any) -> None:
    assert read_messages([ASK, {**REPLY, key: value}])[1]["weight"] == 0
    assert read_messages([ASK, {**REPLY, key: not value}])[1]["weight"] == 1
    assert "weight" not in read_messages([{**ASK, key: value}, REPLY])[0]


@pytest.mark.parametrize(
    ("turn", "says"),
    [
        ({**REPLY, "train": False, "weight": 1}, "weight: 1, train: False contradict one another"),
        ({**REPLY, "mask": True}, "'mask' means trained in some data and not trained in others; write `loss_mask`"),
        ({**REPLY, "loss_mask": [0, 1]}, r"loss_mask \[0, 1\]; it is 1 for a turn to learn"),
        ({**ASK, "train": True}, "train: True on a turn of role user; only the assistant's turns are trained"),
        ({**ASK, "thinking": "hm"}, "thoughts on a turn of role user"),
        ({**REPLY, "thinking": "a", "reasoning_content": "b"}, "'reasoning_content' and 'thinking' say different"),
        ({**REPLY, "thinking": ["a"]}, r"its thoughts \(thinking\) are no text"),
        ({**REPLY, "channel": "final", "mood": 1}, r"keys 'channel', 'mood' are not read .* \[channel, mood\]"),
        ({**REPLY, "refusal": "No."}, "key 'refusal' is not read"),
        ({**REPLY, "value": "other"}, "'content' and 'value' say different things"),
        ({**ASK, "tool_calls": [{"name": "f", "arguments": {}}]}, "tool_calls on a turn of role user"),
    ],
)
def test_what_cannot_be_obeyed_is_refused_by_key_and_fix(turn: dict[str, Any], says: str) -> None:
    with pytest.raises(DataError, match=f"message 2: .*{says}"):
        read_messages([ASK, turn])


def test_empty_keys_are_no_keys_and_times_are_counted() -> None:
    left: Counter[str] = Counter()
    turn = {**REPLY, "refusal": None, "annotations": [], "audio": {}, "mask": None, "timestamp": "2024"}
    assert read_messages([ASK, turn], left=left) == [ASK, REPLY] and left == {"timestamp": 1}
    assert read_messages([ASK, {**REPLY, "mood": 1}], ignore=("mood",), left=left) == [ASK, REPLY]
    assert left["mood"] == 1


@given(st.text("abcdefghijklmnop_", min_size=1), st.sampled_from([1, "x", [1], {"a": 1}, True]))
def test_no_key_is_dropped_in_silence(key: str, value: Any) -> None:
    left: Counter[str] = Counter()
    with suppress(DataError):
        message = read_messages([ASK, {**REPLY, key: value}], left=left)[1]
        assert message != REPLY or left[key]


CALLED = {
    "role": "assistant",
    "content": None,
    "tool_calls": [{"id": "c9", "function": {"name": "f", "arguments": {}}}],
}
RESULT = {"role": "tool", "tool_call_id": "c9", "content": "9"}
FORMS: dict[str, list[dict[str, Any]]] = {
    "OpenAI": [{"role": "system", "content": "Short."}, ASK, CALLED, RESULT, REPLY],
    "one function": [
        ASK,
        {"role": "assistant", "content": None, "function_call": {"name": "f", "arguments": "{}"}},
        {"role": "function", "name": "f", "content": "9"},
        REPLY,
    ],
    "items": [
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "hi"}]},
        {"type": "function_call", "name": "f", "arguments": "{}", "call_id": "c9"},
        {"type": "function_call_output", "call_id": "c9", "output": "9"},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "hello"}]},
    ],
    "Anthropic": [
        {"role": "user", "content": [{"type": "text", "text": "hi"}]},
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "Hm."},
                {"type": "text", "text": "I look."},
                {"type": "tool_use", "id": "c9", "name": "f", "input": {"a": 1}},
            ],
        },
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "c9", "content": "9"}]},
        REPLY,
    ],
    "Gemini": [
        {"role": "user", "parts": [{"text": "hi"}]},
        {"role": "model", "parts": [{"functionCall": {"name": "f", "args": {"a": 1}}}]},
        {"role": "function", "parts": [{"functionResponse": {"name": "f", "response": {"r": 9}}}]},
        {"role": "model", "parts": [{"text": "Hm.", "thought": True}, {"text": "hello"}]},
    ],
    "ShareGPT": [
        {"from": "human", "value": "hi"},
        {"from": "function_call", "value": '{"name": "f", "arguments": {}}'},
        {"from": "observation", "value": "9"},
        {"from": "gpt", "value": "hello"},
    ],
}
KEYS = {
    *CHECKED,
    *chain(*READ.values()),
    *STRUCTURE,
    *SILENT,
    *SILENT_PARTS,
    *UNSUPPORTED,
    "citations",
    "refusal",
    "mood",
}
DATA = ("arguments", "input", "args", "response")
"""What a tool is given or gave, in keys of its own."""


def objects(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path to each object of a dialogue: turns, blocks, calls and their functions."""
    if isinstance(value, dict):
        yield path
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in pairs:
        if key not in DATA:
            yield from objects(inner, (*path, key))


@pytest.mark.parametrize("form", FORMS)
def test_no_key_of_a_turn_a_block_or_a_call_is_dropped_in_silence(form: str) -> None:
    read, tried = read_messages(FORMS[form]), 0
    for path in objects(FORMS[form]):
        for key, value in product(sorted(KEYS), ("x", 1, ["x"], {"x": 1})):
            changed = deepcopy(FORMS[form])
            place = reduce(lambda held, step: held[step], path, changed)
            if key in place:
                continue
            tried, left = tried + 1, Counter[str]()
            place[key] = value
            with suppress(DataError):
                assert read_messages(changed, left=left) != read or left[key] == 1, (path, key, value)
    assert tried > 500


def test_every_form_reads_as_the_same_dialogue() -> None:
    roles = {form: [turn["role"] for turn in read_messages(turns)][-4:] for form, turns in FORMS.items()}
    assert set(map(tuple, roles.values())) == {("user", "assistant", "tool", "assistant")}
    for turns in FORMS.values():
        called, result, reply = read_messages(turns)[-3:]
        assert called["tool_calls"][0]["function"]["name"] == result["name"] == "f" and reply["content"] == "hello"
    assert read_messages(FORMS["Gemini"])[-1]["reasoning_content"] == "Hm."
    assert read_messages(FORMS["Gemini"])[-2]["content"] == '{"r": 9}'
    assert read_messages(FORMS["items"])[1]["tool_calls"][0]["id"] == read_messages(FORMS["items"])[2]["tool_call_id"]


@pytest.mark.parametrize(
    ("turn", "says"),
    [
        ({**REPLY, "content": [{"type": "text", "text": "a", "train": False}]}, "'train' is not read of a text block"),
        ({**CALLED, "function_call": {"name": "g"}}, "calls both in tool_calls and in function_call; keep one"),
        ({**REPLY, "records": [1]}, "'records' is not read on a turn of role assistant; take it out, or move it"),
        ({**REPLY, "from": "human"}, "'role' and 'from' say different things"),
        ({**REPLY, "type": "draft"}, "a turn of type 'draft' is not read"),
        ({"type": "reasoning", "summary": []}, "an item of type 'reasoning' without a role is not read"),
        ({**CALLED, "tool_calls": [{"name": "f", "args": 3}]}, "the arguments of f are a number"),
        (
            {**CALLED, "tool_calls": [{"type": "custom", "custom": {"name": "f"}}]},
            "a call of type 'custom' is not read",
        ),
        ({**CALLED, "tool_calls": [{"name": "f", "result": "9"}]}, "'result' is not read of f and may change"),
        ({"role": "tool", "content": [{"type": "image_url", "image_url": {}}]}, "type 'image_url', which is no text"),
    ],
)
def test_parts_of_a_turn_that_cannot_be_obeyed_are_refused(turn: dict[str, Any], says: str) -> None:
    with pytest.raises(DataError, match=f"message 2: .*{says}"):
        read_messages([ASK, turn])


@pytest.mark.parametrize("call", [{"name": "f", "args": {"a": 1}}, {"name": "f", "parameters": '{"a": 1}'}])
def test_arguments_are_read_whatever_they_are_called(call: dict[str, Any]) -> None:
    for calls in ([call], json.dumps([call])):
        messages = read_messages([ASK, {"role": "assistant", "content": "", "tool_calls": calls}])
        assert messages[1]["tool_calls"] == [{"type": "function", "function": {"name": "f", "arguments": {"a": 1}}}]
    for nothing in (None, "", {}, "{}"):
        older = {"role": "assistant", "content": None, "tool_calls": [], "function_call": {"name": "f"}}
        older["function_call"] |= {"arguments": nothing}  # type: ignore[operator]
        assert read_messages([ASK, older])[1]["tool_calls"][0]["function"] == {"name": "f", "arguments": {}}


def test_keys_for_servers_are_left_out_of_blocks_and_counted_but_not_of_results() -> None:
    left: Counter[str] = Counter()
    turn = {"role": "assistant", "content": [{"type": "text", "text": "hello", "cache_control": {"type": "short"}}]}
    result = {**RESULT, "content": [{"index": 1, "mood": "good"}]}
    messages = read_messages([ASK, CALLED, result, turn], ignore=("mood",), left=left)
    assert messages[3] == REPLY and json.loads(messages[2]["content"]) == [{"index": 1, "mood": "good"}]
    assert left == {"cache_control": 1}
    block = {"type": "text", "text": "hello", "mood": "good"}
    assert read_messages([ASK, {**REPLY, "content": [block]}], ignore=("mood",), left=left)[1] == REPLY
    assert left["mood"] == 1


def test_names_and_the_ids_of_calls_are_kept() -> None:
    call = {"id": "c9", "function": {"name": "hours", "arguments": ""}}
    messages = read_messages(
        [
            {**ASK, "name": "Ann"},
            {"role": "assistant", "content": None, "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "c9", "content": "9"},
        ]
    )
    assert messages[0]["name"] == "Ann" and messages[1]["tool_calls"][0]["id"] == "c9"
    assert messages[1]["tool_calls"][0]["function"]["arguments"] == {}
    assert messages[2] == {"role": "tool", "tool_call_id": "c9", "content": "9", "name": "hours"}


# What stands beside the messages ----------------------------------------------------------------------------------

ANTHROPICS = {"name": "hours", "description": "when", "input_schema": TOOL["parameters"]}


@pytest.mark.parametrize("tools", [[SCHEMA], [TOOL], json.dumps([SCHEMA]), {**TOOL, "type": "function"}, [ANTHROPICS]])
def test_tools_stand_in_the_first_message(tools: Any) -> None:
    bare = read_messages([ASK, REPLY], tools=tools)
    assert bare == [{"role": "system", "content": None, "tools": [SCHEMA]}, ASK, REPLY]
    with_text = read_messages({"conversations": [ASK, REPLY], "tools": tools, "system_prompt": "Short."})
    assert with_text[0] == {"role": "system", "content": "Short.", "tools": [SCHEMA]}
    for messages in (bare, with_text):
        assert load_messages(dump_messages(messages)) == messages == read_messages(messages)


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (
            {"messages": [{"role": "system", "content": "A"}, ASK, REPLY], "system": "B"},
            "a system text next to",
        ),
        ({"messages": [ASK, REPLY], "system": "A", "system_prompt": "B"}, "system and system_prompt next to"),
        ({"messages": [ASK, REPLY], "tools": "hours"}, "tools is no JSON"),
        ({"messages": [ASK, REPLY], "tools": [{"description": "x"}]}, "tool 1 has no name"),
        ({"messages": [ASK, REPLY], "tools": 3}, "tools is a number"),
        ({"messages": [ASK, REPLY], "conversations": [ASK]}, "the dialogue holds messages and conversations; keep one"),
        (
            {"messages": [ASK, REPLY], "reasoning": "Hm."},
            "'reasoning' next to the messages is not read .* the assistant",
        ),
        ({"messages": [ASK, REPLY], "available_tools": [TOOL]}, "'available_tools' next .* call it `tools`"),
        ({"messages": [ASK, REPLY], "weight": 0}, "'weight' next to the messages is not read"),
        (
            {"messages": [ASK, REPLY], "system": ["A"]},
            "the system text next to the messages: its content is a list of plain texts",
        ),
    ],
)
def test_what_beside_the_messages_cannot_be_obeyed_is_refused(value: Any, says: str) -> None:
    with pytest.raises(DataError, match=says):
        read_messages(value)


@pytest.mark.parametrize(
    ("column", "named"),
    [("system_message", {"system": "system_message"}), ("available_tools", {"tools": "available_tools"})],
)
def test_a_column_that_the_recipe_names_is_read_whatever_it_is_called(
    column: str, named: dict[str, str], tmp_path: Path
) -> None:
    value = [SCHEMA] if "tools" in named else "Short."
    path = tmp_path / "talks.jsonl"
    path.write_text(json.dumps({"talk": [ASK, REPLY], column: value, "mood": "good"}) + "\n", encoding="utf-8")

    def read(**columns: Any) -> Any:
        source = FileSource(kind="file", path=str(path), columns=Columns(messages="talk", **columns))
        return read_source(source, intake)

    intake = Intake(tmp_path / "scratch")
    rows = read(**named)
    assert intake.notes == ["columns next to dialogues that are not read: mood"]
    first = load_messages(rows["messages"][0])[0]
    assert first.get("tools") == [SCHEMA] or first["content"] == "Short."
    with pytest.raises(DataError, match=f"row 1: '{column}' next to the messages .* or name it in download.columns"):
        read()


TABLE = {"talk": [[ASK, REPLY], [ASK, REPLY]], "tools": [[SCHEMA], None], "system": ["Short.", None]}
WANTED = [[{"role": "system", "content": "Short.", "tools": [SCHEMA]}, ASK, REPLY], [ASK, REPLY]]


def saved(form: str, table: dict[str, list[Any]], folder: Path) -> str:
    """The table as a file of this form; of CSV, lists are JSON text."""
    path = folder / f"talks.{form}"
    texts = {name: [json.dumps(v) if isinstance(v, list) else v for v in values] for name, values in table.items()}
    match form:
        case "csv":
            pd.DataFrame(texts).to_csv(path, index=False)
        case "jsonl":
            rows = [dict(zip(table, row, strict=True)) for row in zip(*table.values(), strict=True)]
            path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        case "parquet":
            pq.write_table(pa.table(table), path)
        case _:
            feather.write_feather(pa.table(table), path)
    return path.name


def rows_of(form: str, table: dict[str, list[Any]], home: Path, **columns: Any) -> tuple[list[Any], list[str]]:
    name, intake = saved(form, table, home.parent / "data"), Intake(home)
    source = FileSource(kind="file", path=name, columns=Columns(**columns))
    return [load_messages(text) for text in read_source(source, intake)["messages"]], intake.notes


@pytest.mark.parametrize("form", ["csv", "jsonl", "parquet", "arrow"])
def test_columns_tools_and_system_belong_to_the_dialogue_in_every_format(form: str, home: Path) -> None:
    assert rows_of(form, TABLE, home, messages="talk")[0] == WANTED
    other = {"talk": TABLE["talk"], "schemas": TABLE["tools"], "manner": TABLE["system"]}
    assert rows_of(form, other, home, messages="talk", tools="schemas", system="manner")[0] == WANTED
    rows, notes = rows_of(form, TABLE, home, messages="talk", ignore=("tools", "system"))
    assert rows == [[ASK, REPLY]] * 2 and notes == ["left out of dialogues: tools (2 times), system (2 times)"]


def test_a_column_that_changes_what_is_trained_is_refused_by_row(home: Path) -> None:
    odd = {"talk": [[ASK, REPLY]] * 2, "loss_mask": [None, [0, 1]]}
    with pytest.raises(DataError, match=r"row 2: 'loss_mask' next to the messages .*ignore: \[loss_mask\]"):
        rows_of("jsonl", odd, home, messages="talk")
    assert rows_of("jsonl", odd, home, messages="talk", ignore=("loss_mask",))[0] == [[ASK, REPLY]] * 2


@pytest.mark.parametrize("form", ["csv", "jsonl", "parquet"])
def test_prompts_and_completions_are_dialogues_of_two_turns(form: str, home: Path) -> None:
    table = {"instruction": ["Add.", "Greet."], "input": ["1 and 2", None], "output": ["3", "hello"]}
    rows, _ = rows_of(form, table, home, prompt=("instruction", "input"), completion="output")
    assert [row[0]["content"] for row in rows] == ["Add.\n\n1 and 2", "Greet."]
    assert [row[1] for row in rows] == [{"role": "assistant", "content": "3"}, REPLY]


def test_prompts_may_be_lists_of_messages(home: Path) -> None:
    for form in ("jsonl", "parquet"):
        rows, _ = rows_of(form, {"p": [[ASK]], "c": [[REPLY]]}, home, prompt="p", completion="c")
        assert rows == [[ASK, REPLY]]


def test_prompts_and_replies_may_be_one_message_or_messages_as_json_text(home: Path) -> None:
    asked, reply = {"from": "human", "value": "hi"}, {"from": "gpt", "value": "hello"}
    for form in ("jsonl", "parquet"):
        rows, _ = rows_of(form, {"p": [[asked]], "c": [reply]}, home, prompt="p", completion="c")
        assert rows == [[ASK, REPLY]]
    for p, c in (([ASK], [REPLY]), ([asked], [{"content": "hello", "role": "assistant"}]), ("hi", [ASK, REPLY])):
        rows, _ = rows_of("csv", {"p": [p], "c": [c]}, home, prompt="p", completion="c")
        assert rows == [[ASK, REPLY]]
    for spelt in ('Is {"role": 1} JSON?', '{"role": "user", "age": 3}', '[{"role": "cook"}]', "[]"):
        rows, _ = rows_of("csv", {"p": [spelt], "c": [spelt]}, home, prompt="p", completion="c")
        assert [turn["content"] for turn in rows[0]] == [spelt, spelt]


@pytest.mark.parametrize(("prompt", "reply"), [([ASK], 3), (3, "hello"), ("hi", True), ([ASK], str([REPLY]))])
def test_a_prompt_or_reply_that_is_no_text_and_no_message_is_refused_by_row(
    prompt: Any, reply: Any, home: Path
) -> None:
    says = r"row 1: the (prompt|reply) is (a number|true or false|written as Python prints it).*; write"
    with pytest.raises(DataError, match=says):
        rows_of("jsonl", {"p": [prompt], "c": [reply]}, home, prompt="p", completion="c")


@pytest.mark.parametrize(
    ("name", "fix"),
    [
        ("history", "write its turns before the others"),
        ("system_message", "call it `system`"),
        ("chat_template_kwargs", r"set encode\.template_options"),
        ("assistant_masks", "write a `weight` of 0"),
        ("images", "drop such rows"),
    ],
)
def test_what_stands_beside_dialogues_is_refused_with_a_fix_of_its_own(name: str, fix: str, home: Path) -> None:
    table = {"chosen": [[ASK, REPLY]], "rejected": [[ASK, {**REPLY, "content": "no"}]], name: ["a"]}
    for columns in ({"messages": "chosen"}, {"chosen": "chosen", "rejected": "rejected"}):
        with pytest.raises(DataError, match=rf"row 1: '{name}' next to the messages .*; {fix}.*ignore: \[{name}\]"):
            rows_of("jsonl", table, home, **columns)


@pytest.mark.parametrize("key", ["train", "loss_mask", "weight", "mask", "thinking", "name", "mood"])
def test_keys_of_the_replies_of_a_pair_are_read_as_those_of_dialogues(key: str, home: Path) -> None:
    value = 0 if key in ("train", "loss_mask", "weight") else "odd"
    for side in ("chosen", "rejected"):
        pair = {"p": ["hi"], "chosen": [[REPLY]], "rejected": [[{**REPLY, "content": "no"}]]}
        pair[side] = [[{**pair[side][0][0], key: value}]]
        kept, refused = None, ""
        try:
            kept, _ = rows_of("jsonl", pair, home, prompt="p", chosen="chosen", rejected="rejected")
        except DataError as error:
            refused = str(error)
        assert (key in refused) == (key in ("mask", "mood"))
        if side == "chosen" and kept:
            read = {"train": "weight", "loss_mask": "weight", "thinking": "reasoning_content"}.get(key, key)
            assert kept[0][-1][read] == value


@pytest.mark.parametrize(
    ("odd", "what"), [(5, "a number"), (2.5, "a number"), (True, "true or false"), ({"a": 1}, "an object")]
)
def test_a_prompt_or_a_reply_that_is_neither_text_nor_list_is_named(home: Path, odd: Any, what: str) -> None:
    turns = {"p": [[ASK], [ASK]], "c": [[REPLY], [REPLY]], "r": ["no", "no"]}
    for column, name in (("p", "prompt"), ("c", "reply")):
        with pytest.raises(DataError, match=f"row 2: the {name} is {what}; write a text or a list of messages"):
            rows_of("jsonl", {**turns, column: [turns[column][0], odd]}, home, prompt="p", completion="c")
    with pytest.raises(DataError, match=f"row 2: the reply is {what}"):
        rows_of("jsonl", {**turns, "r": ["no", odd]}, home, prompt="p", chosen="c", rejected="r")


@pytest.mark.parametrize(
    "given", [{"prompt": "p"}, {"messages": "m", "prompt": "p", "completion": "c"}, {"label": None, "ignore": ("x",)}]
)
def test_columns_that_do_not_go_together_are_refused(given: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"go together|exclude each other|not read without messages"):
        Columns(**given)


# Blocks ----------------------------------------------------------------------------------------------------


def test_the_blocks_of_anthropic_become_messages() -> None:
    blocks = [
        {"role": "user", "content": [{"type": "text", "text": "When?", "cache_control": {"type": "ephemeral"}}]},
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "I ask.", "signature": "s"},
                {"type": "text", "text": "A moment."},
                {"type": "tool_use", "id": "t1", "name": "hours", "input": {"shop": "tea"}},
            ],
        },
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "t1", "content": [{"type": "text", "text": "9"}]},
                {"type": "text", "text": "Well?"},
            ],
        },
        {"role": "assistant", "content": [{"type": "output_text", "text": "At nine."}]},
    ]
    call = {"id": "t1", "type": "function", "function": {"name": "hours", "arguments": {"shop": "tea"}}}
    assert read_messages(blocks) == [
        {"role": "user", "content": "When?"},
        {"role": "assistant", "content": "A moment.", "reasoning_content": "I ask.", "tool_calls": [call]},
        {"role": "tool", "content": "9", "tool_call_id": "t1", "name": "hours"},
        {"role": "user", "content": "Well?"},
        {"role": "assistant", "content": "At nine."},
    ]


@pytest.mark.parametrize(
    ("role", "blocks", "says"),
    [
        ("user", [{"type": "image", "source": {}}], "a block of type 'image', which cannot be trained on"),
        ("user", [{"type": "tool_use", "name": "f", "input": {}}], "a tool_use block in a turn of role user"),
        (
            "assistant",
            [{"type": "tool_use", "name": "f", "input": {}}, {"type": "text", "text": "x"}],
            "a text block behind a tool_use block",
        ),
        ("user", [{"type": "text"}], "a text block without a text"),
        ("user", [{"type": "tool_result", "is_error": True, "content": "x"}], "is_error of a tool_result"),
        ("user", ["hi"], "a list of plain texts"),
        ("user", [], "its content is empty"),
    ],
)
def test_blocks_that_cannot_be_trained_on_are_named(role: str, blocks: list[Any], says: str) -> None:
    with pytest.raises(DataError, match=f"message 1: .*{says}"):
        read_messages([{"role": role, "content": blocks}])


def test_messages_as_python_prints_them_are_named_as_such() -> None:
    with pytest.raises(DataError, match=r"as Python prints it, with single quotes.*write it with json\.dumps"):
        read_messages(repr([ASK, REPLY]))


def test_messages_are_numbered_as_the_data_has_them() -> None:
    orphan = {"role": "tool", "content": "9"}
    for beside in ({}, {"tools": [TOOL]}):
        read = read_messages({"messages": [ASK, orphan, REPLY, {**REPLY, "content": " "}], **beside})
        found = facts([read], None).iloc[0]
        assert found["results_without_call"] == "message 2 is the result of no call before it; leave it out"
        assert found["empty_turns"].startswith("message 4 (assistant) without a text")
        assert "messages 3 and 4 are both the assistant's" in found["roles"]
