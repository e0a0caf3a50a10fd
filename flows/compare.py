"""compare: two or more recipes come in, trained over several seeds; who is better on the same test rows goes out."""

import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prefect import flow, task
from prefect.cache_policies import NO_CACHE

from configs.literal import complete
from configs.schema import Recipe
from configs.settings import settings
from configs.stages import WITH_ROWS
from tasks.artifact import Artifact, StageError
from tasks.clean import clean
from tasks.download import download
from tasks.encode import encode
from tasks.evaluate import evaluate
from tasks.learn.comparison_document import Compared, Logged
from tasks.published import flow_links, publish
from tasks.split import split
from tasks.store import disk
from tasks.store.events import Event, emit
from tasks.store.identity import key_of
from tasks.train import train
from tasks.validate import validate

from .hooks import watched
from .teachers import require_unseen
from .variants import Variant

if TYPE_CHECKING:
    from tasks.learn.comparison import Costs, Side


@dataclass(frozen=True)
class Trained:
    """One training of a variant: its seed, the model and the report of its test."""

    variant: str
    recipe: Recipe
    model: Artifact
    report: Artifact


@dataclass(frozen=True)
class Measured:
    """What else a comparison shows: models that stand, after the recipes, and by name the costs of each."""

    standing: "Sequence[Side]"
    costs: "Mapping[str, Costs]"


@dataclass(frozen=True)
class Question:
    """What is asked, by which command: the name that it has in MLflow, and whether the first variant is judged against
    the others, or they against it."""

    name: str
    first_is_new: bool
    asked: str = "compare"
    measured: Measured | None = None


@flow(name="compare", flow_run_name="{name}", persist_result=False, **watched())
def compare(name: str, variants: list[Variant], seeds: int, first_is_new: bool) -> Compared:
    """Train each variant with `seeds` seeds on one split and report the paired tests; registers no model.

    With `first_is_new` the first variant is judged against the others, else they against it. Returns the report as
    of learn/comparison.py, with the MLflow runs. Raises StageError where the test rows are not the same.
    """
    trained, rows, done = train_all(variants, seeds)
    logged: Logged = report(Question(name, first_is_new), trained, rows, flow_links())
    return {**logged, "trained": done, "cached": len(trained) - done}


def train_all(variants: Sequence[Variant], seeds: int) -> tuple[list[Trained], tuple[Artifact, Artifact], int]:
    """Every training, the split and encoded rows of the first variant, and how many trainings were not cached.

    Raises StageError where the test rows are not the same.
    """
    rows = [prepare(variant.recipe) for variant in variants]
    require_same_test([variant.name for variant in variants], [variant.recipe for variant in variants], rows)
    todo = [
        (variant, reseeded(variant.recipe, number), *results)
        for number in range(seeds)
        for variant, results in zip(variants, rows, strict=True)
    ]
    cached = sum(is_trained(recipe, encoded, splits) for _, recipe, splits, encoded in todo)
    emit(
        Event(
            "compare",
            "note",
            f"{len(variants)} recipes x {seeds} seeds = {len(todo)} trainings: {cached} cached, "
            f"{len(todo) - cached} to do",
        )
    )
    trained = []
    for number, (variant, recipe, splits, encoded) in enumerate(todo, 1):
        status = f"training {number} of {len(todo)}: {variant.name}, seed {recipe.train.seed}"
        emit(Event("compare", "note", status))
        model, scored = assess(variant.name, recipe, encoded, splits)
        trained.append(Trained(variant.name, recipe, model, scored))
    return trained, rows[0], len(todo) - cached


def prepare(recipe: Recipe) -> tuple[Artifact, Artifact]:
    """The split rows and the encoded rows of a recipe."""
    raw = download(recipe.download)
    checked = validate(recipe.validate, raw)
    rows = clean(recipe.clean, checked)
    splits = split(recipe.split, rows)
    require_unseen(recipe, splits)
    return splits, encode(recipe.encode, splits)


@flow(name="assess", flow_run_name="{variant} seed {recipe.train.seed}", persist_result=False, **watched())
def assess(variant: str, recipe: Recipe, encoded: Artifact, splits: Artifact) -> tuple[Artifact, Artifact]:
    """One training of a variant and its test; a flow of its own, so that the MLflow run joins its recipe's."""
    model = train(recipe.train, encoded, splits)
    return model, evaluate(recipe.evaluate, model, encoded, splits)


def reseeded(recipe: Recipe, number: int) -> Recipe:
    """The recipe with the seed of its training raised by `number`."""
    return replace(recipe, train=replace(recipe.train, seed=recipe.train.seed + number))


def is_trained(recipe: Recipe, encoded: Artifact, splits: Artifact) -> bool:
    """Whether the training is in the store, intact."""
    _, identified = train.identify(recipe.train, {"encoded": encoded, "splits": splits}, ask=True)
    try:
        return disk.find(settings().store, train.name, key_of(identified)) is not None
    except ValueError:
        return False


def require_same_test(
    names: Sequence[str], recipes: Sequence[Recipe], rows: Sequence[tuple[Artifact, Artifact]]
) -> None:
    """Raise StageError unless all recipes have the same labels and are scored on the same rows."""
    labels, parts, tested = (
        [_labels(result) for result in rows],
        [_part(result) for result in rows],
        [*map(_tested, rows)],
    )
    for name, recipe, its_labels, part, ids in zip(names, recipes, labels, parts, tested, strict=True):
        if its_labels != labels[0]:
            odd = ", ".join(sorted(set(its_labels) ^ set(labels[0])))
            raise StageError(f"{names[0]} and {name} have other labels ({odd}), so predictions cannot be compared")
        if part != parts[0] or ids != tested[0]:
            raise StageError(
                f"{names[0]} is tested on {len(tested[0]):,} rows (split {parts[0][:8]}), {name} on {len(ids):,} "
                f"(split {part[:8]}), {len(tested[0] & ids):,} of them in both; a paired test needs the same rows. "
                f"{_what_differs(recipes[0], recipe)}"
            )


def _labels(result: tuple[Artifact, Artifact]) -> list[str]:
    labels: list[str] = json.loads(result[0].file("labels.json").read_text(encoding="utf-8"))
    return sorted(labels)


def _part(result: tuple[Artifact, Artifact]) -> str:
    return str(result[0].manifest()["files"]["data/test.parquet"]["sha256"])


def _tested(result: tuple[Artifact, Artifact]) -> frozenset[str]:
    """Ids of the test rows that `encode` left."""
    from tasks.data.ledger import read_ledger

    ledger = read_ledger(result[1].file("ledger.parquet"))
    return frozenset(ledger.loc[ledger["state"] == "test", "id"])


def _what_differs(first: Recipe, other: Recipe) -> str:
    stages = [name for name in WITH_ROWS if complete(getattr(first, name)) != complete(getattr(other, name))]
    return f"The recipes differ in {', '.join(stages)}; make these alike" if stages else "The sources changed meanwhile"


@task(name="report", cache_policy=NO_CACHE, persist_result=False)
def report(
    question: Question, trained: list[Trained], rows: tuple[Artifact, Artifact], links: dict[str, str]
) -> Logged:
    """Put the trainings side by side: the numbers, which go to Prefect and MLflow too, as a page and a chart."""
    from tasks.learn.comparison import describe, draw, weigh
    from tasks.tracking.comparison_runs import Training, log_comparison, log_trainings

    confidence, recipe = trained[0].recipe.evaluate.confidence, trained[0].recipe
    ids, groups = tested_units(rows, by_group=getattr(recipe.split, "by", "row") == "group")
    sides = _sides(trained, ids)
    if (measured := question.measured) is not None:
        sides = [replace(side, costs=measured.costs[side.name]) for side in [*sides, *measured.standing]]
    weighed = weigh(sides, groups, confidence, first_is_new=question.first_is_new)
    trainings = [Training(trial.recipe.name, trial.model, trial.report) for trial in trained]
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        (folder / "summary.md").write_text(describe(weighed, question.asked) + "\n", encoding="utf-8")
        draw(sides, weighed, folder / "comparison.png")
        publish(question.asked, folder)
        children = log_trainings(trainings, links)
        mlflow = log_comparison(question.name, weighed, trainings, children, folder)
    runs = {(trial.variant, trial.recipe.train.seed): child for trial, child in zip(trained, children, strict=True)}
    for side in weighed["recipes"]:
        for training in side["trainings"]:
            training["mlflow_run_id"] = runs[side["name"], training["seed"]]
    return {
        **weighed,
        "mlflow_run_id": mlflow["run_id"],
        "artifacts": mlflow["artifacts"],
        "tracking_uri": settings().shown_tracking,
    }


def tested_units(rows: tuple[Artifact, Artifact], *, by_group: bool) -> Any:
    """Ids of the tested rows, and the number of each one's group (of each row, where there are none)."""
    import pandas as pd

    from tasks.data.rows import read_rows, units

    table = read_rows(rows[0].file("test.parquet"))
    table = table[table["id"].isin(_tested(rows))]
    each = pd.Series(units(table["group"], table["id"])) if by_group else table["id"]
    return pd.Index(table["id"]), pd.factorize(each)[0]


def _sides(trained: list[Trained], ids: Any) -> "list[Side]":
    import numpy as np

    from tasks.learn.comparison import Side, read_right

    sides = []
    for name in dict.fromkeys(trial.variant for trial in trained):
        own = [trial for trial in trained if trial.variant == name]
        right = np.stack([read_right(trial.report.file("predictions.parquet"), ids) for trial in own])
        histories = [json.loads((trial.model.records / "history.json").read_text(encoding="utf-8")) for trial in own]
        sides.append(Side(name, tuple(trial.recipe.train.seed for trial in own), right, tuple(histories)))
    return sides
