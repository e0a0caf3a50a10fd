"""Tools that a chat brings along: the file they are read from, who answers their calls, and what the model is given."""

import json
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from configs.load import RecipeError
from configs.tool_file import load_tools
from flows.cli.chat import Conversation
from flows.cli.console import THEME
from tasks.data.dialogues.messages import Message, tools_of
from tasks.data.errors import DataError
from tasks.text.chat.chat_tools import open_tools

LISTED = """\
- name: departures
  description: Trains from a station
  parameters: {type: object, properties: {from: {type: string}}, required: [from]}
  answered_by: {kind: table, path: trains.csv}
- name: reserve
  parameters: {type: object, properties: {seats: {type: string}}}
"""
RESERVE: dict[str, Any] = {"name": "reserve", "parameters": {"type": "object", "properties": {}}}


@pytest.fixture
def listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "trains.csv").write_text("from,to\nGhent,Bruges\nBruges,Ghent\n", encoding="utf-8")
    (tmp_path / "tools.yaml").write_text(LISTED, encoding="utf-8")
    monkeypatch.setenv("TEMPER_DATA", str(tmp_path))
    return tmp_path / "tools.yaml"


class Scripted:
    """A model whose turns are given: `name {arguments}` is a call, anything else a reply."""

    def __init__(self, *turns: str) -> None:
        self.turns = iter(turns)
        self.prompts: list[list[Message]] = []

    def stream(self, messages: list[Message], longest: int) -> list[str]:
        self.prompts.append(list(messages))
        return [next(self.turns)]

    def may_be_call(self, text: str) -> bool:
        return text.endswith("}")

    def read(self, text: str, messages: list[Message]) -> Message:
        name, _, arguments = text.partition(" ")
        if not text.endswith("}"):
            return {"role": "assistant", "content": text}
        assert name in [tool["function"]["name"] for tool in tools_of(messages)]
        return {"role": "assistant", "content": "", "tool_calls": [{"function": _call(name, arguments)}]}


def _call(name: str, arguments: str) -> dict[str, Any]:
    return {"name": name, "arguments": json.loads(arguments)}


def _talk(model: Scripted, path: Path, *turns: str) -> Conversation:
    chat = Conversation(model, Console(width=200, theme=THEME), 9, {}, *open_tools(path))  # type: ignore[arg-type]
    chat.talk(turns, echo=False)
    return chat


def test_a_table_answers_and_where_nothing_does_the_next_line_is_the_result(
    listed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = Scripted('departures {"from": "Ghent"}', "To Bruges.", 'reserve {"seats": "2"}', "Done.")
    chat = _talk(model, listed, "a train?", "two seats", '{"seats": "2", "car": "7"}')
    shown = capsys.readouterr().out
    assert "tool   > departures(from: Ghent) -> 1 found: Ghent" in shown
    assert "tool   > reserve(seats: 2) is answered by nothing; its result (JSON or text, in a line)" in shown
    assert 'tool   > reserve(seats: 2) -> {"seats": "2", "car": "7"}' in shown and "model  > Done." in shown
    results = [message["content"] for message in chat.messages if message["role"] == "tool"]
    assert json.loads(results[0]) == [{"from": "Ghent", "to": "Bruges"}] and json.loads(results[1])["car"] == "7"
    for prompt in model.prompts:  # as rows of dialogues with their own tools are written
        assert [tool["function"]["name"] for tool in tools_of(prompt)] == ["departures", "reserve"]


@pytest.mark.parametrize(("typed", "content"), [("fully booked", "fully booked"), ("", '{"error": "no result"}')])
def test_a_result_may_be_any_text(listed: Path, typed: str, content: str, capsys: pytest.CaptureFixture[str]) -> None:
    chat = _talk(Scripted("reserve {}", "Sorry."), listed, "seats?", typed)
    assert [message["content"] for message in chat.messages if message["role"] == "tool"] == [content]
    assert "model  > Sorry." in capsys.readouterr().out


@pytest.mark.parametrize("rest", [("/quit", "never"), ()])
def test_a_chat_ends_where_a_result_is_asked_for(listed: Path, rest: tuple[str, ...]) -> None:
    model = Scripted("reserve {}", "never asked for")
    _talk(model, listed, "seats?", *rest)
    assert len(model.prompts) == 1


def test_a_new_conversation_keeps_the_tools(listed: Path) -> None:
    model = Scripted("Hello.", "Hello again.")
    _talk(model, listed, "hi", "/new", "hi")
    assert [len(prompt) for prompt in model.prompts] == [2, 2] and tools_of(model.prompts[1])


@pytest.mark.parametrize(
    "held",
    [
        [RESERVE],
        {"tools": [RESERVE]},
        [{"type": "function", "function": RESERVE}],
        [{"function": RESERVE}],
    ],
)
def test_a_file_of_tools_has_any_usual_form(held: Any, tmp_path: Path) -> None:
    path = tmp_path / "tools.json"
    path.write_text(json.dumps(held, indent=1), encoding="utf-8")
    definitions, answers = open_tools(path)
    assert [tool["function"]["name"] for tool in definitions] == ["reserve"]
    assert not answers.tables and not answers.entries


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no tools; write a list of them"),
        ("just words", "no tools; write a list of them"),
        ("- reserve\n", r"tools.yaml:1: `tools.0`: expected keys below it"),
        ("- name: a\n  colour: red\n", r"tools.yaml:2: `tools.0.colour` is not a key; valid keys: name, description"),
        ("- name: a b\n", r"tools.yaml:1: `tools.0.name`: should match pattern"),
        ("- name: a\n- name: A\n", "two are called 'a'"),
        ("- name: a\n  parameters: {type: text}\n", "parameters of a are no JSON schema"),
        ("- name: a\n  answered_by: {kind: tabel, path: x}\n", r"tools.yaml:2: .*one of .*did you mean `table`"),
        ("- [\n", "not valid YAML"),
    ],
)
def test_a_wrong_file_of_tools_is_refused_with_its_place(text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "tools.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(RecipeError, match=message):
        load_tools(path)


def test_a_file_that_is_absent_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"tools\.yaml"):
        open_tools(tmp_path / "tools.yaml")
