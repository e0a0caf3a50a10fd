"""Schema-Guided Dialogue data: runs of one service, its schema as tools, calls, results, and planted faults."""

import gzip
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from configs.sources import SgdSource, kept_columns
from tasks.data.dialogues.messages import is_call, load_messages, tools_of
from tasks.data.errors import DataError
from tasks.data.sources.provenance import Intake
from tasks.data.sources.read import read_source
from tasks.pins import pin

CITY = {"name": "city", "description": "Where", "is_categorical": False, "possible_values": []}
STARS = {"name": "stars", "description": "How good", "is_categorical": True, "possible_values": ["3", "5"]}
FIND = {"name": "FindInn", "description": "Find an inn", "required_slots": ["city"], "optional_slots": {"stars": "3"}}
INNS = {"service_name": "Inns_1", "slots": [CITY, STARS], "intents": [FIND]}
RECORDS = [{"name": name, "city": "Bath"} for name in ("Star", "Moon", "Sun", "Sea")]


def act(slot: str, *values: str) -> dict[str, Any]:
    return {"act": "INFORM", "slot": slot, "values": list(values), "canonical_values": list(values)}


def exchange(service: str, *acts: Any, call: Any = None, records: Any = (), said: str = "q") -> list[Any]:
    frame: dict[str, Any] = {"service": service, "actions": []}
    if call is not None:
        frame |= {"service_call": {"method": "FindInn", "parameters": call}, "service_results": list(records)}
    return [
        {"speaker": "USER", "utterance": said, "frames": [{"service": service, "actions": list(acts)}]},
        {"speaker": "SYSTEM", "utterance": "a", "frames": [frame]},
    ]


ASK = exchange("Inns_1", act("city", "Bath"), call={"city": "Bath"}, records=RECORDS)


def dialogue(name: str, *exchanges: list[Any]) -> dict[str, Any]:
    return {"dialogue_id": name, "services": ["Inns_1"], "turns": [turn for one in exchanges for turn in one]}


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "data" / "schema.json").write_text(json.dumps([INNS]))
    return tmp_path / "data"


def write(path: Path, *dialogues: Any) -> None:
    text = "".join(json.dumps(one) + "\n" for one in dialogues)
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())


def source(**changes: Any) -> SgdSource:
    given = {"kind": "sgd", "train": "train.jsonl.gz", "test": "test.jsonl", "schemas": "schema.json"}
    return SgdSource(**{**given, **changes})


def read(place: Path, *dialogues: Any, **changes: Any) -> tuple[Any, list[str]]:
    """The rows of these training dialogues and one test dialogue, and the notes."""
    write(place / "train.jsonl.gz", *dialogues)
    write(place / "test.jsonl", dialogue("1", ASK))
    intake = Intake(place)
    return read_source(source(**changes), intake), intake.notes


def test_runs_are_cut_by_the_rule_and_every_run_has_a_fate(place: Path) -> None:
    taxi, there = exchange("Taxis_1"), exchange("Inns_1", call={"city": "Bath"}, records=RECORDS)
    rows, notes = read(
        place,
        dialogue("1", taxi, ASK, exchange("Inns_1"), taxi, taxi, exchange("Inns_1")),
        dialogue("2", exchange("Taxis_1", act("city", "Bath")), there),
    )
    assert rows[["group", "service", "split"]].to_numpy().tolist() == [
        ["train 1", "Inns_1", "train"],
        ["train 1", "Inns_1", "train"],
        ["test 1", "Inns_1", "test"],
    ]
    assert [len(load_messages(text)) for text in rows["messages"]] == [7, 3, 5], "a line of tools before each"
    assert notes == [
        "runs (exchanges): kept 3 (4), dropped: of a service without a schema 3 (4), "
        "dropped: an argument from another service 1 (1)",
        "records of results: kept 6, dropped 2",
    ]


def test_a_call_its_result_and_the_tools_are_as_the_schema_and_the_dialogue_have_them(place: Path) -> None:
    rows, _ = read(place, dialogue("1", ASK))
    tools, user, call, result, reply = load_messages(rows["messages"][0])
    assert tools_of([tools]) == [
        {
            "type": "function",
            "function": {
                "name": "FindInn",
                "description": "Find an inn",
                "parameters": {
                    "type": "object",
                    "properties": {
                        "city": {"type": "string", "description": "Where"},
                        "stars": {"type": "string", "description": "How good", "enum": ["3", "5"]},
                    },
                    "required": ["city"],
                },
            },
        }
    ]
    assert (user, reply) == ({"role": "user", "content": "q"}, {"role": "assistant", "content": "a"})
    assert call["tool_calls"][0]["function"] == {"name": "FindInn", "arguments": {"city": "Bath"}}
    assert (result["name"], json.loads(result["content"])) == ("FindInn", RECORDS[:3])


@pytest.mark.parametrize(
    ("exchanges", "kept"),
    [
        ([exchange("Inns_1", call={"city": "Bath"})], False),
        ([exchange("Inns_1", said="an inn in Bath"), exchange("Inns_1", call={"city": "Bath"})], False),
        ([exchange("Inns_1", act("stars", "Bath"), call={"city": "Bath"})], False),
        ([exchange("Inns_1", act("city", "The city of Bath", "Bath"), call={"city": "Bath"})], True),
        ([ASK, exchange("Inns_1", call={"city": "Bath"})], True),
    ],
)
def test_a_run_is_dropped_where_nothing_before_a_call_states_its_argument(
    place: Path, exchanges: list[list[Any]], kept: bool
) -> None:
    assert ("train 9" in read(place, dialogue("9", *exchanges))[0]["group"].tolist()) == kept


def test_a_sample_is_of_dialogues_and_stays_when_others_are_added(place: Path) -> None:
    every = [dialogue(str(n), ASK, exchange("Taxis_1"), exchange("Inns_1")) for n in range(20)]
    rows, notes = read(place, *every, sample={"train": 5})
    drawn = Counter(rows[rows["split"] == "train"]["group"])
    assert set(drawn.values()) == {2} and len(drawn) == 5 and len(rows) == 11
    assert "sample of train: 10 of 40 runs, those of 5 of 20 dialogues" in notes
    fewer, _ = read(place, *every[:15], sample={"train": 5})
    assert {f"train {n}" for n in range(15)} & set(drawn) <= set(fewer["group"])


@pytest.mark.parametrize(
    ("turns", "told"),
    [
        (ASK[:1], r"train.jsonl.gz:1: 1 turns; the system's answer to the last one is missing"),
        (ASK[::-1], r"train.jsonl.gz:1, turn 1: the speaker is SYSTEM; .* it must be USER"),
        ([ASK[0], ASK[1] | {"frames": []}], r"turn 2: 0 frames; the system speaks for one service"),
        ([ASK[0] | {"utterance": None}, ASK[1]], r"turn 1: `utterance` is null; .* `utterance` is a text"),
        (exchange("Inns_1", call={"town": "Bath"}), r"turn 2: FindInn has no slot 'town', only city, stars; name the"),
        (exchange("Inns_1", act("city", "B"), call={"city": "B"}, records=["x"]), r"turn 2: a record .* is str"),
        (
            [
                ASK[0],
                {**ASK[1], "frames": [{**ASK[1]["frames"][0], "service_call": {"method": "Fly", "parameters": {}}}]},
            ],
            r"turn 2: Fly is no intent of Inns_1, which has FindInn; name the schema file",
        ),
        ("talk", r"train.jsonl.gz:1: `turns` is a text; the data set has an object whose `turns` is a list"),
    ],
)
def test_a_dialogue_that_is_not_as_the_data_set_has_it(place: Path, turns: Any, told: str) -> None:
    with pytest.raises(DataError, match=told):
        read(place, {"dialogue_id": "1", "turns": turns})


@pytest.mark.parametrize(
    ("file", "content", "told"),
    [
        ("schema.json", b"{}", r"schema.json is an object; a schema file holds a list of services"),
        ("schema.json", b"[3]", r"schema.json, service 1: it is a number; .* `service_name` is a text"),
        ("schema.json", json.dumps([INNS, INNS | {"slots": []}]).encode(), r"Inns_1 is described otherwise"),
        ("schema.json", json.dumps([INNS | {"slots": [CITY]}]).encode(), r"slot 'stars' is none of Inns_1, which has"),
        (
            "train.jsonl.gz",
            gzip.compress(b"{}", mtime=0)[:-4],
            r"train.jsonl.gz: damaged gzip .*; fetch the file again",
        ),
        ("train.jsonl.gz", b'\n{"a": ', r"train.jsonl.gz:2 is no JSON"),
        ("train.jsonl.gz", b"\xff{}", r"train.jsonl.gz: byte 0 is not UTF-8"),
    ],
)
def test_a_file_that_is_none_of_the_data_set(place: Path, file: str, content: bytes, told: str) -> None:
    write(place / "train.jsonl.gz", dialogue("1", ASK))
    write(place / "test.jsonl", dialogue("1", ASK))
    (place / file).write_bytes(content)
    with pytest.raises(DataError, match=told):
        read_source(source(), Intake(place))


def test_an_array_of_dialogues_is_read_as_lines_are_and_all_files_are_pinned(place: Path) -> None:
    rows, _ = read(place, dialogue("1", ASK))
    (place / "dev.json").write_text(json.dumps([dialogue("1", ASK)]))
    whole = source(train="dev.json", validation="dev.json")
    assert read_source(whole, Intake(place))["messages"].tolist() == rows["messages"].tolist()[:1] * 3
    before = pin(whole, ask=False)[1]
    (place / "schema.json").write_text(json.dumps([INNS]) + "\n")
    assert pin(whole, ask=False)[1] != before and kept_columns(whole) == ("service",)


def test_the_hotels_of_the_data_set(datasets: Path, tmp_path: Path) -> None:
    folder = datasets / "sgd-hotels"
    if not folder.is_dir():
        pytest.skip("the data set's files are not on this machine")
    named: dict[str, Any] = {part: str(folder / f"{part}.jsonl.gz") for part in ("train", "test")}
    schemas = tuple(str(folder / f"{part}-schema.json") for part in ("train", "dev", "test"))
    given = SgdSource(kind="sgd", **named, validation=str(folder / "dev.jsonl.gz"), schemas=schemas)
    intake = Intake(tmp_path)
    rows = read_source(given, intake)
    found = rows.groupby(["split", "service"]).size().to_dict()
    assert sum(found.values()) == 1512 and ("train", "Hotels_4") not in found and ("test", "Hotels_4") in found
    assert "kept 1,512 (9,512)" in intake.notes[0]
    for text in rows["messages"]:
        messages = load_messages(text)
        names = {tool["function"]["name"] for tool in tools_of(messages)}
        assert {one["tool_calls"][0]["function"]["name"] for one in messages if is_call(one)} <= names
