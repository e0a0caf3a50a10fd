"""The ways to train a pretrained model that `temper advise` races: a recipe comes in, what to change in it goes out."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from configs.encodings import LabelWordEncode
from configs.literal import complete
from configs.load import RecipeError, load_recipe
from configs.models import Clip
from configs.phases import Phase
from configs.schema import Recipe, Train

from .initializations import pretrained, starting
from .searched_recipe import Subject

NAMES = ("head", "partial", "full", "scratch")
"""Candidates, in the order of how much they train."""
LOADED = 0.1
"""Factor on the rate of loaded weights that phases have by default. The one rate of a recipe without phases is meant
for loaded weights: the head alone, and new weights, move at that rate over this factor."""


@dataclass(frozen=True)
class Candidates:
    """What every candidate is made of: the recipe, the blocks that `partial` freezes, and what `scratch` changes of the
    model, as section.key=value."""

    subject: Subject
    earlier: tuple[str, ...]
    new_weights: tuple[str, ...]

    @property
    def names(self) -> list[str]:
        """Those that differ: a body of one block has no earlier half."""
        return [name for name in NAMES if name != "partial" or self.earlier]

    def changes(self, name: str, epochs: int) -> list[str]:
        """What a candidate changes in the recipe when it trains for so many epochs."""
        phases = [self.phase(name, epochs)]
        rest = [] if self.subject.recipe.train.phases else ["train.epochs=1"]
        model = list(self.new_weights) if name == "scratch" else []
        return [*model, *rest, f"train.phases={json.dumps(phases)}"]

    def phase(self, name: str, epochs: int) -> dict[str, object]:
        """The one phase of a candidate, with the rates of the recipe."""
        train = self.subject.recipe.train
        like = _like(train, name)
        plain = {} if like is None else complete(like)
        stated: dict[str, object] = {"trainable": "head" if name == "head" else "all", "epochs": epochs}
        if name == "partial":
            stated["freeze"] = list(self.earlier)
        if name in ("head", "scratch") and not train.phases:
            stated["learning_rate"] = float(f"{train.learning_rate / LOADED:.4g}")
        elif name == "scratch":
            stated["learning_rate"] = max([train.learning_rate, *(each.learning_rate or 0 for each in train.phases)])
        if name in ("partial", "full") and (like is not None or not train.phases):
            stated["pretrained_rate"] = 1.0 if like is None else like.pretrained_rate
        kept = ("learning_rate", "optimizer", "schedule", "warmup", "patience")
        return {**{field: plain[field] for field in kept if plain.get(field) is not None}, **stated}

    def recipe(self, name: str, epochs: int) -> Recipe:
        """The recipe of a candidate. Raises RecipeError."""
        return self.subject.with_values(self.changes(name, epochs))


def _like(train: Train, name: str) -> Phase | None:
    """The phase of the recipe whose rates a candidate takes: the first of the head alone for `head`, the last that
    trains more for all others; None where the recipe has none of that kind."""
    alone = [phase for phase in train.phases if phase.trainable == "head"]
    more = [phase for phase in train.phases if phase.trainable != "head"]
    return next(iter(alone), None) if name == "head" else next(reversed(more), None)


def read_advised(path: Path, changes: Sequence[str]) -> Subject:
    """The recipe to advise on. Raises RecipeError, before anything is computed, where there is nothing to choose."""
    recipe = load_recipe(path, changes)
    if not recipe.encode.traits.classes or isinstance(recipe.encode, LabelWordEncode):
        raise RecipeError(
            f"{path}: advice is for models with a new head that predicts one of a few labels (encode.kind classifier "
            f"or image), not for encode.kind {recipe.encode.kind}"
        )
    model: Mapping[str, object] = complete(recipe.train)["model"]
    if not pretrained(model):
        raise RecipeError(
            f"{path}: train.model.kind {model['kind']} starts from new weights, so there is nothing to freeze; name "
            "weights (train.model of kind files, hub or registered; of images `weights` or `file`)"
        )
    if isinstance(recipe.train.model, Clip):
        raise RecipeError(f"{path}: of train.model.kind clip the head alone is trained; there is nothing to choose")
    if recipe.train.lora is not None:
        raise RecipeError(f"{path}: train.lora trains matrices next to frozen weights; advice is for recipes without")
    if recipe.split.validation in (0, "none"):
        raise RecipeError(f"{path}: candidates are compared on validation rows, of which split leaves none")
    return Subject(path, tuple(changes), recipe)


def candidates_of(subject: Subject, earlier: Sequence[str]) -> Candidates:
    """The candidates of a recipe whose body begins with these blocks. Raises RecipeError, DataError, StageError."""
    new_weights = [change for change in starting(subject.recipe, "scratch") if not change.startswith("train.phases=")]
    return Candidates(subject, tuple(earlier), tuple(new_weights))
