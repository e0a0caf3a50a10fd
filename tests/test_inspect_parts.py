"""temper inspect where a model predicts no single class: several labels, entities, preferences."""

import json
import random
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import test_multi_label_flow
import test_preference_flow
import test_token_classification_flow
from PIL import Image

from configs.load import load_recipe
from flows.cli import inspect
from flows.stage_graph import perform_until
from tasks.learn.row_answers import Bar, RowAnswer

pytestmark = [pytest.mark.faults, pytest.mark.timeout(900)]
TRIPS = """
name: trips
download: {kind: file, path: trips.jsonl, columns: {tokens: tokens, tags: tags}}
split: {kind: hash, train: 0.6, validation: 0.2, test: 0.2, near_copies: keep}
encode: {kind: token_classification, tokenizer: {kind: train, vocab_size: 400}, max_length: 64, overlap: 8}
train:
  model:
    kind: new
    family: bert
    config: {num_hidden_layers: 1, hidden_size: 32, num_attention_heads: 2, intermediate_size: 64}
  learning_rate: 5e-3
  epochs: 2
evaluate: {bootstrap: 100}
register: {model: trips, metric: entity_f1}
"""
POLITE = """
name: polite
download: {kind: file, path: polite.jsonl, columns: {prompt: prompt, chosen: chosen, rejected: rejected}}
split: {kind: hash, train: 0.6, validation: 0.2, test: 0.2, near_copies: keep}
encode: {kind: preference, tokenizer: {kind: train, vocab_size: 400}, max_length: 256, template: chatml}
train:
  model: {kind: new, family: gpt2, config: {n_layer: 1, n_head: 2, n_embd: 16, n_positions: 256}}
  learning_rate: 1e-2
  epochs: 1
evaluate: {bootstrap: 100}
register: {model: polite, metric: reward_accuracy}
"""


def trained(folder: Path, name: str, text: str) -> tuple[Path, pd.DataFrame]:
    """A recipe whose stages up to evaluate are done, and the predictions of its test rows."""
    path = folder / f"{name}.yaml"
    path.write_text(text, encoding="utf-8")
    made = perform_until(load_recipe(path), "evaluate")
    return path, pd.read_parquet(made["evaluate"].result.file("predictions.parquet"))


def looked(capsys: pytest.CaptureFixture[str], recipe: Path, *words: str, **options: Any) -> tuple[dict[str, Any], str]:
    """The document of a call, and what a person sees of it."""
    capsys.readouterr()
    inspect.command(recipe, [*words], as_json=True, **options)
    document: dict[str, Any] = json.loads(capsys.readouterr().out)
    inspect.command(recipe, [*words], **options)
    with Image.open(document["picture"]) as picture:
        assert picture.size[0] > 400 and len(set(picture.convert("RGB").resize((200, 60)).getdata())) > 3
    return document, capsys.readouterr().out


def test_each_label_has_a_bar(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    test_multi_label_flow.table(tmp_path / "data")
    recipe, answers = trained(tmp_path, "marks", test_multi_label_flow.RECIPE)
    row = answers.iloc[0]
    document, shown = looked(capsys, recipe, row["id"])
    assert (document["true"], document["predicted"]) == (
        [mark for mark in ("late", "cold", "loud") if mark in json.loads(row["true"])],
        [mark for mark in ("late", "cold", "loud") if mark in json.loads(row["predicted"])],
    )
    probabilities = {part["name"]: part["probability"] for part in document["parts"]}
    assert probabilities == pytest.approx(
        {mark: row[f"probability of {mark}"] for mark in ("late", "cold", "loud")}, abs=1e-5
    )
    assert all(f"  {mark}  {probabilities[mark]:.4f}" in shown for mark in ("late", "cold", "loud"))
    wrong = answers["true"] != answers["predicted"]
    if wrong.any():
        document, _ = looked(capsys, recipe, wrong=True, seed=3)
        assert document["id"] in set(answers["id"][wrong])


def test_entities_that_are_found_and_missed_have_bars(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    draw = random.Random(0)
    rows = [test_token_classification_flow.sentence(number, draw) for number in range(120)]
    (tmp_path / "data" / "trips.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    recipe, answers = trained(tmp_path, "trips", TRIPS)
    for at in (0, 1):
        row = answers.iloc[at]
        document, shown = looked(capsys, recipe, row["id"])
        for side in ("true", "predicted"):
            entities = [f"{entity['text']} ({entity['label']})" for entity in json.loads(row[side])]
            assert document[side] == entities
            assert (", ".join(entities) or "none") in " ".join(shown.split())
        weighed = [part["name"] for part in document["parts"] if part["probability"] is not None]
        assert sorted(weighed) == sorted(document["predicted"])
    wrong = answers["true"] != answers["predicted"]
    if wrong.any():
        assert looked(capsys, recipe, wrong=True, seed=1)[0]["id"] in set(answers["id"][wrong])


def test_of_two_replies_the_preferred_one_is_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    test_preference_flow.write(tmp_path / "data" / "polite.jsonl", test_preference_flow.rows(60)[:-2])
    recipe, answers = trained(tmp_path, "polite", POLITE)
    row = answers.iloc[0]
    document, shown = looked(capsys, recipe, row["id"])
    (chosen,) = document["true"]
    assert "up the stairs" in chosen and "find it yourself" in shown
    margin = row["beta"] * (row["log_ratio"] - row["reference_log_ratio"])
    assert (document["predicted"] == [chosen]) == (margin > 0)
    probabilities = {part["name"]: part["probability"] for part in document["parts"]}
    assert probabilities[chosen] == pytest.approx(1 / (1 + 2.718281828**-margin), abs=1e-3)
    assert sum(probabilities.values()) == pytest.approx(1)


def test_an_answer_is_right_where_what_is_true_is_predicted() -> None:
    both, missed, extra = Bar("a", 0.9, True, True), Bar("b", None, True, False), Bar("c", 0.6, False, True)
    assert RowAnswer("x", [both]).right and RowAnswer("x", []).right
    assert not RowAnswer("x", [both, missed]).right and not RowAnswer("x", [both, extra]).right
    answer = RowAnswer("x", [both, missed, extra])
    assert (answer.true, answer.predicted) == (["a", "b"], ["a", "c"])
    assert answer.document()["parts"] == [
        {"name": "a", "probability": 0.9, "true": True, "predicted": True},
        {"name": "b", "probability": None, "true": True, "predicted": False},
        {"name": "c", "probability": 0.6, "true": False, "predicted": True},
    ]
