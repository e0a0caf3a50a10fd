"""A model of timm and its published weights by tag -> whether they exist, and which images they take.

All from a table (`timm_weights.json`), so that a recipe is checked, and a key made, without importing timm or torch.
After a new timm, run `python -m configs.timm_weights`.
"""

import importlib
import json
from functools import cache
from pathlib import Path
from typing import Any, TypedDict

from .weights import IMAGENET, Published, nearest

TABLE = Path(__file__).with_name("timm_weights.json")
PUBLISHED = "published"
"""Stands for the weights that timm itself takes first, whichever these are."""


class Entry(TypedDict, total=False):
    """What is unusual of a model's weights: their repository, the constants of their images, and the size."""

    repo: str
    mean: list[float]
    std: list[float]
    size: int


def require_known(name: str, weights: str) -> None:
    """Raise ValueError unless timm has this classification model, and these weights of it."""
    if name not in table():
        plain, _, tag = name.partition(".")
        if plain in table():
            raise ValueError(f"name {name!r} has a tag: write name: {plain} and weights: {tag}")
        raise ValueError(f"name {name!r} is no model of timm with one classification layer{nearest(name, table())}")
    tags = table()[name]
    if weights not in ("none", *tags, *([PUBLISHED] if tags else [])):
        known = ", ".join([*tags, PUBLISHED, "none"] if tags else ["none"])
        raise ValueError(f"weights {weights!r} are none of {name}, which has {known}{nearest(weights, tags)}")


def published(name: str, weights: str) -> Published:
    """What is known of a model's weights, by their tag or PUBLISHED; `file` is their repository on the Hub."""
    tags = table()[name]
    tag = next(iter(tags)) if weights == PUBLISHED else weights
    entry = tags[tag]
    mean, std = entry.get("mean", IMAGENET[0]), entry.get("std", IMAGENET[1])
    return Published(tag, entry.get("repo", f"timm/{name}.{tag}"), tuple(mean), tuple(std), entry.get("size"))


@cache
def table() -> dict[str, dict[str, Entry]]:
    """Model -> tags, timm's first choice first -> repository, mean, std and size where they are not the usual ones."""
    loaded: dict[str, dict[str, Entry]] = json.loads(TABLE.read_text(encoding="utf-8"))
    return loaded


def installed() -> dict[str, dict[str, Entry]]:
    """The same table as the installed timm gives it; models with no classification layer, or several, left out."""
    models: Any = importlib.import_module("timm.models")
    weights_by_name: dict[str, dict[str, Entry]] = {}
    for name in models.list_models():
        every = models.get_arch_pretrained_cfgs(name)
        if every and all(isinstance(weights.classifier, str) for weights in every.values()):
            first = models.get_pretrained_cfg(name).tag
            tags = {tagged.partition(".")[2]: weights for tagged, weights in every.items() if _on_the_hub(weights)}
            order = sorted(tags, key=lambda tag: tag != first)
            weights_by_name[name] = {tag: _describe(f"{name}.{tag}", tags[tag]) for tag in order}
    return weights_by_name


def _on_the_hub(weights: Any) -> bool:
    """Whether there is a repository whose weights are in timm's own form."""
    return bool(weights.hf_hub_id) and weights.hf_hub_filename is None and weights.input_size[0] == 3


def _describe(tagged: str, weights: Any) -> Entry:
    described: Entry = {} if weights.hf_hub_id == f"timm/{tagged}" else {"repo": weights.hf_hub_id}
    if (tuple(weights.mean), tuple(weights.std)) != IMAGENET:
        described["mean"], described["std"] = list(weights.mean), list(weights.std)
    if weights.fixed_input_size:
        described["size"] = weights.input_size[1]
    return described


def record() -> None:
    """Write the table of the installed timm."""
    rows = ",\n".join(f" {json.dumps(name)}: {json.dumps(weights)}" for name, weights in installed().items())
    TABLE.write_text(f"{{\n{rows}\n}}\n", encoding="utf-8")


if __name__ == "__main__":
    record()
