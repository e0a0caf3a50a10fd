"""Dialogues in the stages before encode: sources, expectations, cleaning, splits, pins, models of the registry."""

import json
import re
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from source_rows import load_rows

from configs.cleaning import Clean
from configs.encodings import DialogueEncode
from configs.expectations import Validate
from configs.load import load_recipe
from configs.models import LocalModel, LocalTokenizer, RegisteredModel, RegisteredTokenizer, TrainedTokenizer
from configs.sources import Columns, CrosswozSource, EmbeddedSource, FileSource, holds
from configs.splitting import GivenSplit, HashSplit
from configs.tools import HotelTable
from flows.stage_graph import perform_until
from tasks.artifact import StageError
from tasks.data.checks.dialogue_checks import WORDS
from tasks.data.checks.expectations import check_rows
from tasks.data.checks.results import rows_under
from tasks.data.cleaning.pipeline import clean_rows
from tasks.data.dialogues.messages import dump_messages, load_messages
from tasks.data.errors import DataError
from tasks.data.leakage import near_copies
from tasks.data.rows import with_ids
from tasks.data.sources.provenance import Intake
from tasks.data.sources.read import read_source
from tasks.data.splitting import split_rows
from tasks.pins import pin
from tasks.store.events import Event

ROOT = Path(__file__).resolve().parent.parent
OPENAI = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "hello"}]
SHAREGPT = [{"from": "human", "value": "hi"}, {"from": "gpt", "value": "hello"}]
TALKS = FileSource(kind="file", path="talks.jsonl", columns=Columns(messages="chat"))


def written(home: Path, rows: list[Any]) -> Path:
    path = home.parent / "data" / "talks.jsonl"
    path.write_text("".join(json.dumps({"chat": row}) + "\n" for row in rows), encoding="utf-8")
    return path


def demo(tmp_path: Path) -> pd.DataFrame:
    return with_ids(load_rows(EmbeddedSource(kind="embedded", name="hotel_dialogues"), tmp_path))


def test_forms_become_one_and_rows_have_no_classes(home: Path, tmp_path: Path) -> None:
    written(home, [OPENAI, SHAREGPT, json.dumps(OPENAI)])
    rows = load_rows(TALKS, tmp_path)
    assert rows["messages"].nunique() == 1 and load_messages(rows["messages"][0]) == OPENAI
    assert "label" not in rows and "text" not in rows
    assert holds(TALKS) == ("messages", None)
    pq.write_table(pa.table({"chat": [OPENAI]}), home.parent / "data" / "talks.parquet")
    nested = load_rows(FileSource(kind="file", path="talks.parquet", columns=Columns(messages="chat")), tmp_path)
    assert nested["messages"][0] == rows["messages"][0]


def test_a_dialogue_that_is_none_is_named_by_its_row(home: Path, tmp_path: Path) -> None:
    written(home, [OPENAI, [{"role": "wizard", "content": "x"}]])
    with pytest.raises(DataError, match=r"row 2: message 1: unknown role 'wizard'"):
        load_rows(TALKS, tmp_path)


def test_label_and_messages_exclude_each_other() -> None:
    with pytest.raises(ValueError, match="exclude each other"):
        Columns(messages="chat", label="mood")
    with pytest.raises(ValueError, match="exclude each other"):
        Columns(messages="chat", target="mood")


@pytest.mark.parametrize(
    ("turns", "says"),
    [
        ([{"role": "user", "content": "a"}, {"role": "user", "content": "b"}, *OPENAI[1:]], "roles"),
        ([{"role": "user", "content": " "}, OPENAI[1]], "empty_turns"),
        ([OPENAI[0], {**OPENAI[1], "weight": 0}], "trained_turns"),
    ],
)
def test_dialogues_that_break_an_expectation_leave_under_its_name(tmp_path: Path, turns: list[Any], says: str) -> None:
    rows = demo(tmp_path)
    odd = with_ids(pd.DataFrame({"messages": [dump_messages(turns)], "split": None}))
    section = Validate(severity={"turns": "quarantine"}, min_rows=30)
    verdicts, _ = check_rows(pd.concat([rows, odd], ignore_index=True), section)
    gone = rows_under(verdicts, "quarantine")
    assert gone["id"].unique().tolist() == odd["id"].tolist() and gone["expectation"].eq(WORDS[says]).any()
    clean, _ = check_rows(rows, Validate(min_rows=30))
    assert all(verdict.success for verdict in clean), [verdict.name for verdict in clean if not verdict.success]


def test_arguments_that_no_tool_has_are_seen(tmp_path: Path) -> None:
    section = Validate(min_rows=30, tools={"search_hotels": ("name", "type")})
    broken = [verdict for verdict in check_rows(demo(tmp_path), section)[0] if not verdict.success]
    assert [verdict.name for verdict in broken] == [WORDS["unknown_arguments"]]
    assert "search_hotels.price" in broken[0].offending[0][1]


def test_equal_dialogues_are_dropped_and_near_copies_leave_train(tmp_path: Path) -> None:
    rows = demo(tmp_path)
    again = with_ids(pd.concat([rows.drop(columns="id"), rows.drop(columns="id").head(3)], ignore_index=True))
    cleaned = clean_rows(again, Clean())
    assert len(cleaned.rows) == 40 and set(cleaned.dropped["reason"]) == {"duplicate"}
    near = rows.head(1).copy()
    near["messages"] = near["messages"].str.replace("please", "pleasing").str.replace("a night", "each night")
    assert near["messages"][0] != rows["messages"][0]
    both = with_ids(pd.concat([rows.drop(columns="id"), near.drop(columns="id")], ignore_index=True))
    parts = pd.Series(["test", *["train"] * 40], dtype="str")
    found = near_copies(both, parts, HashSplit())
    assert found["id"].tolist() == [both["id"].iloc[-1]] and found["other"].tolist() == [both["id"].iloc[0]]


def test_validation_is_cut_out_of_given_training_rows_by_group(tmp_path: Path) -> None:
    rows = demo(tmp_path).assign(split=["train"] * 30 + ["test"] * 10, group=[str(n // 2) for n in range(40)])
    section = GivenSplit(kind="given", validation=0.3)
    parts = split_rows(rows, section)
    cut = rows[parts == "validation"]
    assert (rows["split"] == "test").tolist() == (parts == "test").tolist()
    assert 2 <= len(cut) <= 18 and not set(cut["group"]) & set(rows["group"][parts == "train"])
    again = split_rows(rows.iloc[5:], section)
    assert again.tolist() == parts.iloc[5:].tolist(), "rows stay where they are when others leave"
    with pytest.raises(DataError, match="has validation rows of its own"):
        split_rows(rows.assign(split=["validation", *rows["split"].tolist()[1:]]), section)


def test_what_a_dialogue_recipe_reads_is_pinned_by_its_bytes(home: Path) -> None:
    folder = home.parent / "data"
    for name in ("a.json", "b.json", "hotels.jsonl", "talk.jinja"):
        (folder / name).write_text("{}", encoding="utf-8")
    source = CrosswozSource(kind="crosswoz", train="a.json", test="b.json", hotels="hotels.jsonl")
    encode = DialogueEncode(
        kind="dialogue",
        tokenizer=TrainedTokenizer(kind="train"),
        template="talk.jinja",
        tools=HotelTable(kind="hotels", path="hotels.jsonl"),
    )
    before = [pin(section, ask=True)[1] for section in (source, encode)]
    (folder / "hotels.jsonl").write_text("{ }", encoding="utf-8")
    after = [pin(section, ask=True)[1] for section in (source, encode)]
    assert before[0] != after[0] and before[1] != after[1]
    (folder / "talk.jinja").write_text("{  }", encoding="utf-8")
    assert pin(encode, ask=True)[1] != after[1] and pin(source, ask=True)[1] == after[0]


@pytest.mark.faults
def test_crosswoz_becomes_rows_with_groups_and_counted_fates(
    datasets: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("TEMPER_DATA", str(datasets))
    source = CrosswozSource(
        kind="crosswoz", train="crosswoz/val.json.zip", test="crosswoz/test.json.zip", hotels="crosswoz/hotel_db.json"
    )
    intake = Intake(tmp_path)
    rows = read_source(source, intake)
    assert rows["split"].value_counts().to_dict() == {"test": 462, "train": 453}
    assert rows["group"].notna().all() and rows["group"].nunique() < len(rows)
    (counted,) = intake.notes
    assert sum(int(number.replace(",", "")) for number in re.findall(r"[\d,]*\d", counted)) == 16_934


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (["encode.max_length=60"], r"no train row is left to encode: too long: 40, such as row .*change `encode`"),
        (["encode.max_length=300"], r"no validation row is left to encode: too long: 28, such as row "),
        (
            ["encode.max_length=310", "encode.max_dropped=0.1"],
            r"encode would drop \d+% of 40 rows, more than `encode.max_dropped` 0.1: too long: \d+, such as row ",
        ),
        (["encode.max_length=310"], None),
    ],
)
def test_a_run_ends_where_too_many_rows_leave_nothing_to_learn(
    changes: list[str], message: str | None, heard: list[Event]
) -> None:
    recipe = load_recipe(ROOT / "configs" / "hotel_demo.yaml", changes)
    if message:
        with pytest.raises(DataError, match=message):
            perform_until(recipe, "encode")
        return
    perform_until(recipe, "encode")
    told = [event.text for event in heard if event.stage == "encode" and event.kind == "note"]
    assert len(told) == 1 and re.match(r"\d+ rows are dropped: too long: \d+, such as row \w+-0 ", told[0])


def test_a_model_that_is_not_registered_is_named(home: Path) -> None:
    with pytest.raises(StageError, match="the registered model nobody champion cannot be had"):
        pin(RegisteredModel(kind="registered", name="nobody"), ask=True)


@pytest.mark.faults
def test_a_training_goes_on_from_a_registered_model(harness: None, heard: list[Event]) -> None:
    from tiny import recipe, run

    version, _ = run(recipe(), heard)
    model, plain = pin(RegisteredModel(kind="registered", name=version.name), ask=True)
    assert isinstance(model, LocalModel) and Path(model.path, "model.safetensors").is_file()
    assert plain == pin(RegisteredModel(kind="registered", name=version.name, version="1"), ask=True)[1]
    tokenizer, _ = pin(RegisteredTokenizer(kind="registered", name=version.name), ask=True)
    assert isinstance(tokenizer, LocalTokenizer)
    further, status = run(
        recipe(
            f"train.model={{kind: registered, name: {version.name}}}",
            f"encode.tokenizer={{kind: registered, name: {version.name}}}",
        ),
        heard,
    )
    assert status["train"] == "run" and further.version != version.version
