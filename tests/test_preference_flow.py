"""Preference from `temper init` to the registry, and the reference that trainings share: a tiny new model."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import mlflow
import pandas as pd
import pytest

from configs.load import load_recipe
from configs.settings import settings
from flows.plan import plan
from flows.stage_graph import perform_until
from tasks.data.rows import read_rows
from tasks.store import disk
from tasks.store.sweep import Catalogue
from tasks.tracking.models import connect
from tasks.tracking.rescoring import rescore
from tasks.tracking.wire_format import VERDICT

ROOT = Path(__file__).resolve().parent.parent

pytestmark = [pytest.mark.faults, pytest.mark.timeout(1800)]
SMALL = [
    "train.model.config={n_layer: 1, n_head: 2, n_embd: 16, n_positions: 256}",
    "train.epochs=1",
    "train.eval_steps=10",
    "encode.tokenizer.vocab_size=400",
    "encode.max_length=256",
    "evaluate.bootstrap=100",
]


def call(*words: str) -> str:
    process = subprocess.run(
        [sys.executable, "-m", "flows", *words], cwd=ROOT, env=os.environ, capture_output=True, text=True, check=False
    )
    assert process.returncode == 0, f"{process.stdout[-3000:]}\n{process.stderr[-3000:]}"
    return process.stdout


def rows(count: int) -> list[dict[str, Any]]:
    """Prompts of which the polite reply is the better one; and two that are no pairs."""
    made = [
        {
            "prompt": [{"role": "user", "content": f"where is room {number}"}],
            "chosen": [{"role": "assistant", "content": f"room {number} is up the stairs"}],
            "rejected": [{"role": "assistant", "content": "find it yourself"}],
        }
        for number in range(count)
    ]
    empty = [{"role": "assistant", "content": " "}]
    return [*made, {**made[0], "rejected": made[0]["chosen"]}, {**made[1], "rejected": empty}]


def write(data: Path, made: list[dict[str, Any]]) -> None:
    data.parent.mkdir(exist_ok=True)
    data.write_text("\n".join(map(json.dumps, made)), encoding="utf-8")


@pytest.mark.long
def test_pairs_of_replies_go_from_init_to_the_registry(home: Path, tmp_path: Path) -> None:
    data, recipe, made = tmp_path / "data" / "polite.jsonl", tmp_path / "polite.yaml", rows(120)
    write(data, made)
    assert "chosen (the better) and rejected (the worse)" in call("init", str(data), "--output", str(recipe))
    small = [*SMALL, "train.learning_rate=1e-2", "split.near_copies=keep"]
    came_to = json.loads(call("run", str(recipe), *small, "--json"))
    assert {stage["status"] for stage in came_to["stages"]} == {"run"}
    assert came_to["metrics"]["reward_accuracy"] > 0.9 and came_to["metrics"]["reward_margin"] > 0
    assert came_to["model"]["aliases"] == ["champion"]
    assert "a chosen reply equal to the rejected one" in call("trace", str(recipe), str(len(made) - 1), *small)
    assert "an empty reply" in call("trace", str(recipe), str(len(made)), *small)
    connect()
    asked = {"messages": [{"role": "user", "content": "where is room 7"}], "max_tokens": 4}
    reply = mlflow.pyfunc.load_model(came_to["model"]["uri"]).predict(asked)
    assert reply["choices"][0]["message"]["role"] == "assistant"
    store = settings().store
    predicted = pd.read_parquet(next((store / "evaluate").glob("*/data/predictions.parquet"))).head(5)
    test = read_rows(next((store / "split").glob("*/data/test.parquet"))).set_index("id")
    given = predicted[["id", "rejected"]].assign(content=list(test.loc[predicted["id"], "messages"]))
    scored = rescore(came_to["model"]["uri"], "preference", given, {"batch_size": 2})
    assert scored["log_ratio"].tolist() == pytest.approx(predicted["log_ratio"].tolist(), abs=1e-4)
    _talk(f"{came_to['model']['name']}@champion", tmp_path)
    again = json.loads(call("run", str(recipe), *small, "train.learning_rate=1e-7", "--json"))
    assert again["model"]["version"] == "2" and again["model"]["aliases"] == ["candidate"]
    tags = mlflow.MlflowClient().get_model_version(again["model"]["name"], "2").tags
    assert "reward_accuracy" in tags[VERDICT] and "of version 1 on " in tags[VERDICT]


def _talk(model: str, folder: Path) -> None:
    """A model that learnt preferences is a dialogue model: it chats, and predicts the next turns of a file."""
    script, asked, output = folder / "said.txt", folder / "asked.jsonl", folder / "turns.jsonl"
    script.write_text("where is room 7\nand room 8\n", encoding="utf-8")
    assert call("chat", model, "--script", str(script), "--max-tokens", "4").count("model  >") == 2
    write(asked, [{"messages": one["prompt"]} for one in rows(3)[:3]])
    call("predict", model, str(asked), "--output", str(output))
    turns = [json.loads(line) for line in output.read_text(encoding="utf-8").splitlines()]
    assert len(turns) == 3 and all(one["reply"] and one["error"] is None for one in turns)


def test_trainings_that_start_alike_share_one_reference(home: Path, tmp_path: Path) -> None:
    data = tmp_path / "data" / "polite.jsonl"
    write(data, rows(60)[:60])
    source = f"{{kind: file, path: {data}, columns: {{prompt: prompt, chosen: chosen, rejected: rejected}}}}"
    small = [
        *SMALL,
        f"download={source}",
        "split={kind: hash, near_copies: keep}",
        "encode.tools=null",
        "validate={min_rows: 10}",
    ]

    def recipe(*changes: str) -> Any:
        return load_recipe(ROOT / "configs" / "hotel_preferences.yaml", [*small, *changes])

    lines = {line["stage"]: (line["status"], line["changed"]) for line in plan(recipe(), ask=False)[0]}
    assert lines["reference"] == ("unknown", ["waits for encoded"])  # so that an estimate counts it from the start
    first = perform_until(recipe(), "train")["train"]
    (made,) = disk.manifests(settings().store, "reference")
    auxiliary = first.result.manifest()["auxiliary"]
    assert auxiliary["reference"]["key"] == made["key"] and first.status == "run"
    lines = {line["stage"]: line["status"] for line in plan(recipe("train.beta=0.5"), ask=False)[0]}
    assert (lines["reference"], lines["train"]) == ("cached", "run")
    assert "reference" not in {line["stage"] for line in plan(recipe(), ask=False)[0]}
    second = perform_until(recipe("train.beta=0.5"), "train")["train"]
    assert second.status == "run" and second.result.key != first.result.key
    assert len(disk.manifests(settings().store, "reference")) == 1
    lines = {line["stage"]: line["status"] for line in plan(recipe("train.seed=9"), ask=False)[0]}
    assert (lines["reference"], lines["train"]) == ("run", "run")
    kept = Catalogue.read(settings().store).reached({("train", second.result.key): "a recipe needs it"})
    assert ("reference", made["key"]) in kept
