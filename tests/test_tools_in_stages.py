"""A recipe's list of tools from encode to the saved model: hotels as one configuration, beside a Python function."""

import json
import shutil
import sys
from pathlib import Path

import pytest

from configs.load import load_recipe
from tasks.data.dialogues.hotels import demo_hotels, demo_table, tool_schema
from tasks.data.files import DEMO
from tasks.text.chat.recipe_tools import write_tools
from tasks.text.chat.tool_answers import answer_files, load_answers

RECIPE = Path(__file__).resolve().parent.parent / "configs" / "hotel_demo.yaml"
HOTELS = {
    "name": "search_hotels",
    "description": tool_schema()["function"]["description"],
    "parameters": tool_schema()["function"]["parameters"],
    "answered_by": {
        "kind": "table",
        "path": "inns.jsonl",
        "filters": {
            "name": {"match": "contains"},
            "type": {"match": "contains"},
            "price": {"match": "range"},
            "rating": {"match": "range", "at_least": True},
            "facilities": {"match": "all_of"},
        },
        "order": ["-rating", "price"],
    },
}
CONVERT = {
    "name": "convert",
    "parameters": {"type": "object", "properties": {"amount": {"type": "number"}}},
    "answered_by": {"kind": "python", "entry": "module_that_must_not_be_imported:convert"},
}
TINY = [
    "train.model.config={n_layer: 1, n_head: 2, n_embd: 16, n_positions: 1024}",
    "train.epochs=1",
    "evaluate.bootstrap=100",
    "evaluate.max_new_tokens=4",
    "evaluate.written=2",
]


@pytest.fixture
def changes(home: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    data = home.parent / "data"
    shutil.copyfile(demo_table(), data / "inns.jsonl")
    module = data / "module_that_must_not_be_imported.py"
    module.write_text("raise BaseException('imported')", encoding="utf-8")
    monkeypatch.syspath_prepend(str(data))
    return [f"encode.tools={json.dumps([HOTELS, CONVERT])}"]


def test_hotels_are_a_configuration_that_finds_what_the_short_spelling_finds(
    changes: list[str], tmp_path: Path
) -> None:
    short, listed = tmp_path / "short", tmp_path / "listed"
    short.mkdir()
    listed.mkdir()
    assert write_tools(load_recipe(RECIPE).encode.tools, short) == [tool_schema()]
    assert write_tools(load_recipe(RECIPE, changes).encode.tools, listed)[0] == tool_schema()
    assert (answer_files(short), answer_files(listed)) == (
        ("hotels.jsonl",),
        ("tools.json", "tools/search_hotels.jsonl"),
    )
    searches = [
        turn["arguments"]
        for line in (DEMO / "hotel_dialogues.jsonl").read_text(encoding="utf-8").splitlines()
        for turn in json.loads(line)["messages"]
        if turn["role"] == "search"
    ]
    faulty = [{"colour": "red"}, {"price": "cheap"}, {"facilities": "wifi"}, {"name": 5}, {}]
    one, other = load_answers(short), load_answers(listed)
    for arguments in [*searches, *faulty]:
        call = {"name": "search_hotels", "arguments": arguments}
        assert one.message(call) == other.message(call)
    records = [json.loads(one.message({"name": "search_hotels", "arguments": asked})["content"]) for asked in searches]
    assert records == [demo_hotels().search(asked) for asked in searches] and len(searches) == 57


def test_hotels_are_named_where_their_data_and_their_spelling_are_read_and_nowhere_else() -> None:
    root = RECIPE.parent.parent
    paths = [path for folder in ("flows", "tasks") for path in (root / folder).rglob("*.py")]
    naming = {path.name for path in paths if "hotel" in path.read_text(encoding="utf-8").lower()}
    assert naming == {
        "files.py",  # where the embedded dialogues lie
        "hotels.py",
        "calls.py",
        "messages.py",
        "crosswoz.py",
        "read.py",  # their data
        "recipe_tools.py",
        "tool_answers.py",
        "pins.py",
        "changes.py",  # `tools: {kind: hotels}`, and CrossWOZ's pins
    }


@pytest.mark.faults
def test_tables_travel_with_the_model_and_functions_are_never_called(changes: list[str]) -> None:
    from flows.stage_graph import perform_until
    from tasks.text.chat.predictor import Predictor

    stages = perform_until(load_recipe(RECIPE, [*TINY, *changes]), "evaluate")
    folder = stages["train"].result.file("config.json").parent
    assert answer_files(folder) == ("tools.json", "tools/search_hotels.jsonl")
    assert "module_that_must_not_be_imported" not in sys.modules
    predictor = Predictor.load(folder)
    assert predictor.entry_points == {"convert": "module_that_must_not_be_imported:convert"}
    calls = [
        {"function": {"name": name, "arguments": arguments}}
        for name, arguments in (("search_hotels", {"name": "quiet"}), ("convert", {"amount": 1}))
    ]
    found, refused = predictor.answers({"role": "assistant", "content": "", "tool_calls": calls})
    assert [one["name"] for one in json.loads(found["content"])] == ["The Quiet Page"]
    assert "not allowed here" in json.loads(refused["content"])["error"]
