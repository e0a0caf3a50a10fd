"""The ways in which a training of one recipe may start: what has to be changed in it for each."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from configs.encodings import LabelWordEncode
from configs.literal import complete
from configs.load import RecipeError
from configs.schema import Recipe

STARTS = ("pretrained", "scratch", "head")
WHOLE = ("files", "hub", "registered")
"""Kinds of text models that come with their weights."""
STATED: Mapping[str, object] = {
    "partial": False,
    "sha256": None,
    "licence": None,
    "rename": [],
    "match": "name",
    "expect": {},
    "expect_rate": 0.5,
}
"""What a recipe states of an image net's weights, and the values that state nothing."""


def starting(recipe: Recipe, start: str) -> list[str]:
    """Overrides that make a recipe with pretrained weights start in one of STARTS. Raises RecipeError, DataError.

    pretrained: as it stands. scratch: the same net with new weights, trained as a whole. head: the weights are kept
    and the head alone is trained. All three train for the same number of epochs in all.
    """
    train = complete(recipe.train)
    if train["model"]["kind"] == "clip":
        raise RecipeError(
            f"--starts: the recipe {recipe.name} is of a layer on CLIP's embeddings; there is "
            "no other start to compare it with"
        )
    if not pretrained(train["model"]):
        raise RecipeError(
            f"--starts: the recipe {recipe.name} starts from new weights (train.model.kind "
            f"{train['model']['kind']}), so there is no pretrained start to compare"
        )
    if start == "head" and isinstance(recipe.encode, LabelWordEncode):
        raise RecipeError("--starts: a generative model has no head of its own; leave `head` out")
    new = _new_model(recipe) if start == "scratch" and train["model"]["kind"] in WHOLE else None
    return overrides(start, train, new)


def overrides(start: str, train: Mapping[str, Any], new: Mapping[str, object] | None) -> list[str]:
    """The same from the plain values of `train`; `new` is the text model with new weights that scratch takes."""
    phases: Sequence[Mapping[str, Any]] = train["phases"]
    total = sum(phase["epochs"] for phase in phases) if phases else train["epochs"]
    if start == "head":
        return [_phase(phases[0] if phases else {}, "head", total), "train.epochs=1"]
    if start == "pretrained":
        return []
    if new is not None:
        changes = [f"train.model={json.dumps(new)}"]
    else:
        changes = ["train.model.weights=none"] if train["model"].get("weights") not in (None, "none") else []
        changes += ["train.model.revision=main"] if train["model"].get("revision", "main") != "main" else []
        changes += ["train.model.file=null"] if train["model"].get("file") is not None else []
        for name, unset in STATED.items():
            changes += [f"train.model.{name}={json.dumps(unset)}"] if train["model"].get(name, unset) != unset else []
    return changes + ([_phase(phases[-1], "all", total)] if phases else [])


def _phase(like: Mapping[str, Any], trainable: str, epochs: int) -> str:
    """One phase with the rates and the optimiser of another."""
    other = ("trainable", "freeze", "epochs", "rates", "pretrained_rate")
    kept = {name: value for name, value in like.items() if value is not None and name not in other}
    return f"train.phases={json.dumps([{'trainable': trainable, 'epochs': epochs, **kept}])}"


def pretrained(model: Mapping[str, Any]) -> bool:
    """Whether a model's plain values name weights that are loaded."""
    weights = model.get("weights") not in (None, "none") or model.get("file") is not None
    return model["kind"] in WHOLE or weights


def _new_model(recipe: Recipe) -> Mapping[str, object]:
    from tasks.artifact import StageError
    from tasks.data.sources.revisions import Unpinned
    from tasks.pins import pin
    from tasks.text.scratch import new_model

    try:
        source, _ = pin(recipe.train.model, ask=True)
    except Unpinned as error:
        raise StageError(str(error)) from None
    return new_model(source)  # type: ignore[arg-type]
