"""Dialogues of every form, the hotel table, CrossWOZ's runs, the embedded demo, and planted faults the checks find."""

import json
import re
import zipfile
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.data.checks import great_expectations as suites
from tasks.data.checks.dialogue_checks import COLUMNS, dialogue_expectations, facts
from tasks.data.dialogues.hotels import LIMIT, SLOTS, Hotels, demo_hotels, read_hotels, tool_schema
from tasks.data.dialogues.messages import Message, dump_messages, is_call, load_messages, read_messages, transcript
from tasks.data.dialogues.ranges import read_range
from tasks.data.errors import DataError
from tasks.data.files import DEMO
from tasks.data.sources.crosswoz import Converted, convert, has_hotel_act, read_crosswoz

HOTEL = "酒店"


def called(tool: str = "search_hotels", /, **arguments: Any) -> Message:
    function = {"name": tool, "arguments": arguments}
    return {"role": "assistant", "content": "", "tool_calls": [{"type": "function", "function": function}]}


def said(role: str, content: str = "text", **more: Any) -> Message:
    return {"role": role, "content": content, **more}


TOOLS = {"search_hotels": SLOTS}
GOOD = [
    said("system"),
    said("user"),
    called(price="100-200"),
    said("tool", "[]", name="search_hotels"),
    said("assistant"),
    said("user"),
    said("assistant"),
]


def demo() -> list[Any]:
    return [json.loads(line) for line in (DEMO / "hotel_dialogues.jsonl").read_text().splitlines()]


def alarms(dialogues: list[list[Message]], **options: Any) -> dict[str, list[int]]:
    """The columns whose expectation does not hold -> the dialogues that break it."""
    asked = dialogue_expectations()
    results = suites.judge(facts(dialogues, TOOLS, **options), asked)
    assert not any(map(suites.failure, results))
    pairs = zip(asked, results, strict=True)
    return {one.column: result.result["unexpected_index_list"] for one, result in pairs if not result.success}


# Forms ---------------------------------------------------------------------------------------------------------------


def test_openai_form_with_parallel_calls_and_results_out_of_order() -> None:
    calls = [
        {"id": name, "type": "function", "function": {"name": f"f{name}", "arguments": '{"x": 1}'}} for name in "ab"
    ]
    value = [
        {"role": "developer", "content": "Be kind."},
        {"role": "user", "content": [{"type": "text", "text": "Hello "}, {"type": "text", "text": "there"}]},
        {"role": "assistant", "content": None, "tool_calls": calls, "refusal": None},
        {"role": "tool", "tool_call_id": "b", "content": "second"},
        {"role": "tool", "tool_call_id": "a", "content": "first"},
        {"role": "assistant", "content": "Done", "weight": 0},
    ]
    messages = read_messages(json.dumps({"messages": value}))
    assert messages == [
        said("system", "Be kind."),
        said("user", "Hello there"),
        {
            "role": "assistant",
            "content": "",
            "tool_calls": [
                {"id": "a", "type": "function", "function": {"name": "fa", "arguments": {"x": 1}}},
                {"id": "b", "type": "function", "function": {"name": "fb", "arguments": {"x": 1}}},
            ],
        },
        said("tool", "first", name="fa", tool_call_id="a"),
        said("tool", "second", name="fb", tool_call_id="b"),
        said("assistant", "Done", weight=0),
    ]
    assert [is_call(message) for message in messages] == [False, False, True, False, False, False]
    assert transcript(messages) == 'Be kind.\nHello there\nfa {"x": 1}\nfb {"x": 1}\nfirst\nsecond\nDone'
    assert transcript(messages, results=False) == 'Be kind.\nHello there\nfa {"x": 1}\nfb {"x": 1}\nDone'


def test_the_older_openai_form() -> None:
    value = [
        said("user"),
        {"role": "assistant", "content": None, "function_call": {"name": "f", "arguments": "{}"}},
        said("function", "7", name="f"),
    ]
    assert read_messages(value) == [said("user"), called("f"), said("tool", "7", name="f")]


def test_sharegpt_form() -> None:
    turns = [
        ("human", "Hi"),
        ("function_call", '{"name": "f", "arguments": {"a": "é"}}'),
        ("observation", "{}"),
        ("gpt", "Yes"),
        ("user", "And?"),
        ("assistant", "No"),
    ]
    value = {"system": "Short.", "conversations": [{"from": who, "value": what} for who, what in turns]}
    wanted = [
        said("system", "Short."),
        said("user", "Hi"),
        called("f", a="é"),
        said("tool", "{}", name="f"),
        said("assistant", "Yes"),
        said("user", "And?"),
        said("assistant", "No"),
    ]
    assert read_messages(value) == wanted
    assert read_messages(value["conversations"]) == wanted[1:]
    parallel = [{"from": "function_call", "value": '[{"name": "f", "arguments": {}}, {"name": "g", "arguments": {}}]'}]
    assert [call["function"]["name"] for call in read_messages(parallel)[0]["tool_calls"]] == ["f", "g"]


def test_the_hotel_form() -> None:
    value = [
        {"role": "user", "content": "cheap"},
        {"role": "search", "arguments": {"price": "up to 50"}},
        {"role": "return", "records": [{"name": "A"}]},
        {"role": "assistant", "content": "A"},
    ]
    result = said("tool", '[{"name": "A"}]', name="search_hotels")
    assert read_messages(value) == [said("user", "cheap"), called(price="up to 50"), result, said("assistant", "A")]


def test_a_parquet_file_gives_the_same_messages(tmp_path: Path) -> None:
    rows = [[said("user"), called(price="1-2")], [called(name="x"), said("user", "more", name="n")]]
    pd.DataFrame({"messages": rows}).to_parquet(tmp_path / "rows.parquet")
    read = pd.read_parquet(tmp_path / "rows.parquet")["messages"]
    assert read_messages(read[0]) == rows[0], "other rows' arguments arrive as nulls"


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("[{", "the dialogue is no JSON"),
        ([], "no messages; leave such rows out"),
        (3, "the dialogue is a number"),
        ({"turns": []}, "holds turns; it must be a list, or hold `messages`"),
        (["hi"], "message 1 is a text; it must be an object"),
        ([{"role": "Chorus", "content": "x"}], "message 1: unknown role 'Chorus'; roles are system"),
        ([{"from": "bing", "value": "x"}], "message 1: unknown role 'bing'"),
        ([{"content": "x"}], "message 1: unknown role None"),
        ([said("user"), {"role": "assistant"}], r"message 2 \(assistant\): no content; give it a text"),
        ([{"role": "assistant", "content": None, "tool_calls": []}], r"message 1 \(assistant\): no content"),
        ([{"role": "return"}], r"message 1 \(return\): no content"),
        ([{"role": "user", "content": [{"type": "image_url"}]}], "message 1: .* a block of type 'image_url', which"),
        ([{"role": "search"}], "message 1: the arguments of search_hotels are null; write an object"),
        ([{"role": "search", "arguments": ["x"]}], "the arguments of search_hotels are a list"),
        ([{"role": "search", "arguments": "{price"}], "the arguments of search_hotels is no JSON"),
        ([{"role": "assistant", "tool_calls": [{"function": {"arguments": {}}}]}], "message 1: a call without a name"),
        ([{"role": "assistant", "tool_calls": ["f"]}], "message 1: a call is a text"),
        ([{"role": "assistant", "tool_calls": {"f": 1}}], "message 1: tool_calls is an object"),
        ([{"from": "function_call", "value": "[]"}], "message 1: a function_call without a call"),
        ([said("assistant", weight=2)], "message 1: weight 2; it is 1 for a turn to learn"),
        ([said("user", "\ud83d")], "message 1: '.ud83d' is half a character"),
        ([{"role": "search", "arguments": {"price": float("nan")}}], "message 1: .*; write such numbers as text"),
    ],
)
def test_what_is_no_dialogue_is_told_with_its_place(value: Any, told: str) -> None:
    with pytest.raises(DataError, match=told):
        read_messages(value)


def test_a_result_of_a_call_that_is_not_there() -> None:
    call = {"id": "a", "function": {"name": "f", "arguments": {}}}
    with pytest.raises(DataError, match="message 2: tool_call_id 'b' is of no call before it, which has a"):
        read_messages([{"role": "assistant", "tool_calls": [call]}, said("tool", tool_call_id="b")])


TEXT = st.text(st.characters(exclude_categories=["Cs"]))
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT
ARGUMENTS = st.dictionaries(TEXT, st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3), max_leaves=5))
TURNS = st.one_of(
    st.builds(said, st.sampled_from(["system", "user", "assistant"]), TEXT),
    st.builds(lambda arguments: called("f", **arguments), ARGUMENTS),
    st.builds(lambda text, weight: said("assistant", text, weight=weight), TEXT, st.sampled_from([0, 1])),
)


@given(st.lists(TURNS, min_size=1, max_size=5))
def test_what_is_written_is_read_again(messages: list[Message]) -> None:
    assert read_messages(messages) == messages
    assert load_messages(dump_messages(messages)) == read_messages(dump_messages(messages)) == messages


def test_keys_are_written_in_one_order() -> None:
    shuffled = [dict(reversed(said("assistant", "ü", weight=1).items()))]
    assert dump_messages(shuffled) == '[{"role": "assistant", "content": "ü", "weight": 1}]'
    with pytest.raises(DataError, match="no list of messages"):
        load_messages("{}")


# The hotel table -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "low", "high"),
    [
        ("400-500元", 400, 500),
        ("100-200", 100, 200),
        ("between 80 and 120.5", 80, 120.5),
        ("$90 to $130", 90, 130),
        ("1000元以上", 1000, float("inf")),
        ("4.5 and above", 4.5, float("inf")),
        ("at least 4", 4, float("inf")),
        ("450元以下", float("-inf"), 450),
        ("Up to 70 euros", float("-inf"), 70),
    ],
)
def test_ranges(value: str, low: float, high: float) -> None:
    assert read_range(value, "price") == (low, high)


@pytest.mark.parametrize("value", ["cheap", "", "-", "100-", "1-2-3", ["100-200"], None, "500", "1.2.3以上"])
def test_what_is_no_price(value: Any) -> None:
    with pytest.raises(DataError, match=r"price .* cannot be read; write it as 100-200"):
        read_range(value, "price")


def test_a_range_that_ends_below_its_beginning() -> None:
    with pytest.raises(DataError, match="price '500-400元' ends below its beginning; write 400-500"):
        read_range("500-400元", "price")


def found(hotels: Hotels, **arguments: Any) -> list[str]:
    return [record["name"] for record in hotels.search(arguments, limit=99)]


def test_every_slot_narrows_the_search() -> None:
    hotels = demo_hotels()
    assert len(hotels) == len(found(hotels)) == 24
    assert found(hotels, name="quiet") == ["The Quiet Page"]
    assert found(hotels, type="budget", rating="4.5 and above") == ["Little Heron House"]
    assert found(hotels, rating=4.8) == ["The Grand Averley", "The Quiet Page", "Villa Serafine"], "then the cheaper"
    assert found(hotels, facilities=["pets allowed", "PARKING"], price="under 100") == ["Orchard Hill Hotel"]
    assert "Kingfisher Hotel" not in found(hotels, price="1-9999"), "a price that is unknown fits none"
    assert found(hotels, name="", facilities=[], type=None) == found(hotels)
    assert len(hotels.search({})) == LIMIT
    assert hotels.search({"name": "Kingfisher"})[0]["price"] is None


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"colour": "red"}, "search_hotels knows no 'colour'; it takes name, type, price, rating, facilities"),
        ({"price": "cheap"}, "price 'cheap' cannot be read"),
        ({"rating": "good"}, "rating 'good' cannot be read; write it as 4.5 and above"),
        ({"facilities": "wifi"}, r"facilities 'wifi' must be a list of texts; write it as \[\"wifi\"\]"),
        ({"facilities": [1]}, "must be a list of texts"),
        ({"name": 5}, "name 5 must be a text, not a number"),
    ],
)
def test_a_search_that_cannot_be_read(arguments: dict[str, Any], told: str) -> None:
    with pytest.raises(DataError, match=told):
        demo_hotels().search(arguments)


def test_the_schema_names_every_slot() -> None:
    function = tool_schema()["function"]
    assert tuple(function["parameters"]["properties"]) == SLOTS and function["name"] == "search_hotels"
    assert json.loads(json.dumps(tool_schema())) == tool_schema()


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"price": "62"}, r"hotel 2: price is a text \('62'\); fix it in the table"),
        ({"rating": None}, "hotel 2: rating is null"),
        ({"stars": 5}, "hotel 2: 'stars' is missing or unknown"),
        ({"facilities": "wifi"}, "hotel 2: facilities must be a list of texts"),
        ({"hotel_id": 1}, "1 hotels have an id that another has"),
    ],
)
def test_a_damaged_hotel_is_named(change: dict[str, Any], told: str, tmp_path: Path) -> None:
    lines = (DEMO / "hotels.jsonl").read_text().splitlines()[:2]
    (tmp_path / "hotels.jsonl").write_text(f"{lines[0]}\n{json.dumps(json.loads(lines[1]) | change)}\n")
    with pytest.raises(DataError, match=told):
        read_hotels(tmp_path / "hotels.jsonl")


# The embedded demo ---------------------------------------------------------------------------------------------------


def test_every_return_of_the_demo_is_what_the_search_gives() -> None:
    hotels = demo_hotels()
    searches = 0
    for dialogue in demo():
        turns = dialogue["messages"]
        for before, turn in pairwise(turns):
            assert (before["role"] == "search") == (turn["role"] == "return")
            if turn["role"] == "return":
                searches += 1
                assert turn["records"] == hotels.search(before["arguments"]), dialogue["dialogue"]
    assert (len(demo()), searches) == (40, 57)


def test_the_demos_replies_name_only_hotels_that_were_returned() -> None:
    names = [record["name"] for record in demo_hotels().search({}, limit=99)]
    for dialogue in demo():
        seen = ""
        for turn in dialogue["messages"]:
            seen += json.dumps(turn.get("records", ""))
            told = turn.get("content", "") if turn["role"] == "assistant" else ""
            assert all(name in seen for name in names if name in told), (dialogue["dialogue"], told)


def test_the_demo_is_varied_and_raises_no_alarm() -> None:
    dialogues = [read_messages(line) for line in demo()]
    used = Counter(slot for line in demo() for turn in line["messages"] for slot in turn.get("arguments", ()))
    assert set(used) == set(SLOTS) and min(used.values()) >= 5
    assert sum(turn.get("records") == [] for line in demo() for turn in line["messages"]) >= 5
    assert alarms(dialogues) == {}


# The checks ----------------------------------------------------------------------------------------------------------


def without(*places: int) -> list[Message]:
    return [message for place, message in enumerate(GOOD) if place not in places]


def replaced(place: int, message: Message) -> list[Message]:
    return [*GOOD[:place], message, *GOOD[place + 1 :]]


FAULTS: list[tuple[str, list[Message]]] = [
    ("roles", without(4)),  # two of the user's turns in a row
    ("roles", without(5)),  # two replies in a row
    ("roles", [*GOOD[1:], *GOOD]),  # a system turn in the middle
    ("roles", GOOD[2:]),  # nobody asked
    ("empty_turns", replaced(1, said("user", " \n"))),
    ("empty_turns", replaced(6, said("assistant", ""))),
    ("empty_turns", replaced(3, said("tool", ""))),
    ("calls_without_result", without(3)),
    ("calls_without_result", replaced(2, called(price="1-2") | {"tool_calls": 2 * called(price="1-2")["tool_calls"]})),
    ("results_without_call", without(2)),
    ("results_without_call", [*GOOD[:4], *GOOD[3:]]),
    ("unknown_arguments", replaced(2, called(price="1-2", colour="red"))),
    ("unknown_arguments", replaced(2, called("book_hotel", name="x"))),
    ("last_turn", GOOD[:-1]),
    ("last_turn", GOOD[:4]),
    ("trained_turns", [message | {"weight": 0} if message["role"] == "assistant" else message for message in GOOD]),
]


def test_each_planted_fault_raises_its_own_alarm_alone() -> None:
    wanted: dict[str, list[int]] = {}
    for place, (name, _) in enumerate(FAULTS):
        wanted.setdefault(name, []).append(place)
    assert alarms([dialogue for _, dialogue in FAULTS] + [GOOD]) == wanted
    assert {*wanted} == {*COLUMNS}, "no check without a fault"


@pytest.mark.parametrize(
    ("dialogue", "column", "words"),
    [
        (without(4), "roles", "message 5 is the user's, where the assistant's reply is due"),
        (without(5), "roles", "messages 5 and 6 are both the assistant's; .*merge_turns"),
        (
            [said("user"), said("user"), said("assistant")],
            "roles",
            "messages 1 and 2 are both the user's; .*merge_turns",
        ),
        ([said("assistant"), *GOOD[1:]], "roles", "message 1 is the assistant's and nobody asked before it"),
        ([*GOOD[1:], *GOOD], "roles", "message 7 is the system's"),
        (
            replaced(6, said("assistant", " ")),
            "empty_turns",
            r"message 7 \(assistant\) without a text; .*drop_empty_turns",
        ),
        (without(3), "calls_without_result", "message 3 calls 1 tool and 0 results follow"),
        (without(2), "results_without_call", "message 3 is the result of no call"),
        (GOOD[:-1], "last_turn", "the last message is the user's, and .*cut_trailing_turns"),
        (GOOD[:2], "trained_turns", "no turn of the assistant is trained"),
    ],
)
def test_a_fault_is_said_in_words_with_its_place_and_fix(dialogue: list[Message], column: str, words: str) -> None:
    told = facts([dialogue], TOOLS)[column][0]
    assert re.match(words, told) and "^" not in told and "(?:" not in told


def test_a_dialogue_with_tools_and_no_system_text_is_whole() -> None:
    own = {"role": "system", "content": None, "tools": [tool_schema()]}
    assert alarms([[own, *GOOD[1:]]]) == {} and transcript([own, *GOOD[1:]]) == transcript(GOOD[1:])


def test_the_facts_of_a_dialogue() -> None:
    told = facts([GOOD, replaced(2, called(price="1-2", colour="red"))], TOOLS)
    assert tuple(told.columns) == COLUMNS
    assert told.iloc[0].tolist() == [""] * len(COLUMNS)
    assert told["unknown_arguments"].tolist() == ["", "search_hotels.colour"]
    assert facts([]).empty and facts([replaced(2, called("other"))])["unknown_arguments"].tolist() == [""]


def test_a_call_may_end_a_dialogue_and_parallel_results_are_counted() -> None:
    twice = called(price="1-2") | {"tool_calls": 2 * called(price="1-2")["tool_calls"]}
    assert alarms([GOOD[:3], [*GOOD[:2], twice, GOOD[3], GOOD[3], GOOD[4]], [*GOOD[:4], *GOOD[2:]]]) == {}


# CrossWOZ ------------------------------------------------------------------------------------------------------------


def state(**asked: Any) -> dict[str, Any]:
    names = ("名称", "酒店类型", "酒店设施", "价格", "评分", "周边景点", "周边餐馆", "周边酒店")
    return {HOTEL: dict.fromkeys(names, "") | {"selectedResults": []} | asked}


def exchange(user: list[Any], system: list[Any], before: Any = None, after: Any = None) -> list[Any]:
    first = before or state()
    return [
        {"role": "usr", "content": "q", "dialog_act": user},
        {"role": "sys", "content": "a", "dialog_act": system, "sys_state_init": first, "sys_state": after or first},
    ]


ASK, TOLD = ["Inform", HOTEL, "价格", "x"], ["Inform", HOTEL, "名称", "x"]
THANKS, MEAL = ["General", "thank", "none", "none"], ["Inform", "餐馆", "名称", "x"]


def test_runs_are_cut_by_the_rule_and_every_message_has_a_fate() -> None:
    messages = [
        *exchange([["General", "greet", "none", "none"]], [THANKS]),
        *exchange([ASK, THANKS], [TOLD]),
        *exchange([THANKS], [THANKS]),
        *exchange([ASK], [MEAL]),
        *exchange([MEAL], [MEAL]),
        *exchange([THANKS], [THANKS]),
        *exchange([ASK], [["Inform", HOTEL, "周边景点", "x"]]),
        *exchange([], []),
    ]
    runs, fates = convert({"7": {"messages": messages}}, demo_hotels())
    assert [(run.dialogue_id, run.run, len(run.messages)) for run in runs] == [("7", 1, 6), ("7", 2, 4)]
    assert fates == {
        "dropped: general": 4,
        "kept: about hotels": 6,
        "kept: general": 4,
        "dropped: about other things": 2,
    }
    weights = [[message.get("weight") for message in run.messages if message["role"] == "assistant"] for run in runs]
    assert weights == [[None, None, 0], [0, None]], "what no record holds is given"


def test_a_changed_query_is_searched_and_a_relaxed_one_twice() -> None:
    strict, relaxed = (
        state(酒店类型="luxury", 价格="90-120"),
        state(价格="90-120", selectedResults=["Orchard Hill Hotel"]),
    )
    turns = [
        *exchange([ASK], [TOLD], strict, relaxed),
        *exchange([ASK], [TOLD], relaxed),
        *exchange([ASK], [TOLD], state(价格="90-120", 酒店设施=" wifi parking ", 周边景点="x")),
        *exchange([ASK], [TOLD], state(周边景点="x")),
    ]
    [run] = convert({"7": {"messages": turns}}, demo_hotels())[0]
    asked = [message["tool_calls"][0]["function"]["arguments"] for message in run.messages if is_call(message)]
    assert asked == [
        {"type": "luxury", "price": "90-120"},
        {"price": "90-120"},
        {"price": "90-120", "facilities": ["wifi", "parking"]},
    ]
    results = [json.loads(message["content"]) for message in run.messages if message["role"] == "tool"]
    assert [len(records) for records in results] == [0, LIMIT, LIMIT]
    assert results[1][0]["name"] == "Orchard Hill Hotel" != results[1][1]["name"]


@pytest.mark.parametrize(
    ("dialogue", "told"),
    [
        ({}, "dialogue 7: `messages` must be a list of pairs"),
        ({"messages": exchange([], [])[:1]}, "must be a list of pairs"),
        ({"messages": exchange([], [])[::-1]}, "dialogue 7, message 1: it must be of role usr"),
        ({"messages": exchange([ASK], [TOLD], state(价格="teuer"))}, "dialogue 7: price 'teuer' cannot be read"),
    ],
)
def test_what_is_not_as_crosswoz_has_it(dialogue: Any, told: str) -> None:
    with pytest.raises(DataError, match=told):
        convert({"7": dialogue}, demo_hotels())


def test_files_that_are_not_crosswozs(tmp_path: Path) -> None:
    (tmp_path / "list.json").write_text("[]")
    with pytest.raises(DataError, match=r"list\.json is a list; CrossWOZ's files hold an object"):
        read_crosswoz(tmp_path / "list.json")
    (tmp_path / "cut.json").write_text('{"1": ')
    with pytest.raises(DataError, match=r"cut\.json is no JSON"):
        read_crosswoz(tmp_path / "cut.json")
    with zipfile.ZipFile(tmp_path / "two.json.zip", "w") as archive:
        archive.writestr("a.json", "{}")
        archive.writestr("b.json", "{}")
    with pytest.raises(DataError, match="2 tables in the archive"):
        read_crosswoz(tmp_path / "two.json.zip")
    with zipfile.ZipFile(tmp_path / "one.json.zip", "w") as archive:
        archive.writestr("__MACOSX/a.json", "x")
        archive.writestr("a.json", '{"1": {"messages": []}}')
    assert convert(read_crosswoz(tmp_path / "one.json.zip"), demo_hotels()) == ([], Counter())


def test_crosswozs_table(datasets: Path) -> None:
    hotels = read_hotels(crosswoz(datasets) / "hotel_db.json")
    assert len(hotels) == 1_133 and sum(hotel.price is None for hotel in hotels.hotels) == 121
    records = hotels.search({"price": "400-500元", "rating": "4.5分以上", "facilities": ["健身房"], "type": "高档"}, 99)
    assert records and all(400 <= one["price"] <= 500 and one["rating"] >= 4.5 for one in records)
    assert all("健身房" in one["facilities"] and one["type"] == "高档型" for one in records)


def crosswoz(datasets: Path) -> Path:
    if not (datasets / "crosswoz" / "val.json.zip").exists():
        pytest.skip("CrossWOZ's files are not on this machine")
    return datasets / "crosswoz"


@pytest.mark.faults
def test_crosswozs_files_are_cut_as_published(datasets: Path) -> None:
    place = crosswoz(datasets)
    hotels = read_hotels(place / "hotel_db.json")
    acts, runs, fates, messages = 0, list[Converted](), Counter[str](), 0
    for part in ("val", "test"):
        dialogues = read_crosswoz(place / f"{part}.json.zip")
        wanted = [one["messages"] for one in dialogues.values() if any(goal[1] == HOTEL for goal in one["goal"])]
        messages += sum(map(len, wanted))
        acts += sum(has_hotel_act(message) for turns in wanted for message in turns)
        found, counted = convert(dialogues, hotels)
        assert counted.total() == sum(len(one["messages"]) for one in dialogues.values())
        runs, fates = runs + found, fates + counted
    assert (acts, messages) == (4_498, 14_876), "messages with a hotel act, of dialogues with a goal about hotels"
    assert fates == {
        "kept: about hotels": 4_618,
        "kept: general": 462,
        "dropped: about other things": 10_296,
        "dropped: general": 1_558,
    }
    turns = [message for run in runs for message in run.messages]
    kept = sum(message["role"] != "tool" and not is_call(message) for message in turns)
    assert (len(runs), kept, sum(map(is_call, turns))) == (915, 5_080, 1_374)
    assert all(read_messages(dump_messages(run.messages)) == run.messages for run in runs)
    assert alarms([run.messages for run in runs]) == {}
