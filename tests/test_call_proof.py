"""Calls that do not read back from what the template writes: counted by encode, and no score of evaluate."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from registered import dialogue_folder
from test_call_reader import FORMS, ROUND, TOOL, turn

from configs.load import load_recipe
from configs.schema import Evaluate
from flows.stage_graph import perform_until
from tasks.data.dialogues.messages import Message, dump_messages
from tasks.kinds.dialogue.report import CALL_SCORES, judge
from tasks.store.events import Event
from tasks.text.chat.call_proof import prove_calls
from tasks.text.chat.encoding import DialogueEncoding
from tasks.text.chat.predictor import Predictor

ROOT = Path(__file__).resolve().parent.parent
QUOTED = '<tool_call>\n{"name": "hours", "arguments": {"day": 1}}\n</tool_call>'
"""A text that, beside a call, reads as a further one."""
CLEAR, UNCLEAR = turn(("hours", {"day": 7})), turn(("hours", {"day": 7}), content=QUOTED)


def talk(*turns: Message, about: str = "a") -> list[Message]:
    head = {"role": "system", "content": "", "tools": [TOOL]}
    given = {"role": "tool", "content": "9", "name": "hours"}
    pairs = [message for one in turns for message in ({"role": "user", "content": f"{about} row?"}, one, given)]
    return [head, *pairs, {"role": "assistant", "content": "at nine"}]


def encoding(template: str, tmp_path: Path) -> DialogueEncoding:
    return replace(Predictor.load(dialogue_folder(tmp_path)).encoding, template=template)


@pytest.mark.parametrize("name", sorted(FORMS))
def test_calls_that_come_back_are_counted_and_nothing_is_said(name: str, tmp_path: Path) -> None:
    proof = prove_calls(encoding(ROUND.replace("BODY", FORMS[name]), tmp_path), {"r": talk(CLEAR, CLEAR)})
    assert (proof.turns, proof.unread, proof.describe()) == (2, (), "")


def test_turns_that_do_not_come_back_are_named(tmp_path: Path) -> None:
    inner, trims = turn(("hours", {"shop": "  tea"})), FORMS["xml"].replace("v if v is", "v | trim if v is")
    made = encoding(ROUND.replace("BODY", trims), tmp_path)
    proof = prove_calls(made, {"r1": talk(CLEAR, inner), "r2": talk(CLEAR), "r3": [{"role": "user", "content": "x"}]})
    assert (proof.turns, proof.unread) == (3, (("r1", 5),))
    assert "1 of 3 turns" in proof.describe() and "(r1 message 6)" in proof.describe()
    lossy = prove_calls(encoding(ROUND.replace("BODY", ""), tmp_path / "none"), {"r": talk(CLEAR)})
    assert lossy.unread and "writes no calls" in lossy.describe()


def test_encode_says_which_training_calls_do_not_read_back(home: Path, heard: list[Event]) -> None:
    rows = [talk(UNCLEAR if number % 2 else CLEAR, about=f"{number} {'good' * number}") for number in range(24)]
    lines = [
        json.dumps({"messages": [{k: v for k, v in m.items() if k != "tools"} for m in row], "tools": [TOOL]})
        for row in rows
    ]
    (home.parent / "data" / "talks.jsonl").write_text("\n".join(lines), encoding="utf-8")
    recipe = load_recipe(
        ROOT / "configs" / "hotel_demo.yaml",
        [
            "download={kind: file, path: talks.jsonl, columns: {messages: messages}}",
            "validate={}",
            "clean={steps: []}",
            "split={kind: hash, exact: true, near_copies: keep}",
            "encode.tools=null",
        ],
    )
    done = perform_until(recipe, "encode")["encode"].result
    page = next(path.read_text(encoding="utf-8") for path in done.records.iterdir() if path.suffix == ".md")
    assert "turns with calls in training dialogues do not read back" in page
    assert any("do not read back" in str(event) for event in heard)


def judged(tests: list[list[Message]], tmp_path: Path) -> dict[str, Any]:
    table = pd.DataFrame(
        {"id": [f"t{n}" for n in range(len(tests))], "messages": [dump_messages(one) for one in tests]}
    )
    how = Evaluate(bootstrap=100, batch_size=4, max_new_tokens=3)
    found, _ = judge(dialogue_folder(tmp_path), table, table, how, lambda done, of: None)
    return {**found.facts, "told": " ".join(found.examples)}


def test_call_scores_that_nothing_can_earn_are_left_out(tmp_path: Path) -> None:
    none = judged([talk(UNCLEAR), talk(UNCLEAR)], tmp_path)
    assert not set(CALL_SCORES) & set(none["scores"]) and set(none["unmeasured"]) == set(CALL_SCORES)
    assert none["counts"]["unreadable_calls"] == 2 and "left out of the scores: 2" in none["told"]
    some = judged([talk(UNCLEAR), talk(CLEAR, CLEAR)], tmp_path)
    assert {"argument_f1", "call_exact", "call_recall"} <= set(some["scores"]) and some["unmeasured"] == {}
    assert (some["counts"]["calls_due"], some["counts"]["unreadable_calls"]) == (2, 1)
    long = judged([talk(CLEAR, about="good row " * 1200), talk(CLEAR)], tmp_path)
    assert long["counts"]["too_long"] == 2, "a history without room is a turn of the evaluation, and no sample"
    every = judged([talk(CLEAR)], tmp_path)
    assert every["counts"]["unreadable_calls"] == 0 and "left out" not in every["told"]
