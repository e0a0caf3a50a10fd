"""temper init of dialogues: lists of messages and pairs of prompt and reply become a recipe that can be read."""

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from configs.load import load_recipe
from flows.starter_recipe import prepare
from tasks.autodetect.dialogues import dialogue_columns
from tasks.data.errors import DataError

TURNS = ("Where is number {}?", "Behind the bridge, door {}.")


def talk(number: int) -> list[dict[str, str]]:
    return [
        {"role": role, "content": text.format(number)} for role, text in zip(("user", "assistant"), TURNS, strict=True)
    ]


def started(folder: Path, rows: list[dict[str, Any]], kind: Any = None) -> tuple[str, Any]:
    """The recipe's text and what it reads as."""
    path, output = folder / "talks.jsonl", folder / "talks.yaml"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    text = prepare(str(path), output, kind)[0].text()
    output.write_text(text, encoding="utf-8")
    return text, load_recipe(output)


@pytest.mark.parametrize("form", ["list", "json"])
def test_a_column_of_messages_is_a_recipe_for_dialogues(form: str, tmp_path: Path) -> None:
    rows = [{"chat": talk(n) if form == "list" else json.dumps(talk(n)), "score": n} for n in range(30)]
    _, recipe = started(tmp_path, rows)
    assert (recipe.encode.kind, recipe.download.columns.messages) == ("dialogue", "chat")
    assert recipe.clean.steps is not None and [step.kind for step in recipe.clean.steps] == ["missing", "duplicates"]


def test_prompts_with_their_replies_are_dialogues_of_two_turns(tmp_path: Path) -> None:
    rows = [{"instruction": "Answer.", "input": TURNS[0].format(n), "output": TURNS[1].format(n)} for n in range(30)]
    _, recipe = started(tmp_path, rows)
    assert recipe.download.columns.prompts == ("instruction", "input")
    assert recipe.download.columns.completion == "output"


def test_faults_of_dialogues_are_counted_and_fixed(tmp_path: Path) -> None:
    rows = [{"messages": [*talk(n), *([{"role": "user", "content": "Bye."}] if n < 4 else [])]} for n in range(30)]
    text, recipe = started(tmp_path, rows)
    assert recipe.validate.severity == {"turns": "warn"} and "- cut_trailing_turns  # 4 dialogues" in text


def test_other_tables_are_no_dialogues(tmp_path: Path) -> None:
    table = pd.DataFrame({"question": ["a", "b"], "answer": ["x", "y"]})
    assert dialogue_columns(table, asked=False) is None
    named = dialogue_columns(table, asked=True)
    assert named is not None and named.completion == "answer"
    with pytest.raises(DataError, match="no column holds lists of messages"):
        started(tmp_path, [{"text": "a", "label": "x"}], "dialogue")


def test_dialogues_that_cannot_be_trained_on_are_not_taken_for_texts_with_labels(tmp_path: Path) -> None:
    rows = [{"messages": json.dumps(talk(n % 2)), "text": f"word {n}", "label": "xy"[n % 2]} for n in range(40)]
    with pytest.raises(DataError, match="2 dialogues after cleaning are too few to be split"):
        started(tmp_path, rows)


def test_questions_and_answers_are_a_dialogue_where_the_answers_are_replies() -> None:
    asked = [f"Where is place {n}?" for n in range(20)]
    replies = pd.DataFrame({"question": asked, "answer": [f"In the south, {n} miles off." for n in range(20)]})
    labels = replies.assign(answer=["yes", "no"] * 10)
    found = dialogue_columns(replies, asked=False)
    assert found is not None and (found.prompt, found.completion) == ("question", "answer")
    assert dialogue_columns(labels, asked=False) is None and dialogue_columns(labels, asked=True) is not None
