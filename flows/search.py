"""search: a recipe and a space of settings come in; the best of the trials, and whether it is better than luck, goes
out."""

import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NotRequired, TypedDict

from prefect import flow, task
from prefect.artifacts import create_table_artifact
from prefect.cache_policies import NO_CACHE

from configs.literal import complete
from configs.load import RecipeError
from configs.schema import Recipe
from configs.settings import settings
from tasks.artifact import Artifact, StageError
from tasks.data.errors import DataError
from tasks.published import flow_links
from tasks.search.study import Study, TrialLine, open_study, study_name
from tasks.store import studies
from tasks.store.events import Event, emit
from tasks.store.identity import key_of
from tasks.tracking.write_locks import turn
from tasks.train import train

from .compare import compare, prepare
from .hooks import watched
from .searched_recipe import Subject
from .trial import perform
from .variants import Variant

if TYPE_CHECKING:
    from tasks.learn.comparison_document import Compared

GENERATION = 10
"""Trials between two tables in Prefect."""
LONGEST = 300
"""Characters of the reason that is kept of a trial that failed."""
HOPELESS = (RecipeError, StageError, DataError, ArithmeticError, MemoryError)
"""What ends a trial, and not the search."""


class Searched(TypedDict):
    """The document of a search; changes: what the best trial changes in the recipe, as section.key=value.
    comparison: the best trial against the recipe on the test rows, where both are not the same and have classes."""

    study: str
    storage: str
    objective: str
    trials: list[TrialLine]
    best: TrialLine
    changes: list[str]
    comparison: "Compared | None"
    verdict: str
    mlflow_run_id: NotRequired[str]
    artifacts: NotRequired[str]


@flow(name="search", flow_run_name="{subject.recipe.name} search", persist_result=False, **watched())
def search(subject: Subject, begun: bool) -> Searched:
    """Try settings until there are enough trials, then compare the best with the recipe over fresh seeds.

    A trial is the recipe with changes, so that it shares every cached stage; test rows are not scored before the
    comparison. begun: refuse to begin another study. Raises StageError where no trial could be trained.
    """
    recipe = subject.recipe
    own = prepare(recipe)
    name = study_name(recipe.name, subject.search, subject.objective, _basis(recipe, own))
    storage = settings().study_storage
    with turn("searching", name, waiting=lambda: _say("another process is at this search; waiting")):
        study = open_study(name, subject.search, subject.objective, storage, begun=begun)
        studies.begin(name, subject.path, own)
        _announce(study)
        _try_all(study, subject, own)
        best = study.best()
        if best is None:
            reasons = [line["reason"] for line in study.lines() if line["reason"]]
            raise StageError(f"no trial of {name} could be trained to its end; the last: {(reasons or ['pruned'])[-1]}")
        _publish(study)
    changes, comparison, verdict = _confirm(study, subject, best)
    document: Searched = {
        "study": name,
        "storage": settings().shown_study_storage,
        "objective": study.objective,
        "trials": study.lines(),
        "best": best,
        "changes": changes,
        "comparison": comparison,
        "verdict": verdict,
    }
    logged = log(document, study, recipe.name, flow_links())
    studies.end(name)
    return logged


def _basis(recipe: Recipe, own: tuple[Artifact, Artifact]) -> list[object]:
    """All that trials share: the split rows, and the recipe's own training with its code, libraries and settings."""
    _, identified = train.identify(recipe.train, {"encoded": own[1], "splits": own[0]}, ask=True)
    return [own[0].digest, key_of(identified), complete(recipe.encode)]


def _announce(study: Study) -> None:
    there = study.lines()
    running = sum(line["state"] == "running" for line in there)
    note = f"{study.name}: {len(there) - running} of {study.limit} trials done"
    _say(note + (f", trial {there[-1]['number']} was interrupted and goes on" if running else ""))


def _try_all(study: Study, subject: Subject, own: tuple[Artifact, Artifact]) -> None:
    from tasks.search.space import words

    hours = subject.search.hours
    end = None if hours is None else time.monotonic() + hours * 3600
    while end is None or time.monotonic() < end:
        trial = study.next()
        if trial is None:
            return
        values = study.values(trial)
        emit(Event("search", "progress", f"trial {trial.number}: {words(values)}", trial.number, study.limit))
        began = time.monotonic()
        value: float | None = None
        facts: dict[str, object] = {}
        try:
            if not study.pruned_before(trial):
                facts["key"], value = perform(study, trial, values, subject, own)
        except HOPELESS as error:
            facts["reason"], facts["failed"] = str(error).splitlines()[0][:LONGEST], True
        study.end(trial, value, {**facts, "seconds": round(time.monotonic() - began, 3)})
        emit(Event("search", "trial", _outcome(study, trial.number), trial.number + 1, study.limit))
        if (trial.number + 1) % GENERATION == 0:
            _publish(study)
    _say(f"{subject.search.hours:g} hours are over; no further trial begins")


def _confirm(study: Study, subject: Subject, best: TrialLine) -> "tuple[list[str], Compared | None, str]":
    """What the best trial changes, its comparison with the recipe over fresh seeds, and the verdict in a sentence."""
    from tasks.learn.comparison import interval, p_value
    from tasks.search.space import overrides

    changes = overrides(study.search, best["values"])
    recipes = [_reseeded(recipe) for recipe in (subject.recipe, subject.with_values(changes))]
    if all(complete(getattr(recipes[0], name)) == complete(getattr(recipes[1], name)) for name in ("encode", "train")):
        return [], None, "the recipe's own values are the best that were tried"
    if not subject.recipe.encode.traits.classes:
        return (
            changes,
            None,
            f"not tested: a comparison counts correct predictions, and {subject.recipe.encode.kind} has no classes",
        )
    variants = [
        Variant(name, recipe) for name, recipe in zip(("the recipe", f"trial {best['number']}"), recipes, strict=True)
    ]
    compared = compare(f"{study.name} confirmed", variants, subject.search.seeds, False)
    (pair,) = compared["pairs"]
    words = {
        "helped": "better than the recipe by",
        "hurt": "worse than the recipe, although it was the best on validation rows, by",
        "undecided": "not better than chance:",
    }
    return changes, compared, f"{words[pair['verdict']]} {interval(pair)} test accuracy, {p_value(pair['p_holm'])}"


def _reseeded(recipe: Recipe) -> Recipe:
    """With the first seed that no trial had."""
    return replace(recipe, train=replace(recipe.train, seed=recipe.train.seed + 1))


@task(name="log", cache_policy=NO_CACHE, persist_result=False)
def log(document: Searched, study: Study, recipe: str, links: dict[str, str]) -> Searched:
    """Pictures and numbers of a search to MLflow, as a run whose children are its trials."""
    import tempfile

    from tasks.search.study_page import draw, page
    from tasks.tracking.searches import log_search

    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        draw(study, folder)
        (folder / "summary.md").write_text(page(document) + "\n", encoding="utf-8")
        _show(folder)
        logged = log_search(recipe, document, folder, links)
    return {**document, "mlflow_run_id": logged["run_id"], "artifacts": logged["artifacts"]}


def _show(folder: Path) -> None:
    from tasks.published import publish

    publish("search", folder)


def _publish(study: Study) -> None:
    """The trials so far as a table in Prefect."""
    from tasks.search.space import words

    table = [
        {
            "trial": line["number"],
            "values": words(line["values"]),
            "state": line["state"],
            study.objective: line["value"],
        }
        for line in study.lines()
    ]
    create_table_artifact(table, key="search-trials", description=f"Trials of {study.name}")


def _outcome(study: Study, number: int) -> str:
    """What became of a trial, as the terminal shows it."""
    line = study.lines()[number]
    best = study.best()
    if line["state"] == "complete":
        first = best is not None and best["number"] == number
        return f"{study.objective} {line['value']:.4f}" + (" (best so far)" if first else "")
    return f"pruned at step {line['step']}" if line["state"] == "pruned" else f"failed: {line['reason']}"


def _say(text: str) -> None:
    emit(Event("search", "note", text))


def apply_best(subject: Subject, document: Searched) -> str:
    """Write the best trial's values into the recipe's file where the comparison calls them better; what was done."""
    from .recipe_edits import with_values

    pairs = document["comparison"]["pairs"] if document["comparison"] else []
    if not document["changes"] or any(pair["verdict"] != "helped" for pair in pairs):
        return f"{subject.path} stays as it is"
    with_values(subject.path, document["changes"], f"temper search: {document['verdict']}")
    return f"{len(document['changes'])} values written into {subject.path}"
