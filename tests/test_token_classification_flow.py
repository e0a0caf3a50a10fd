"""Token classification from `temper init` to the registry: rows that are made here, a tiny new model."""

import json
import os
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import mlflow
import pytest

from tasks.tracking.models import connect
from tasks.tracking.wire_format import VERDICT

ROOT = Path(__file__).resolve().parent.parent

pytestmark = [pytest.mark.faults, pytest.mark.timeout(1800)]
PEOPLE = ("Anna Berg", "Tom Lee", "Maria da Silva", "Jonas", "Wei Zhang")
PLACES = ("Paris", "New York", "Lake Tahoe", "Oslo", "Cape Town")


def sentence(number: int, draw: random.Random) -> dict[str, Any]:
    tokens: list[str] = []
    tags: list[str] = []
    for words, label in (
        (draw.choice(PEOPLE), "person"), (draw.choice(("flew to", "left", "lives in")), ""),
        (draw.choice(PLACES), "place"), (f"on day {number} .", ""),
    ):  # fmt: skip
        for place, word in enumerate(words.split()):
            tokens.append(word)
            tags.append("O" if not label else f"{'I' if place else 'B'}-{label}")
    return {"tokens": tokens, "tags": tags}


def rows(count: int) -> list[dict[str, Any]]:
    draw = random.Random(0)
    made = [sentence(number, draw) for number in range(count)]
    long = [sentence(1000 + number, draw) for number in range(20)]
    made.append({name: [word for one in long for word in one[name]] for name in ("tokens", "tags")})
    made.append({"tokens": ["Oslo", "again"], "tags": ["B-place"]})
    return made


def call(*words: str) -> str:
    process = subprocess.run(
        [sys.executable, "-m", "flows", *words], cwd=ROOT, env=os.environ, capture_output=True, text=True, check=False
    )
    assert process.returncode == 0, f"{process.stdout[-3000:]}\n{process.stderr[-3000:]}"
    return process.stdout


def test_entities_go_from_init_to_the_registry(home: Path, tmp_path: Path) -> None:
    data, recipe, made = tmp_path / "data" / "trips.jsonl", tmp_path / "trips.yaml", rows(160)
    data.write_text("\n".join(map(json.dumps, made)), encoding="utf-8")
    assert "person" in call("init", str(data), "--output", str(recipe))
    small = [
        "train.model.config={num_hidden_layers: 1, hidden_size: 32, num_attention_heads: 2, intermediate_size: 64}",
        "encode.max_length=32", "encode.overlap=8", "encode.tokenizer.vocab_size=400", "evaluate.bootstrap=100",
        "train.learning_rate=5e-3", "train.epochs=4",
    ]  # fmt: skip
    came_to = json.loads(call("run", str(recipe), *small, "--json"))
    assert {stage["status"] for stage in came_to["stages"]} == {"run"}
    assert came_to["metrics"]["entity_f1"] > 0.8 and came_to["model"]["aliases"] == ["champion"]
    assert "tokens and tags of different length" in call("trace", str(recipe), str(len(made)), *small)
    connect()
    text = "Then\u200b  Anna Berg left New York."
    table = mlflow.pyfunc.load_model(came_to["model"]["uri"]).predict([text])
    assert list(table.columns) == ["entities", "probability"]
    assert all(one["text"] == text[one["start"] : one["end"]] for one in json.loads(table["entities"][0]))
    assert "certificate holds" in " ".join(call("mask", str(recipe), "-n", "1", *small).split())
    assert '"place"' in call("predict", came_to["model"]["name"], "Anna Berg left Oslo on day 3 .")
    shown = json.loads(call("inspect", str(recipe), "--seed", "1", *small, "--json"))
    assert shown["part"] == "test" and shown["true"] and {part["name"] for part in shown["parts"]} >= {*shown["true"]}
    again = json.loads(call("run", str(recipe), *small, "train.learning_rate=1e-7", "--json"))
    assert again["model"]["version"] == "2" and again["model"]["aliases"] == ["candidate"]
    tags = mlflow.MlflowClient().get_model_version(again["model"]["name"], "2").tags
    assert "entity_f1" in tags[VERDICT] and "version 1 on " in tags[VERDICT]
