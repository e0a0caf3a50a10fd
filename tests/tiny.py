"""The embedded recipe made tiny, and run with or without Prefect."""

from pathlib import Path

import numpy as np
import pandas as pd

from configs.load import load_recipe
from configs.schema import Recipe
from tasks.artifact import Version
from tasks.store.events import Event

ROOT = Path(__file__).resolve().parent.parent
STAGES = ["download", "validate", "clean", "split", "encode", "train", "evaluate", "register"]
TINY = [
    "train.model.config={n_layer: 1, n_head: 2, n_embd: 16, n_positions: 64}",
    "train.epochs=1",
    "train.eval_steps=10",
    "encode.tokenizer.vocab_size=400",
    "evaluate.bootstrap=100",
]


def recipe(*changes: str) -> Recipe:
    return load_recipe(ROOT / "configs" / "reviews_demo.yaml", [*TINY, *changes])


def planted(rows: int, seed: int = 0) -> pd.DataFrame:
    """Texts of random words, of which the last tells the label: a model learns it or does not."""
    draw = np.random.default_rng(seed)
    words = ["".join(draw.choice(list("abcdefghijklmnoprstu"), 5)) for _ in range(400)]
    labels = draw.choice(["neg", "pos"], rows)
    texts = [" ".join([*draw.choice(words, 9), "bad" if label == "neg" else "good"]) for label in labels]
    return pd.DataFrame({"text": texts, "label": labels})


def run(loaded: Recipe, heard: list[Event]) -> tuple[Version, dict[str, str]]:
    from flows.finetune import finetune

    heard.clear()
    version = finetune(loaded)
    return version, {event.stage: str(event.status) for event in heard if event.kind == "finished"}


def perform(loaded: Recipe, heard: list[Event]) -> dict[str, str]:
    """The same stages outside Prefect, as far as evaluate; what became of each."""
    from flows.stage_graph import perform_until

    heard.clear()
    outcomes = perform_until(loaded, "evaluate")
    changes.update({name: outcome.changed for name, outcome in outcomes.items()})
    return {name: outcome.status for name, outcome in outcomes.items()}


changes: dict[str, tuple[str, ...]] = {}
