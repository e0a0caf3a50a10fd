"""No value of the data collides with a word that Temper uses itself, whatever the data calls its labels and groups."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from configs.load import load_recipe
from flows.stage_graph import perform_until
from tasks.data.drift import profile
from tasks.data.rows import UNLABELLED, classes, units, with_ids
from tasks.kinds.dialogue.metrics import Turn, arguments, score_turns
from tasks.learn.champion_test import Rule, slices
from tasks.learn.resampling import Outcomes, Resampling, ratio
from tasks.store.events import Event
from tasks.tracking.promotion import _slices

WORDS = (
    "all",
    UNLABELLED,
    "other",
    "missing",
    "none",
    "None",
    "nan",
    "null",
    "total",
    "overall",
    "unknown",
    "label",
    "train",
    "test",
    "id",
    "accuracy",
    "macro avg",
    "rarer reasons",
    "row 1",
    "NA",
)
HOW = Resampling(resamples=100, confidence=0.9, seed=1)


def side(right: np.ndarray) -> Outcomes:
    return Outcomes(np.stack([right, np.ones(len(right))], axis=1), ratio)


@pytest.mark.parametrize("word", WORDS)
def test_a_slice_of_any_name_is_not_the_one_of_rows_without_a_value(word: str) -> None:
    rows = pd.DataFrame({"area": [word] * 60 + [None] * 40 + ["north"] * 50}, dtype="str")
    new, old = np.ones(150), np.ones(150)
    new[:60], old[60:] = 0, 0
    found = slices((side(new), side(old)), Rule(HOW), groups=None, rows=rows, smallest={"area": 5})
    assert {one.value: (one.rows, one.regressed) for one in found} == {
        word: (60, True),
        None: (40, False),
        "north": (50, False),
    }


def test_a_regressed_slice_says_whether_its_value_is_missing_or_called_so() -> None:
    new, old = np.zeros(50), np.ones(50)
    tables = [pd.DataFrame({"area": [value] * 50}, dtype="str") for value in ("missing", None)]
    found = [slices((side(new), side(old)), Rule(HOW), groups=None, rows=rows, smallest={"area": 5}) for rows in tables]
    said = [_slices(one).partition(" (")[0] for one in found]
    assert said == ["area is 'missing'", "area is missing"]


@pytest.mark.parametrize("word", WORDS)
def test_a_tool_and_an_argument_of_any_name_are_themselves(word: str) -> None:
    def call(tool: str, **arguments: Any) -> dict[str, Any]:
        named = {"type": "function", "function": {"name": tool, "arguments": arguments}}
        return {"role": "assistant", "content": "", "tool_calls": [named]}

    asked = call(word, **{word: word})
    assert arguments(asked) == {(word, word, word)}
    right, wrong = (score_turns([Turn("a", 1, asked, made, True)], HOW) for made in (asked, call("x", **{word: word})))
    assert right["argument_f1"] == 1 and wrong["argument_f1"] == 0


def test_an_argument_with_a_dot_in_its_name_is_no_object_in_an_object() -> None:
    def call(arguments: dict[str, Any]) -> dict[str, Any]:
        return {"role": "assistant", "tool_calls": [{"function": {"name": "f", "arguments": arguments}}]}

    flat, deep, escaped = ({"a.b": "1"}, {"a": {"b": "1"}}, {"a\\": {"b": "1"}})
    assert len({arguments(call(one)) for one in (flat, deep, escaped)}) == 3
    assert arguments(call(deep)) == {("f", "a.b", "1")}


def test_a_group_called_like_another_row_is_not_that_row() -> None:
    rows = with_ids(pd.DataFrame({"text": ["a", "b", "c"], "label": ["x", "y", "x"], "split": None}, dtype="str"))
    groups = pd.Series([rows["id"][1], None, "row 1"], dtype="str")
    found = units(groups, rows["id"])
    assert len(set(found)) == 3 and units(pd.Series(["g", "g", None]), rows["id"])[0:2] == ["group g"] * 2


def test_labels_of_any_name_are_counted_as_such() -> None:
    rows = with_ids(
        pd.DataFrame({"text": [f"t{n}" for n in range(len(WORDS) + 1)], "label": [*WORDS, None]}, dtype="str")
    )
    assert profile(rows)["labels"]["counts"] == dict.fromkeys(sorted(WORDS), 1)
    assert profile(rows)["missing"]["counts"] == {"text": 0, "label": 1}
    assert set(classes(rows.drop(columns="label"))) == {UNLABELLED}
    for word in WORDS:
        alone = rows.assign(label=word)
        assert set(classes(alone)) == {word} and profile(alone)["labels"]["counts"] == {word: len(rows)}


@pytest.mark.faults
def test_a_recipe_whose_labels_groups_and_kept_values_are_such_words(
    tmp_path: Path, home: Path, heard: list[Event]
) -> None:
    words = [word for word in WORDS if word.casefold() not in ("none", "nan", "null", "na")] + ["none", "NA"]
    rows = [
        {
            "text": f"{word.replace(' ', '')} is said in row {row}",
            "label": word,
            "area": words[row % 5],
            "who": f"{word} {row}",
        }
        for row in range(20)
        for word in words
    ]
    pd.DataFrame(rows).to_csv(tmp_path / "a.csv", index=False)
    (tmp_path / "a.yaml").write_text(
        "name: words\n"
        f"download: {{kind: file, path: {tmp_path / 'a.csv'}, columns: {{group: who, keep: [area]}}}}\n"
        "validate: {max_duplicates: 1.0}\n"
        "split: {kind: hash, by: group, near_copies: keep}\n"
        "encode: {kind: classifier, tokenizer: {kind: train, vocab_size: 400}, max_length: 24}\n"
        "train: {epochs: 1, batch_size: 32, model: {kind: new, family: bert, config: {hidden_size: 16, "
        "num_hidden_layers: 1, num_attention_heads: 2, intermediate_size: 16, max_position_embeddings: 32}}}\n"
        "evaluate: {bootstrap: 100}\nregister: {model: words, slices: {area: 2}}\n",
        encoding="utf-8",
    )
    recipe = load_recipe(tmp_path / "a.yaml", ())
    done = {name: outcome.result for name, outcome in perform_until(recipe, "evaluate").items()}
    assert pd.read_parquet(done["download"].file("rows.parquet"))["label"].value_counts().to_dict() == dict.fromkeys(
        words, 20
    )
    report = json.loads(done["evaluate"].file("report.json").read_text(encoding="utf-8"))
    assert report["labels"] == sorted(words) and np.sum(report["confusion"]) == report["rows"]
