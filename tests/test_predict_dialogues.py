"""Predictions of files of dialogues: a reply to each history, in every format and form, whatever interrupts them."""

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from registered import dialogue_folder, register_dialogues
from typer import Exit

from flows.cli import predict
from tasks.data.errors import DataError
from tasks.inference.batch import Model, predict_into
from tasks.inference.dialogue_inputs import Dialogues, open_dialogues, reply_columns
from tasks.inference.inputs import open_table
from tasks.inference.outputs import raw
from tasks.inference.reply_model import reply_model
from tasks.kinds.spec import module_of
from tasks.text.chat.predictor import Predictor
from tasks.tracking.model_package import carry_code

ASK = {"role": "user", "content": "a good row?"}
REPLY = {"role": "assistant", "content": "never again"}
CALL = {
    "role": "assistant",
    "content": "",
    "tool_calls": [{"type": "function", "function": {"name": "find", "arguments": {"time": 3}}}],
}
RESULT = {"role": "tool", "content": "[7]", "name": "find"}
TALKS: list[list[dict[str, Any]]] = [
    [ASK, REPLY],
    [ASK, REPLY, ASK],
    [ASK, CALL, RESULT, REPLY],
    [ASK, CALL],
    [{"role": "system", "content": "be bad"}, ASK],
]
HISTORIES = [["user"], ["user", "assistant", "user"], ["user", "assistant", "tool"], ["user"], ["system", "user"]]


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Predictor:
    return Predictor.load(dialogue_folder(tmp_path_factory.mktemp("model")))


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    """The rows as CSV (dialogues as JSON text), JSON lines or Parquet, by the ending."""
    if path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        return path
    plain = [
        {key: value if isinstance(value, str | int) else json.dumps(value) for key, value in row.items()}
        for row in rows
    ]
    table = pd.DataFrame(plain)
    table.to_csv(path, index=False) if path.suffix == ".csv" else table.to_parquet(path)
    return path


def opened(path: Path, column: str | None = None) -> Dialogues:
    return open_dialogues(open_table(path, column), column)


@pytest.mark.parametrize("ending", [".csv", ".jsonl", ".parquet"])
def test_a_history_ends_before_the_assistants_last_turns(tmp_path: Path, ending: str) -> None:
    rows = [{"id": f"d{number}", "messages": talk} for number, talk in enumerate(TALKS)]
    found = opened(write(tmp_path / f"talks{ending}", rows))
    assert [[message["role"] for message in one] for one in found.histories] == HISTORIES
    assert list(found.rows) == ["id"] and found.rows["id"].tolist() == [f"d{number}" for number in range(5)]


def test_forms_tools_and_system_are_read_as_recipes_read_them(tmp_path: Path) -> None:
    tool = {"type": "function", "function": {"name": "find", "parameters": {"type": "object", "properties": {}}}}
    turns = [{"from": "human", "value": "a good row?"}, {"from": "gpt", "value": "never"}]
    row = {"conversations": turns, "tools": [tool], "system": "be bad", "weight": 2}
    found = opened(write(tmp_path / "talks.jsonl", [row]))
    ((first, asked),) = found.histories
    assert first["content"] == "be bad" and first["tools"][0]["function"]["name"] == "find"
    assert asked == ASK and list(found.rows) == ["weight"]
    bare = opened(write(tmp_path / "bare.jsonl", [{"messages": [ASK]}] * 2))
    assert bare.rows["row"].tolist() == [1, 2]


@pytest.mark.parametrize(
    ("talk", "says"),
    [
        ([REPLY], "row 2: no turn of a user or a tool"),
        ([{"role": "system", "content": "x"}, REPLY], "row 2: no turn"),
        ([{"role": "chorus", "content": "x"}], "row 2: message 1: unknown role 'chorus'"),
        ([{**ASK, "mood": "x"}], r"leave it out of the file$"),
        ("hello", "row 2: "),
    ],
)
def test_what_cannot_be_replied_to_is_refused_by_row(tmp_path: Path, talk: Any, says: str) -> None:
    with pytest.raises(DataError, match=says):
        opened(write(tmp_path / "talks.jsonl", [{"messages": [ASK]}, {"messages": talk}]))


@pytest.mark.parametrize("name", ["history", "images", "system_message"])
def test_what_would_change_what_is_asked_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(DataError, match=rf"row 1: '{name}' next to .*, or leave it out of the file$"):
        opened(write(tmp_path / "talks.jsonl", [{"messages": [ASK], name: ["earlier"]}]))


def test_calls_are_json_beside_the_reply() -> None:
    assert reply_columns(REPLY) == {"reply": "never again", "calls": "[]"}
    told = reply_columns(CALL)
    assert told["reply"] == "" and json.loads(told["calls"]) == [{"name": "find", "arguments": {"time": 3}}]


def test_a_dialogue_that_is_too_long_has_a_reason_and_the_others_their_reply(loaded: Predictor, tmp_path: Path) -> None:
    rows = [{"messages": [{**ASK, "content": words}]} for words in ("a row", "good row " * 1200, "bad")]
    done = predict_into(tmp_path / "out.jsonl", opened(write(tmp_path / "in.jsonl", rows)), reply_model(loaded, {}))
    out = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text(encoding="utf-8").splitlines()]
    assert done.rows == 3 and done.failed == 1
    assert [one["error"] is None for one in out] == [True, False, True] and "tokens" in out[1]["error"]
    wanted = loaded.write([[{**ASK, "content": words}] for words in ("a row", "bad")])
    assert [out[0]["reply"], out[2]["reply"]] == [one.message["content"] for one in wanted]


class Stopping:
    """A model that is ended at its n-th batch."""

    def __init__(self, model: Model, after: int) -> None:
        self.model, self.left = model, after

    def __call__(self, given: Any) -> pd.DataFrame:
        self.left -= 1
        if self.left < 0:
            raise KeyboardInterrupt
        return self.model.ask(given)


def test_stopped_between_batches_it_ends_in_the_same_bytes(loaded: Predictor, tmp_path: Path) -> None:
    asked = opened(write(tmp_path / "in.jsonl", [{"id": n, "messages": talk} for n, talk in enumerate(TALKS)]))
    asked, model = replace(asked, batch=2), reply_model(loaded, {})
    predict_into(tmp_path / "whole.csv", asked, model)
    with pytest.raises(KeyboardInterrupt):
        predict_into(tmp_path / "out.csv", asked, Model(Stopping(model, 1), model.columns, {}))
    said: list[str] = []
    assert predict_into(tmp_path / "out.csv", asked, model, said.append).kept == 2 and "row 3 of 5" in said[0]
    assert (tmp_path / "out.csv").read_bytes() == (tmp_path / "whole.csv").read_bytes()


@pytest.mark.faults
def test_a_registered_model_replies_to_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TEMPER_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    folder = register_dialogues("talker")
    rows = [{"id": f"d{number}", "text": "beside", "messages": talk} for number, talk in enumerate(TALKS)]
    file = write(tmp_path / "talks.jsonl", rows)
    with raw():
        predict.command("talker", str(file), output=tmp_path / "out.parquet")
    out = pd.read_parquet(tmp_path / "out.parquet")
    assert list(out) == ["id", "text", "reply", "calls", "error"] and out["error"].isna().all()
    wanted = Predictor.load(folder).write(opened(file, "messages").histories)
    assert out["reply"].tolist() == [one.message["content"] for one in wanted]
    predict.command("talker", str(file))
    assert capsys.readouterr().out.startswith("id,text,reply,calls,error\n")


def test_a_model_carries_every_program_that_its_code_runs(tmp_path: Path) -> None:
    code = carry_code(tmp_path, "carried", module_of("dialogue", "predictor"))
    named = re.compile(r"\b(\w+\.py)\b|(?<=\()(\w+)(?=\.__file__)")
    called = {(path.parent, name) for path in code.rglob("*.py") for name in named.findall(path.read_text("utf-8"))}
    programs = {(folder, script or f"{module}.py") for folder, (script, module) in called}
    assert {name for _, name in programs} >= {"template_trial.py"}
    assert [name for folder, name in programs if not (folder / name).is_file()] == []


PROMPTS = {
    "prompt and completion": ({"prompt": "a good row?", "completion": "never again"}, ["a good row?"]),
    "a prompt alone": ({"prompt": "a good row?"}, ["a good row?"]),
    "a question whose answer is due": ({"question": "a good row?", "answer": None}, ["a good row?"]),
    "an instruction with an input": (
        {"instruction": "again?", "input": "a row", "output": "never"},
        ["again?\n\na row"],
    ),
    "a system text beside": ({"prompt": "a row?", "completion": "b", "system": "be bad"}, ["be bad", "a row?"]),
    "messages as a prompt": ({"prompt": [ASK], "completion": [REPLY]}, ["a good row?"]),
}


@pytest.mark.parametrize("form", PROMPTS)
@pytest.mark.parametrize("ending", [".jsonl", ".csv"])
def test_what_is_asked_is_read_as_recipes_read_prompt_and_completion(form: str, ending: str, tmp_path: Path) -> None:
    row, wanted = PROMPTS[form]
    asked = opened(write(tmp_path / f"asked{ending}", [{"id": 1, **row}, {"id": 2, **row}]))
    assert [[turn["content"] for turn in history] for history in asked.histories] == [wanted, wanted]
    assert "id" in asked.rows and "system" not in asked.rows
    if isinstance(row.get("prompt"), str):
        assert asked.rows["prompt"].tolist() == [row["prompt"]] * 2


def test_any_column_of_texts_can_be_what_is_asked(tmp_path: Path) -> None:
    file = write(tmp_path / "asked.csv", [{"subject": "a good row?", "text": "beside"}])
    assert opened(file, "subject").histories[0] == [ASK]


@pytest.mark.faults
def test_a_column_of_prompts_is_no_text_of_a_classifier_unasked(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from registered import register_texts

    register_texts("labels")
    register_dialogues("talker")
    file = write(tmp_path / "asked.csv", [{"prompt": "a good row?", "completion": "never again"}])
    with pytest.raises(Exit):
        predict.command("labels", str(file))
    assert "no column 'text' among ['prompt', 'completion']; name one with --column" in capsys.readouterr().err
    predict.command("labels", str(file), "prompt")
    predict.command("talker", str(file))
    assert "\nprompt,completion,reply,calls,error\na good row?,never again," in capsys.readouterr().out
