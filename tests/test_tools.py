"""Tools of a dialogue recipe: definitions, the tables and Python functions that answer calls, and their faults."""

import json
import sys
from fnmatch import fnmatchcase
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest
from rich.console import Console

from configs.encodings import DialogueEncode
from configs.load import RecipeError, load_recipe
from configs.models import TrainedTokenizer
from configs.tools import Filter, PythonAnswer, TableAnswer, Tool, ToolFile
from flows.cli.console import THEME
from tasks.artifact import StageError
from tasks.data.dialogues.messages import Message, dump_messages
from tasks.data.errors import DataError
from tasks.pins import pin
from tasks.text.chat.encoding import load_dialogue_encoding
from tasks.text.chat.entry_points import call_entry_point
from tasks.text.chat.recipe_tools import write_tools
from tasks.text.chat.rows import make_encoding
from tasks.text.chat.tool_answers import Answers, answer_files, load_answers

DEMO = Path(__file__).resolve().parent.parent / "configs" / "hotel_demo.yaml"
TRAINS = """\
line,from,to,minutes,stops
007,Ghent,Bruges,25,
12,Ghent,Brussels South,33,2
8,Bruges,Ghent,27,1
12,Ghent,Brussels North,41,3
"""
TEXT = {"type": "string"}
PARAMETERS = {
    "type": "object",
    "properties": {"from": TEXT, "to": TEXT, "minutes": TEXT, "stops": {"type": "integer"}},
    "required": ["from"],
}
FILTERS = {"to": Filter(match="contains"), "minutes": Filter(match="range")}
MONEY = Tool(
    name="convert",
    parameters={"type": "object", "properties": {"amount": {"type": "number"}}},
    answered_by=PythonAnswer(kind="python", entry="purse_of_the_test:convert"),
)
PURSE = """\
from pathlib import Path
Path(__file__).with_suffix(".called").touch()
def convert(amount):
    if amount < 0:
        raise ValueError("a negative amount")
    return {"euro": float("nan") if amount == 13 else amount * 2}
def leave():
    raise SystemExit(3)
"""


def departures(**options: Any) -> Tool:
    given = {"path": "trains.csv", "filters": FILTERS, "order": ("-minutes",), **options}
    return Tool(
        name="departures", description="Trains.", parameters=PARAMETERS, answered_by=TableAnswer(kind="table", **given)
    )


@pytest.fixture
def data(home: Path) -> Path:
    folder = home.parent / "data"
    (folder / "trains.csv").write_text(TRAINS, encoding="utf-8")
    return folder


@pytest.fixture
def purse(data: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A module with the currency tool; the file beside it tells whether it was ever imported."""
    (data / "purse_of_the_test.py").write_text(PURSE, encoding="utf-8")
    monkeypatch.syspath_prepend(str(data))
    monkeypatch.delitem(sys.modules, "purse_of_the_test", raising=False)
    return data / "purse_of_the_test.called"


def asked(answers: Answers, name: str, **arguments: Any) -> Any:
    return json.loads(answers.message({"name": name, "arguments": arguments})["content"])


# The table -----------------------------------------------------------------------------------------------------------


def test_a_table_answers_by_its_columns_where_the_model_lies(data: Path, tmp_path: Path) -> None:
    made = write_tools((departures(returns=("to", "minutes", "line")),), tmp_path)
    assert made == [
        {"type": "function", "function": {"name": "departures", "description": "Trains.", "parameters": PARAMETERS}}
    ]
    (data / "trains.csv").unlink()
    answers = load_answers(tmp_path)
    found = asked(answers, "departures", **{"from": "GHENT ", "to": "brussels"})
    assert [one["minutes"] for one in found] == [41, 33] and list(found[0]) == ["to", "minutes", "line"]
    assert [one["line"] for one in asked(answers, "departures", **{"from": "Ghent", "minutes": "up to 30"})] == ["007"]
    for same in (3, 3.0, "3"):
        assert len(asked(answers, "departures", **{"from": "Ghent", "stops": same})) == 1
    assert asked(answers, "departures", **{"from": "Ghent", "stops": 9}) == []


def test_records_without_a_value_fit_nothing_and_come_last(data: Path, tmp_path: Path) -> None:
    write_tools((departures(order=("stops",), limit=9),), tmp_path)
    found = asked(load_answers(tmp_path), "departures", **{"from": "Ghent"})
    assert [one["stops"] for one in found] == [2, 3, None]
    write_tools((departures(limit=1),), tmp_path)
    assert len(asked(load_answers(tmp_path), "departures", **{"from": "Ghent"})) == 1


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"from": "Ghent", "colour": "red"}, "departures knows no 'colour'; it takes from, to, minutes, stops"),
        ({"to": "Ghent"}, "departures needs 'from'"),
        ({"from": ["Ghent"]}, "from ['Ghent'] must be a single value, not a list"),
        ({"from": "Ghent", "to": 7}, "to 7 must be a text, not a number"),
        ({"from": "Ghent", "minutes": "soon"}, "minutes 'soon' cannot be read"),
    ],
)
def test_what_a_call_does_wrong_is_told_to_the_model(
    arguments: dict[str, Any], told: str, data: Path, tmp_path: Path
) -> None:
    write_tools((departures(),), tmp_path)
    assert told in asked(load_answers(tmp_path), "departures", **arguments)["error"]


@pytest.mark.parametrize(
    ("options", "table", "told"),
    [
        ({"filters": {"to": Filter(column="target")}}, TRAINS, "trains.csv has no column 'target'; its columns are"),
        ({"returns": ("price",)}, TRAINS, "has no column 'price'"),
        ({"order": ("-delay",)}, TRAINS, "has no column 'delay'"),
        ({"filters": {"to": Filter(match="range")}}, TRAINS, r"row 1: to is a text \('Bruges'\); match: range needs"),
        ({"filters": {"to": Filter(match="all_of")}}, TRAINS, "match: all_of needs a list of texts"),
        ({}, "line,from,to,minutes,stops\n1,a\n", "trains.csv: 1 lines have fewer fields than the 5 columns"),
        ({}, "line,from,to,minutes,stops\n", "holds no record"),
        ({"path": "none.csv"}, TRAINS, "none.csv"),
        ({"path": "trains.xls"}, TRAINS, "a table is a .jsonl or .csv file, not .xls"),
    ],
)
def test_a_table_that_cannot_be_searched_so_stops_encode(
    options: dict[str, Any], table: str, told: str, data: Path, tmp_path: Path
) -> None:
    for name in ("trains.csv", "trains.xls"):
        (data / name).write_text(table, encoding="utf-8")
    with pytest.raises(DataError, match=told):
        write_tools((departures(**options),), tmp_path)


def test_lists_and_texts_of_json_lines(data: Path, tmp_path: Path) -> None:
    rows = [{"name": "A", "tags": ["Old Town", "river"]}, {"name": "B", "tags": ["river"]}, {"name": "C"}]
    (data / "walks.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    parameters = {"type": "object", "properties": {"tags": {"type": "array"}}}
    answer = TableAnswer(kind="table", path="walks.jsonl", filters={"tags": Filter(match="all_of")}, returns=("name",))
    write_tools((Tool(name="walks", parameters=parameters, answered_by=answer),), tmp_path)
    answers = load_answers(tmp_path)
    assert asked(answers, "walks", tags=["RIVER", "old"]) == [{"name": "A"}]
    assert len(asked(answers, "walks", tags=[])) == 3
    assert 'write it as ["river"]' in asked(answers, "walks", tags="river")["error"]


# The recipe ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tools", "told"),
    [
        ("[{name: rate}, {name: Rate}]", "two are called 'rate'"),
        ("[{name: rate, parameters: {type: objekt}}]", "parameters of rate are no JSON schema: type: 'objekt'"),
        ("[{name: rate, parameters: {type: object, properties: {a: {type: 5}}}}]", "JSON schema: properties.a.type"),
        ("[{name: rate, parameters: {type: array}}]", "must be a JSON schema of `type: object`"),
        ("[{name: rate of exchange}]", "should match pattern"),
        ("[{nam: rate}]", "`encode.tools.0.nam` is not a key; did you mean `name`?"),
        ("[{name: a, answered_by: {kind: tabel, path: x}}]", "expected one of table, python, got 'tabel'"),
        ("[{name: a, answered_by: {kind: table, path: x, filters: {b: {}}}}]", "'b', which is no argument of a"),
        (
            "[{name: a, parameters: {type: object, properties: {b: {}}}, "
            "answered_by: {kind: table, path: x, filters: {b: {mach: range}}}}]",
            "filters.b.mach` is not a key; did you",
        ),
        ("[{name: a, answered_by: {kind: python, entry: os.system}}]", "should match pattern"),
        ("{kind: hotel}", "expected one of file, hotels, got 'hotel'; did you mean `hotels`?"),
    ],
)
def test_tools_that_are_none_are_refused_at_load(tools: str, told: str) -> None:
    with pytest.raises(RecipeError) as refused:
        load_recipe(DEMO, [f"encode.tools={tools}"])
    assert told in str(refused.value)


def test_a_file_of_definitions_is_for_training_alone(data: Path, tmp_path: Path) -> None:
    given = [{"name": "rate", "input_schema": PARAMETERS}, {"type": "function", "function": {"name": "tide"}}]
    (data / "tools.json").write_text(json.dumps(given), encoding="utf-8")
    section = ToolFile(kind="file", path="tools.json")
    assert [one["function"]["name"] for one in write_tools(section, tmp_path)] == ["rate", "tide"]
    assert answer_files(tmp_path) == () and "no tool rate" in asked(load_answers(tmp_path), "rate")["error"]
    for faulty, told in (
        ([given[0], given[0]], "two are called 'rate'"),
        ([{"name": "rate", "parameters": {"type": "objekt"}}], "no JSON schema"),
    ):
        (data / "tools.json").write_text(json.dumps(faulty), encoding="utf-8")
        with pytest.raises(DataError, match=f"tools.json: .*{told}"):
            write_tools(section, tmp_path)
    (data / "tools.json").write_bytes(b"[\xff]")
    with pytest.raises(DataError, match=r"tools.json: .*0xff"):
        write_tools(section, tmp_path)


def encode_section(*tools: Tool) -> DialogueEncode:
    tokenizer = TrainedTokenizer(kind="train", vocab_size=350)
    return DialogueEncode(kind="dialogue", tokenizer=tokenizer, template="chatml", tools=tools)


def test_a_table_is_pinned_by_its_bytes_and_not_by_its_place(data: Path) -> None:
    before = pin(encode_section(departures(), MONEY), ask=False)[1]
    (data / "other.csv").write_text(TRAINS, encoding="utf-8")
    assert pin(encode_section(departures(path="other.csv"), MONEY), ask=False)[1] == before
    (data / "trains.csv").write_text(TRAINS + "9,Ghent,Lille,70,5\n", encoding="utf-8")
    assert pin(encode_section(departures(), MONEY), ask=False)[1] != before


TALK: list[Message] = [
    {"role": "user", "content": "from Ghent, please"},
    {
        "role": "assistant",
        "content": "",
        "tool_calls": [{"type": "function", "function": {"name": "departures", "arguments": {"from": "Ghent"}}}],
    },
    {"role": "tool", "name": "departures", "content": "[]"},
    {"role": "assistant", "content": "none today"},
]


def test_an_encoding_holds_the_definitions_and_train_opens_what_answers(
    data: Path, purse: Path, tmp_path: Path
) -> None:
    from tasks.train import opened

    rows = pd.DataFrame({"id": ["a"], "messages": [dump_messages(TALK)]})
    make_encoding(encode_section(departures(), MONEY), rows, tmp_path)
    tools = load_dialogue_encoding(tmp_path / "encoding.json").tools
    assert [one["function"]["name"] for one in tools] == ["departures", "convert"]
    assert answer_files(tmp_path) == ("tools.json", "tools/departures.jsonl")
    opens = opened(SimpleNamespace(teacher=None))["encoded"]  # type: ignore[arg-type]
    assert all(any(fnmatchcase(name, pattern) for pattern in opens) for name in answer_files(tmp_path))
    assert "convert is not allowed here" in asked(load_answers(tmp_path), "convert", amount=1)["error"]
    assert not purse.exists(), "the module of a Python tool is never imported here"


# Python entry points -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("entry", "arguments", "content"),
    [
        ("purse_of_the_test:convert", {"amount": 4}, {"euro": 8}),
        ("purse_of_the_test:convert", {"amount": -4}, "ValueError: a negative amount"),
        ("purse_of_the_test:convert", {"sum": 4}, "TypeError"),
        ("purse_of_the_test:convert", {"amount": 13}, "ValueError: Out of range float values"),
        ("purse_of_the_test:leave", {}, "SystemExit"),
        ("purse_of_the_test:absent", {}, "AttributeError: module 'purse_of_the_test' has no attribute 'absent'"),
        ("no_such_module:convert", {}, "ModuleNotFoundError: No module named 'no_such_module'"),
    ],
)
def test_a_function_answers_or_its_fault_does(entry: str, arguments: dict[str, Any], content: Any, purse: Path) -> None:
    message = call_entry_point(entry, {"name": "convert", "arguments": arguments})
    found = json.loads(message["content"])
    assert (message["role"], message["name"]) == ("tool", "convert")
    assert found == content if isinstance(content, dict) else content in found["error"] and entry in found["error"]


class Scripted:
    """A model whose turns are given: JSON for a call, else a reply."""

    entry_points = {"convert": "purse_of_the_test:convert"}  # noqa: RUF012

    def __init__(self, *turns: str) -> None:
        self.turns, self.answering = iter(turns), Answers({}, self.entry_points)
        self.heard: list[Message] = []

    def stream(self, messages: list[Message], longest: int) -> list[str]:
        self.heard = list(messages)
        return [next(self.turns)]

    def may_be_call(self, text: str) -> bool:
        return text.startswith("{")

    def read(self, text: str) -> Message:
        if not text.startswith("{"):
            return {"role": "assistant", "content": text}
        calls = [{"function": {"name": "convert", "arguments": json.loads(text)}}]
        return {"role": "assistant", "content": "", "tool_calls": calls}

    def answers(self, call: Message) -> list[Message]:
        return [self.answering.message(one["function"]) for one in call["tool_calls"]]


def test_a_chat_calls_only_what_is_allowed_and_goes_on_after_a_fault(
    purse: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from flows.cli.chat import Conversation

    model = Scripted('{"amount": 4}', "no idea")
    Conversation(model, Console(width=200, theme=THEME), 9).talk(["how much?"], echo=False)
    assert "error: convert is not allowed here" in capsys.readouterr().out and not purse.exists()
    model = Scripted('{"amount": 4}', '{"amount": -4}', "eight")
    Conversation(model, Console(width=200, theme=THEME), 9, model.entry_points).talk(["how much?"], echo=False)
    said = capsys.readouterr().out
    assert 'tool   > convert(amount: 4) -> {"euro": 8}' in said and purse.exists()
    assert "error: purse_of_the_test:convert failed (ValueError: a negative amount)" in said
    assert "model  > eight" in said and [one["role"] for one in model.heard].count("tool") == 2


def test_a_chat_shows_the_functions_first(capsys: pytest.CaptureFixture[str]) -> None:
    from flows.cli.chat import allowed_functions
    from tasks.tracking.wire_format import entry_points

    model, console = Scripted(), Console(width=200, theme=THEME)
    shown = "tool   > convert is answered by purse_of_the_test:convert: "
    assert allowed_functions(model.entry_points, [], console) == {}
    assert capsys.readouterr().out == f"{shown}not allowed; --allow-tool convert lets it run\n"
    assert allowed_functions(model.entry_points, ["convert"], console) == model.entry_points
    assert capsys.readouterr().out == f"{shown}allowed\n"
    with pytest.raises(StageError, match="no Python function answers departures in this chat; such tools are convert"):
        allowed_functions(model.entry_points, ["departures"], console)
    before = object()  # a model that was registered before there were such tools
    assert allowed_functions(entry_points(before), [], console) == {} and capsys.readouterr().out == ""
