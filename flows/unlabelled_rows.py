"""Words of `temper label` -> what an artifact of pseudo-labels is made from."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from configs.load import RecipeError
from configs.models import RegisteredModel
from configs.pseudo_labels import PseudoLabels
from configs.schema import Recipe
from configs.sources import Columns, FileSource, holds
from tasks.tracking.models import model_folder
from tasks.tracking.named import find_named


def pseudo_labels_of(
    recipe: Recipe, rows: Path, teachers: Sequence[str], least: tuple[float, dict[str, float]], given: Mapping[str, Any]
) -> PseudoLabels:
    """The section; least: as of `confidences`; given: column, pair, truth, agree, balance and `reading`, fields of a
    recipe's source.

    Raises RecipeError for a recipe whose rows have no label, and words that fit nothing; StageError for a teacher that
    is not there, DataError for one that reads no texts, or predicts no classes.
    """
    from tasks.kinds.spec import kind_in
    from tasks.kinds.teaching import require_same_content

    if holds(recipe.download) != ("text", "label"):
        raise RecipeError("pseudo-labels are for recipes of texts with one label each; this one reads others")
    if given["pair"] and getattr(recipe.download, "columns", Columns()).text_pair is None:
        raise RecipeError("--pair: this recipe reads one text a row, no pairs; leave it out")
    if not all(name.strip() for name in teachers):
        raise RecipeError("--teacher is empty; name a registered model, such as my-model or my-model/3")
    named = [find_named(name) for name in teachers]
    models = tuple(RegisteredModel(kind="registered", name=each.name, version=each.version) for each in named)
    if len(set(models)) < len(models):
        raise RecipeError("--teacher: the same version twice; name each once")
    if given["agree"] and len(models) < 2:
        raise RecipeError("--agree asks two or more teachers; give --teacher twice")
    known = getattr(recipe.download, "columns", None) or Columns()
    columns = replace(
        Columns(label=None),
        text=given["column"] or known.text,
        text_pair=given["pair"] or known.text_pair,
        label=given["truth"],
        label_map=known.label_map if given["truth"] else {},
    )
    source = FileSource(kind="file", path=str(rows.resolve()), columns=columns, **given["reading"])
    taught = [kind_in(model_folder(model.name, model.version)) for model in models]
    for kind in taught:
        require_same_content(kind, recipe.encode.kind, "--teacher")
    agree, balance = bool(given["agree"]), bool(given["balance"])
    return PseudoLabels(source, models, taught[0], *least, agree, balance, recipe.clean, recipe.split.similarity)


def confidences(words: Sequence[str]) -> tuple[float, dict[str, float]]:
    """The least probability of all labels, 0.9 where none is given, and of those that have their own (LABEL=0.8).
    Raises RecipeError."""
    given: dict[str | None, float] = {}
    for word in words:
        label, equals, number = word.rpartition("=")
        try:
            value = float(number)
        except ValueError:
            value = -1.0
        if not 0 <= value <= 1:
            raise RecipeError(f"--confidence {word}: give a probability from 0 to 1, or LABEL=0.8 for one label")
        known = label if equals else None
        if known == "" or known in given:
            raise RecipeError(f"--confidence {word}: name each label once, as LABEL=0.8, and one value for all others")
        given[known] = value
    return given.pop(None, 0.9), {str(label): value for label, value in given.items()}
