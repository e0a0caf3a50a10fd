"""One tiny recipe per kind of model, with rows made by rule: the rows of two seeds have no row in common."""

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

THINGS = ("plane", "train", "bus", "ship", "taxi", "tram")
STATES = ("late", "early", "full", "empty")
HOTEL = {
    "name": "The Lamp",
    "type": "budget",
    "address": "1 Quay",
    "subway": "Quay",
    "phone": "555-0101",
    "facilities": ["wifi"],
    "price": 60,
    "rating": 4.1,
    "hotel_id": 1,
}
BERT = (
    "{kind: new, family: bert, config: {hidden_size: 16, num_hidden_layers: 1, num_attention_heads: 2, "
    "intermediate_size: 16, max_position_embeddings: 40}}"
)
GPT2 = "{kind: new, family: gpt2, config: {n_layer: 1, n_head: 2, n_embd: 16, n_positions: 1024}}"
T5 = "{kind: new, family: t5, config: {d_model: 16, d_kv: 8, d_ff: 16, num_layers: 1, num_heads: 2}}"
LEARNT = "tokenizer: {kind: train, vocab_size: 350}"
KINDS: dict[str, tuple[str, str, str, str]] = {
    "image": ("", "mode: L", "{kind: cnn, channels: [4], padding: same, batch_norm: true, dense: [8]}", "accuracy"),
    "generative": ("label: label", f"{LEARNT}, max_length: 32", GPT2, "accuracy"),
    "classifier": ("label: label", f"{LEARNT}, max_length: 32", BERT, "accuracy"),
    "regression": ("target: number", f"{LEARNT}, max_length: 32", BERT, "rmse"),
    "seq2seq": ("target: target", f"{LEARNT}, max_length: 32, max_target: 12", T5, "exact"),
    "masked": ("label: null", f"{LEARNT}, max_length: 32", BERT, "perplexity"),
    "dialogue": (
        "messages: messages, label: null",
        f"{LEARNT}, template: chatml, max_length: 1024, tools: {{kind: hotels, path: hotels.jsonl}}",
        GPT2,
        "end_of_turn",
    ),
}
"""Per kind the columns of its rows, its encoding, the model and the metric."""
PAIR = "text: text, text_pair: other"
NEWER: dict[str, tuple[str, str, str, str]] = {
    "token_classification": ("tokens: tokens, tags: tags", f"{LEARNT}, max_length: 32, overlap: 4", BERT, "entity_f1"),
    "multi_label": ("labels: labels", f"{LEARNT}, max_length: 32", BERT, "micro_f1"),
    "preference": (
        "prompt: prompt, chosen: chosen, rejected: rejected",
        f"{LEARNT}, template: chatml, max_length: 256",
        GPT2,
        "reward_accuracy",
    ),
    "paired_classifier": (f"{PAIR}, label: label", f"{LEARNT}, max_length: 40", BERT, "accuracy"),
    "paired_regression": (f"{PAIR}, target: number", f"{LEARNT}, max_length: 40", BERT, "rmse"),
}
"""The same of kinds and contents that came after the modules had moved to one folder per kind."""
PAIRED = {"paired_classifier": "classifier", "paired_regression": "regression"}
"""Models of pairs of texts, each with its kind; other models are named by their kinds."""
RECIPE = """
name: {kind}
download: {download}
validate: {{min_rows: 20, max_duplicates: 0.9}}
clean: {{steps: [missing]}}
split: {{kind: hash, exact: true, train: 0.6, validation: 0.1, test: 0.3, near_copies: keep}}
encode: {{kind: {encoding}, {encode}}}
train:
  model: {model}
  learning_rate: 1e-3
  epochs: 1
  batch_size: 16
  eval_steps: 10
  metric: loss
evaluate: {{bootstrap: 100{limit}}}
register: {{model: {kind}, metric: {metric}}}
"""


def write_recipe(kind: str, folder: Path, seed: int) -> Path:
    """Write a recipe into `folder`, and its rows into the folder's `data`, which is to be TEMPER_DATA; the recipe."""
    data = folder / "data"
    data.mkdir(parents=True, exist_ok=True)
    columns, encode, model, metric = (KINDS | NEWER)[kind]
    if kind == "image":
        write_images(data / f"images-{seed}", seed)
        download = f"{{kind: images, path: images-{seed}}}"
    else:
        (data / "hotels.jsonl").write_text(json.dumps(HOTEL) + "\n", encoding="utf-8")
        name = f"rows-{kind}-{seed}.jsonl"
        rows(kind, seed).to_json(data / name, orient="records", lines=True)
        download = f"{{kind: file, path: {name}, columns: {{{columns}}}}}"
    limit = ", max_new_tokens: 12" if kind in ("dialogue", "seq2seq") else ""
    text = RECIPE.format(
        kind=kind,
        encoding=PAIRED.get(kind, kind),
        download=download,
        encode=encode,
        model=model,
        metric=metric,
        limit=limit,
    )
    if kind in NEWER:  # else a model of tags finds no entity, and its predictions show little
        text = text.replace("1e-3\n  epochs: 1", "1e-2\n  epochs: 8")
    if kind == "image":
        text = text.replace("clean: {steps: [missing]}\n", "").replace(", near_copies: keep", "")
    path = folder / f"{kind}-{seed}.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def rows(kind: str, seed: int, count: int = 60) -> pd.DataFrame:
    """Texts, each with a number of its own, and what follows from them."""
    draw = np.random.default_rng(seed)
    table: list[dict[str, Any]] = []
    for number in range(seed * 1000, seed * 1000 + count):
        thing, state = str(draw.choice(THINGS)), str(draw.choice(STATES))
        text = f"the {thing} number {number} was {state}"
        truth = {"label": "bad" if state in ("late", "empty") else "good", "number": float(STATES.index(state))}
        table.append({"text": text, "target": f"{state} {thing}", **truth, "messages": _dialogue(text, state)})
        table[-1] |= _newer(text, thing, state)
    wanted = {
        "dialogue": ["messages"],
        "seq2seq": ["text", "target"],
        "regression": ["text", "number"],
        "masked": ["text"],
        "token_classification": ["tokens", "tags"],
        "multi_label": ["text", "labels"],
        "preference": ["prompt", "chosen", "rejected"],
        "paired_classifier": ["text", "other", "label"],
        "paired_regression": ["text", "other", "number"],
    }
    return pd.DataFrame(table)[wanted.get(kind, ["text", "label"])]


def _newer(text: str, thing: str, state: str) -> dict[str, Any]:
    """What the kinds of NEWER read of a row."""
    return {
        "tokens": text.split(),
        "tags": ["O", "B-vehicle", "B-number", "I-number", "O", "B-state"],
        "labels": [state, *(["rail"] if thing in ("train", "tram") else [])],
        "other": f"a {thing} was {'delayed' if state == 'late' else 'there'}",
        "prompt": [{"role": "user", "content": f"{text}; what now?"}],
        "chosen": [{"role": "assistant", "content": f"I am sorry that the {thing} was {state}."}],
        "rejected": [{"role": "assistant", "content": f"Ask the {thing}."}],
    }


def _dialogue(text: str, state: str) -> list[dict[str, Any]]:
    call = {"type": "function", "function": {"name": "search_hotels", "arguments": {"price": "up to 70"}}}
    return [
        {"role": "user", "content": f"{text}; where can I sleep?"},
        {"role": "assistant", "content": "", "tool_calls": [call]},
        {"role": "tool", "name": "search_hotels", "content": json.dumps([HOTEL])},
        {"role": "assistant", "content": f"The Lamp is never {state}."},
    ]


def write_images(folder: Path, seed: int, count: int = 60) -> None:
    """Noise of 8 x 8 pixels, of which the left or the right half is bright."""
    draw = np.random.default_rng(seed)
    for number in range(count):
        side = ("left", "right")[number % 2]
        pixels = draw.integers(0, 120, (8, 8), np.uint8)
        pixels[:, slice(0, 4) if side == "left" else slice(4, 8)] += 120
        (folder / side).mkdir(parents=True, exist_ok=True)
        buffer = io.BytesIO()
        Image.fromarray(pixels).save(buffer, "PNG")
        (folder / side / f"{number}.png").write_bytes(buffer.getvalue())
