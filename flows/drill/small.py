"""A recipe -> the same pipeline made small: rows sampled, a small model with new weights, a short training."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from configs.literal import complete
from configs.load import load_recipe

from .planting import planted

if TYPE_CHECKING:
    import pandas as pd

    from configs.schema import Recipe
    from tasks.artifact import Artifact

ROWS = {"text": 400, "image": 300, "messages": 60}
"""Rows of a drill by what they hold."""
FEWEST = 10
"""Rows of each class."""
LAYERS = (
    "n_layer",
    "n_layers",
    "num_layers",
    "num_hidden_layers",
    "encoder_layers",
    "decoder_layers",
    "num_decoder_layers",
)
"""What families of text models call the number of their layers."""
IMAGE_NET = {"kind": "cnn", "channels": [8], "padding": "same", "dense": [16]}
OWN_NETS = ("mlp", "cnn")
"""Image nets that are small as they are."""


def small_changes(path: Path, changes: list[str]) -> list[str]:
    """Changes that give the recipe a small model and a short training, behind its own; its data are sampled by
    `sampled`. Raises RecipeError."""
    recipe = load_recipe(path, changes)
    rows = ROWS[recipe.encode.traits.content]
    train, steps = complete(recipe.train), 8
    batch = max(1, min(train["batch_size"], rows // (2 * steps)))
    short = [
        f"train.model={json.dumps(_small_model(recipe, train['model']))}",
        "train.phases=[]",
        "train.epochs=1",
        f"train.batch_size={batch}",
        f"train.eval_steps={steps // 2}",
        "train.logging_steps=1",
        "train.accumulation=1",
        f"validate.min_rows={min(recipe.validate.min_rows, rows // 2)}",
        "evaluate.bootstrap=100",
    ]
    if train.get("lora") is not None:
        short.append("train.lora=null")
    if train.get("patience") is not None:
        short.append("train.patience=null")
    if recipe.encode.traits.generates:
        short += ["evaluate.max_new_tokens=8", "evaluate.written=8"]
    return [*changes, *short]


def _small_model(recipe: "Recipe", model: Mapping[str, Any]) -> Mapping[str, Any]:
    """`train.model` of the same family with one layer, or of a small net for images."""
    if recipe.encode.traits.content == "image":
        return model if model["kind"] in OWN_NETS else IMAGE_NET
    if model["kind"] != "new":
        from ..initializations import _new_model

        model = _new_model(recipe)
    known = _defaults(str(model["family"]))
    return {**model, "config": {**model["config"], **{name: 1 for name in LAYERS if name in known}}}


def _defaults(family: str) -> Mapping[str, Any]:
    from transformers import AutoConfig

    config = AutoConfig.for_model(family)
    own = {value: name for name, value in getattr(config, "attribute_map", {}).items()}
    return {name: value for name, value in config.to_dict().items() if name in LAYERS or name in own}


def sampled(raw: "Artifact", content: str) -> "Artifact":
    """Some of the raw rows, of each label where there are few, with a ledger and images of these alone."""
    from tasks.data.ledger import read_ledger, write_ledger
    from tasks.data.rows import read_rows, write_rows

    def edit(data: Path) -> None:
        rows = read_rows(data / "rows.parquet")
        if len(rows) <= ROWS[content]:
            return
        kept = _sample(rows, ROWS[content])
        write_rows(kept, data / "rows.parquet")
        ledger = read_ledger(data / "ledger.parquet")
        write_ledger(ledger[ledger["id"].isin(kept["id"])].reset_index(drop=True), data / "ledger.parquet")
        if "image" in kept:
            _keep_images(data / "images.parquet", {*kept["image"].dropna()})

    return planted(raw, edit)


def _sample(rows: "pd.DataFrame", limit: int) -> "pd.DataFrame":
    """About so many rows in their order, of each class its share and at least FEWEST where the classes are few."""
    from tasks.data.rows import classes

    mixed = rows.sample(frac=1, random_state=0)
    named = classes(mixed).fillna("")
    if named.nunique() > limit // FEWEST:
        return rows.loc[mixed.index[:limit]].sort_index()
    due = (named.map(named.value_counts()) * (limit / len(rows))).clip(lower=FEWEST)
    return rows.loc[mixed.index[(named.groupby(named).cumcount() < due).to_numpy()]].sort_index()


def _keep_images(path: Path, names: set[str]) -> None:
    """Leave out all other images of a file."""
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    whole, aside = pq.ParquetFile(path), path.with_suffix(".few")
    with pq.ParquetWriter(aside, whole.schema_arrow, compression="none", use_dictionary=False) as writer:
        for group in range(whole.num_row_groups):
            table = whole.read_row_group(group)
            few = table.filter(pc.is_in(table.column("image"), pa.array(sorted(names))))
            if len(few):
                writer.write_table(few)
    aside.rename(path)
