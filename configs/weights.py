"""A model of torchvision and its published weights by name -> whether they exist, and which images they take.

All from a table (`weights.json`), so that a recipe is checked, and a key made, without importing torch. After a new
torchvision, run `python -m configs.weights`.
"""

import difflib
import importlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

TABLE = Path(__file__).with_name("weights.json")
IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
"""Mean and standard deviation per channel that nearly all published weights were trained with."""
CLIP = ((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711))
"""The same of CLIP."""
NAMED = {"imagenet": IMAGENET, "clip": CLIP}
"""Constants by their word in `encode.normalise`."""
DEFAULT = "DEFAULT"
"""Stands for the best weights of a model, whichever these are."""


@dataclass(frozen=True)
class Published:
    """enum: the name of the weights, never DEFAULT. file: its name ends in the first digits of its sha256 (of timm: the
    repository). mean, std: of pixels of 0 to 1, per channel. size: side of the images in pixels, where the weights fix
    it."""

    enum: str
    file: str
    mean: tuple[float, ...]
    std: tuple[float, ...]
    size: int | None


def require_known(name: str, weights: str) -> None:
    """Raise ValueError unless torchvision has this classification model, and these weights of it."""
    if name not in table():
        raise ValueError(f"name {name!r} is no classification model of torchvision{nearest(name, table())}")
    if weights != "none" and weights not in table()[name]:
        known = ", ".join((*table()[name], "none"))
        raise ValueError(f"weights {weights!r} are none of {name}, which has {known}{nearest(weights, table()[name])}")


def published(name: str, weights: str) -> Published:
    """What is known of a model's weights, by their name in torchvision's enum or DEFAULT."""
    choices = table()[name]
    enum = str(choices[DEFAULT]) if weights == DEFAULT else weights
    entry = choices[enum]
    mean, std = entry.get("mean", IMAGENET[0]), entry.get("std", IMAGENET[1])
    return Published(enum, entry["file"], tuple(mean), tuple(std), entry.get("size"))


def require_fit(published_weights: Published, name: str, encode: Any) -> None:
    """Raise ValueError where a recipe's `encode` makes other images than a model's weights were trained on."""
    given, wanted = encode.normalise, (published_weights.mean, published_weights.std)
    constants = NAMED.get(given) if isinstance(given, str) else (given.mean, given.std)
    if constants != wanted:
        values = f"{{mean: {list(published_weights.mean)}, std: {list(published_weights.std)}}}"
        named = next((word for word, known in NAMED.items() if known == wanted), values)
        raise ValueError(
            f"encode.normalise must be that of the weights {published_weights.enum} of {name}: "
            f"set encode.normalise: {named}"
        )
    if encode.size is not None and published_weights.size not in (None, encode.size):
        raise ValueError(
            f"encode.size {encode.size} does not fit the weights {published_weights.enum} of {name}, which have a "
            f"place for each patch of an image: set encode.size: {published_weights.size}"
        )


@cache
def table() -> dict[str, dict[str, Any]]:
    """Model -> weights -> file and, where they are not ImageNet's or not free, mean, std and size.

    DEFAULT is the name of other weights there.
    """
    loaded: dict[str, dict[str, Any]] = json.loads(TABLE.read_text(encoding="utf-8"))
    return loaded


def installed() -> dict[str, dict[str, Any]]:
    """The same table as the installed torchvision gives it."""
    models: Any = importlib.import_module("torchvision.models")
    by_name: dict[str, dict[str, Any]] = {}
    for name in models.list_models(module=models):
        weights = models.get_model_weights(name)
        by_name[name] = {member.name: _describe(name, member) for member in weights} | {DEFAULT: weights.DEFAULT.name}
    return by_name


def _describe(name: str, weights: Any) -> dict[str, Any]:
    preset = weights.transforms()
    described: dict[str, Any] = {"file": Path(urlsplit(weights.url).path).name}
    if (tuple(preset.mean), tuple(preset.std)) != IMAGENET:
        described |= {"mean": list(preset.mean), "std": list(preset.std)}
    if name.startswith("vit"):  # one position embedding per patch
        described["size"] = preset.crop_size[0]
    return described


def nearest(word: str, valid: Iterable[str]) -> str:
    """Ends a message with the valid words that resemble this one, if any."""
    near = difflib.get_close_matches(word, list(valid), 3, 0.5)
    return f"; did you mean {' or '.join(near)}?" if near else ""


def record() -> None:
    """Write the table of the installed torchvision."""
    rows = ",\n".join(f" {json.dumps(name)}: {json.dumps(weights)}" for name, weights in installed().items())
    TABLE.write_text(f"{{\n{rows}\n}}\n", encoding="utf-8")


if __name__ == "__main__":
    record()
