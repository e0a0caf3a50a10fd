"""What `temper compare` compares: words of the command line come in, recipes under names of their own go out."""

import json
from dataclasses import dataclass
from pathlib import Path

from configs.literal import complete
from configs.load import RecipeError, load_recipe
from configs.schema import Recipe
from configs.stages import CACHED

from .initializations import STARTS, starting

DISTILLED, HARD_LABELS, MORE_DATA = "distilled", "hard labels", "more data"
"""What the students of a distillation are called."""


@dataclass(frozen=True)
class Variant:
    """One recipe of a comparison and what it is called there."""

    name: str
    recipe: Recipe


def read_variants(words: list[str], changes: list[str], starts: str | None) -> tuple[str, list[Variant]]:
    """The comparison's name and its recipes. Raises RecipeError where there is nothing to compare."""
    given = _group(words)
    if starts is None:
        if len(given) < 2:
            raise RecipeError("one recipe is nothing to compare: give two or more, or one with --starts")
        recipes = [(load_recipe(path, [*changes, *own]), own) for path, own in given]
        for (path, _), (loaded, _) in zip(given, recipes, strict=True):
            if not loaded.encode.traits.classes:
                raise RecipeError(
                    f"{path}: compare counts correct predictions, and encode.kind "
                    f"{loaded.encode.kind} has no classes; compare its scores in MLflow"
                )
        names = [" ".join([recipe.name, *own]) for recipe, own in recipes]
        names = [
            f"{name} ({names[:at].count(name) + 1})" if names.count(name) > 1 else name for at, name in enumerate(names)
        ]
        variants = [Variant(name, recipe) for name, (recipe, _) in zip(names, recipes, strict=True)]
    else:
        if len(given) > 1:
            raise RecipeError("--starts compares the starts of one recipe; give one")
        path, own = given[0]
        variants = _start(path, [*changes, *own], starts)
    _require_different(variants)
    first = variants[0].recipe.name
    return f"compare-{first}" if starts else f"compare-{'-'.join(_plain(variants))}", variants


def read_taught(path: Path, changes: list[str], more: list[str]) -> tuple[str, list[Variant]]:
    """A student with its teachers, without them, and where `more` changes anything without them on other training rows.

    Raises RecipeError where the recipe has no teachers, or its kind no classes.
    """
    student = load_recipe(path, changes)
    if student.train.teacher is None:
        raise RecipeError(
            f"{path}: has no train.teacher, so nothing is distilled; name the teachers, see docs/guides/distillation.md"
        )
    given = {DISTILLED: changes, HARD_LABELS: [*changes, "train.teacher=null"]}
    if more:
        given[MORE_DATA] = [*given[HARD_LABELS], *more]
    variants = [Variant(name, load_recipe(path, own)) for name, own in given.items()]
    _require_different(variants)
    return f"distill-{student.name}", variants


def _plain(variants: list[Variant]) -> list[str]:
    return list(dict.fromkeys(variant.recipe.name for variant in variants))


def _group(words: list[str]) -> list[tuple[Path, list[str]]]:
    """Recipes with the overrides that follow each."""
    groups: list[tuple[Path, list[str]]] = []
    for word in words:
        if "=" not in word or Path(word).is_file():
            groups.append((Path(word), []))
        elif groups:
            groups[-1][1].append(word)
        else:
            raise RecipeError(f"`{word}` stands before any recipe; changes follow theirs, and --set changes all")
    return groups


def _start(path: Path, changes: list[str], starts: str) -> list[Variant]:
    """A variant per start."""
    named = [name.strip() for name in starts.split(",")]
    if odd := [name for name in named if name not in STARTS]:
        raise RecipeError(f"--starts {starts}: {odd[0]!r} is no start; take of {', '.join(STARTS)}")
    if len(named) < 2 or len(set(named)) < len(named):
        raise RecipeError(f"--starts {starts}: name two or more, each once, of {', '.join(STARTS)}")
    recipe = load_recipe(path, changes)
    return [Variant(name, load_recipe(path, [*changes, *starting(recipe, name)])) for name in named]


def _require_different(variants: list[Variant]) -> None:
    seen: dict[str, str] = {}
    for variant in variants:
        sections = json.dumps([complete(getattr(variant.recipe, name)) for name in CACHED], sort_keys=True)
        if sections in seen:
            raise RecipeError(f"{seen[sections]} and {variant.name} are the same training; there is nothing to compare")
        seen[sections] = variant.name
