"""Small texts with something to predict, small models, and recipes of them that run as far as evaluate."""

import random
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from configs.load import load_recipe
from configs.models import NewModel, TrainedTokenizer
from configs.schema import Train
from tasks.artifact import Artifact
from tasks.data.rows import with_ids
from tasks.learn.fit import Fitted, TrainingCallbacks, TrainingRun, fit
from tasks.text.parts import Part

THINGS = ("plane", "train", "bus", "ship", "taxi", "tram")
STATES = ("late", "early", "full", "empty", "loud", "clean")
NUMBERS = ("one", "two", "three", "four", "five", "six")
LEARNT = TrainedTokenizer(kind="train", vocab_size=420)
BERT = {
    "hidden_size": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 24,
    "max_position_embeddings": 40,
}
T5 = {"d_model": 16, "d_kv": 8, "d_ff": 24, "num_layers": 1, "num_heads": 2}
QUIET = TrainingCallbacks(*[lambda *a: None] * 3)


def table(count: int = 120, seed: int = 0) -> pd.DataFrame:
    """Texts, and as target a text that follows from them."""
    draw = random.Random(seed)
    texts, targets = [], []
    for _ in range(count):
        thing, state, number = (draw.choice(some) for some in (THINGS, STATES, NUMBERS))
        day = " today" * draw.randrange(2)
        texts.append(f"the {thing} number {number} was {state} again{day}")
        targets.append(f"{state} {thing}{day}")
    return frame(texts, targets)


def frame(texts: list[str], targets: list[str | None] | list[str]) -> pd.DataFrame:
    """Rows as a split has them."""
    columns = {"text": texts, "label": ["all"] * len(texts), "target": targets}
    return with_ids(pd.DataFrame(columns).astype({"text": "str", "label": "str", "target": "str"}))


def new(family: str, **config: Any) -> NewModel:
    return NewModel(kind="new", family=family, config=config)


def train_section(model: NewModel, **changes: Any) -> Train:
    usual = {"learning_rate": 3e-3, "batch_size": 8, "logging_steps": 5, "eval_steps": 10, "metric": "loss"}
    return Train(model=model, **{**usual, **changes})


def fitted(domain: Any, parts: dict[str, Part], section: Train, root: Path) -> tuple[Any, Fitted]:
    """A model of the section, trained on the parts."""
    torch.set_num_threads(1)
    model = domain.model(section, parts["train"])
    feed = domain.feed(parts, section.seed)
    return model, fit(section, model, feed, TrainingRun(root / "checkpoints", QUIET, 1), domain.layout(model))


def stages(folder: Path, rows: pd.DataFrame, text: str, *changes: str) -> dict[str, Artifact]:
    """A recipe over these rows, performed as far as evaluate; the artifact of each stage."""
    from flows.stage_graph import perform_until

    rows.drop(columns=["id", "label"]).to_csv(folder / "data" / "rows.csv", index=False)
    path = folder / "recipe.yaml"
    path.write_text(text, encoding="utf-8")
    outcomes = perform_until(load_recipe(path, changes), "evaluate")
    return {name: outcome.result for name, outcome in outcomes.items()}
