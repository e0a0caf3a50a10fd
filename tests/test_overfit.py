"""Trained on 20 dialogues until it knows them, a model repeats their searches exactly; with a mask that is off it does
not, and a model that is given other prompts than it was trained on is not scored."""

import json
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from configs.load import load_recipe
from tasks.data.dialogues.messages import is_call
from tasks.data.errors import DataError
from tasks.kinds.dialogue.training import Dialogue
from tasks.learn.labels import IGNORE_INDEX
from tasks.text.chat.encoding import DialogueEncoding
from tasks.text.encoding import FILE

pytestmark = [pytest.mark.faults, pytest.mark.timeout(900)]
ROOT = Path(__file__).resolve().parent.parent
DIALOGUES = 20
RECIPE = """
name: overfit
download: {kind: file, path: talks.jsonl, columns: {messages: messages, split: part}}
validate: {min_rows: 20, max_duplicates: 0.9}
clean: {steps: [missing]}
split: {kind: given, validation: none, near_copies: keep}
encode:
  kind: dialogue
  tokenizer: {kind: train, vocab_size: 1000}
  template: chatml
  tools: {kind: hotels}
train:
  model:
    kind: new
    family: llama
    config:
      hidden_size: 96
      intermediate_size: 192
      num_hidden_layers: 2
      num_attention_heads: 4
      num_key_value_heads: 4
      max_position_embeddings: 1024
  learning_rate: 5e-3
  schedule: linear
  clip: 1.0
  epochs: 60
  batch_size: 2
  logging_steps: 50
evaluate: {bootstrap: 100, baselines: [], max_new_tokens: 128}
register: {model: overfit, metric: call_exact}
"""


def written(tmp_path: Path, *changes: str) -> pd.DataFrame:
    """The recipe's stages with the same dialogues as training and test rows: each true turn, and what was written."""
    from flows.stage_graph import perform_until

    lines = (ROOT / "tasks/data/demo/hotel_dialogues.jsonl").read_text(encoding="utf-8").splitlines()[:DIALOGUES]
    rows = [{"messages": json.loads(line)["messages"], "part": part} for part in ("train", "test") for line in lines]
    (tmp_path / "data" / "talks.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    path = tmp_path / "recipe.yaml"
    path.write_text(RECIPE, encoding="utf-8")
    made = perform_until(load_recipe(path, changes), "evaluate")
    turns = pd.read_parquet(made["evaluate"].result.file("predictions.parquet"))
    assert turns["id"].nunique() == DIALOGUES
    return turns.assign(**{side: turns[side].map(json.loads) for side in ("true", "written")})


def repeated(turns: pd.DataFrame) -> pd.Series:
    """Per turn: whether it was written to the letter, arguments and all, and ended there."""
    return (turns["true"] == turns["written"]) & turns["ended"]


@pytest.mark.long
def test_every_search_of_20_dialogues_is_repeated_exactly(tmp_path: Path) -> None:
    turns = written(tmp_path)
    searches = turns[turns["true"].map(is_call)]
    assert len(searches) == 28 and len(turns) == 89
    assert repeated(searches).all(), searches[~repeated(searches)][["true", "written", "ended"]].to_dict("records")
    asked, wrote = (
        [one["tool_calls"][0]["function"]["arguments"] for one in searches[side]] for side in ("true", "written")
    )
    assert asked == wrote and len({json.dumps(one) for one in asked}) > 20
    assert repeated(turns).mean() > 0.9, "replies as well"


def shifted(ids: Any, labels: Any) -> Any:
    marked = np.roll(labels != IGNORE_INDEX, 1)
    return np.where(marked, ids, IGNORE_INDEX).astype(labels.dtype)


def unended(ids: Any, labels: Any) -> Any:
    ends = (labels != IGNORE_INDEX) & (np.roll(labels, -1) == IGNORE_INDEX)
    return np.where(ends, IGNORE_INDEX, labels).astype(labels.dtype)


@pytest.mark.long
@pytest.mark.parametrize("fault", [shifted, unended])
def test_with_a_mask_that_is_off_none_is(
    fault: Callable[[Any, Any], Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The mask is changed behind the certificate, which would stop the run: where training reads its rows."""
    healthy = Dialogue.read

    def read(domain: Dialogue, path: Path) -> Any:
        part = healthy(domain, path)
        flat = part.encoded
        return replace(part, encoded=replace(flat, labels=fault(flat.ids, flat.labels)))

    monkeypatch.setattr(Dialogue, "read", read)
    turns = written(tmp_path)
    assert not repeated(turns).any()


def test_a_model_that_would_be_given_other_prompts_is_not_scored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Saved with its keys sorted, the tool would be written otherwise at inference than in training."""

    def save(encoding: DialogueEncoding, folder: Path) -> None:
        (folder / FILE).write_text(json.dumps(asdict(encoding), sort_keys=True), encoding="utf-8")

    monkeypatch.setattr(DialogueEncoding, "save", save)
    with pytest.raises(DataError, match=r"row \w+-1 is encoded otherwise at inference than in training"):
        written(tmp_path, "train.epochs=1")
