"""advise: a recipe with a pretrained model comes in; measures of its frozen features, a race of freezing strategies and
the one to take go out."""

import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from prefect import flow, task
from prefect.cache_policies import NO_CACHE

from configs.schema import Recipe
from tasks.advice.halving import first_budget
from tasks.artifact import Artifact, canonical, digest_text
from tasks.published import flow_links, publish
from tasks.store import studies
from tasks.store.events import Event, emit
from tasks.store.identity import key_of
from tasks.store.workload import epochs
from tasks.tracking.write_locks import turn
from tasks.train import train

from .candidates import candidates_of
from .compare import prepare
from .hooks import watched
from .race import Race
from .searched_recipe import Subject

if TYPE_CHECKING:
    from tasks.advice.advice_document import Advice, Measures, Round
    from tasks.advice.features import FrozenBody
    from tasks.advice.validation import Validation, ValidationRows


@dataclass(frozen=True)
class RaceOptions:
    """epochs: of the first round, None for a quarter of the recipe's; full: train all candidates with the recipe's own
    epochs as well."""

    epochs: int | None = None
    full: bool = False


@flow(name="advise", flow_run_name="{subject.recipe.name} advice", persist_result=False, **watched())
def advise(subject: Subject, options: RaceOptions) -> "Advice":
    """Measure the frozen features, race the candidates, and recommend the best by validation score.

    Every training is a cached one of the recipe with other phases, so a killed race goes on where it was, and a second
    call trains nothing. Test rows are not read. Raises DataError, RecipeError, StageError.
    """
    recipe = subject.recipe
    own = prepare(recipe)
    pinned, identified = train.identify(recipe.train, {"encoded": own[1], "splits": own[0]}, ask=True)
    study = f"{recipe.name}-advice-{digest_text(canonical([own[0].digest, key_of(identified)]))[:12]}"
    with turn("searching", study, waiting=lambda: _say("another process is at this advice; waiting")):
        studies.begin(study, subject.path, own)
        _say("computing features of the frozen body")
        from tasks.advice.features import frozen_body
        from tasks.advice.measures import measure

        body = frozen_body(pinned, own[1], lambda done, of: emit(Event("advise", "progress", "features", done, of)))
        rows, validation = _validation(recipe, own)
        measures = measure(body, validation.of(body.validation.positions), recipe.train.seed)
        race = Race(candidates_of(subject, body.earlier), own, rows, validation, study)
        rounds = race.halve(options.epochs or first_budget(epochs(recipe.train)))
        full = race.round(race.candidates.names, _last_budget(recipe, rounds)) if options.full else None
        document = _document(race, _per_class(own[1], body), measures, rounds, full)
        logged = log(document, study, flow_links())
    studies.end(study)
    return logged


def _validation(recipe: Recipe, own: tuple[Artifact, Artifact]) -> "tuple[ValidationRows, Validation]":
    """All validation rows as a saved model is asked them, and how it is scored on them."""
    from tasks.advice.validation import Validation, read_truth, read_validation
    from tasks.learn.resampling import Resampling

    rows = read_validation(*own, recipe.encode.traits.content)
    how = Resampling(recipe.evaluate.bootstrap, recipe.evaluate.confidence, recipe.evaluate.seed)
    return rows, Validation(read_truth(own[1], "validation"), rows.groups, recipe.train.metric, how)


def _per_class(encoded: Artifact, body: "FrozenBody") -> dict[str, int]:
    """Training rows by label, the most frequent first."""
    from tasks.advice.validation import read_truth

    counted = Counter(read_truth(encoded, "train").tolist())
    return {body.labels[number]: rows for number, rows in counted.most_common()}


def _last_budget(recipe: Recipe, rounds: "list[Round]") -> int:
    """Epochs of the full race, and of the recommendation: the recipe's, unless the race went further."""
    return max(epochs(recipe.train), rounds[-1]["epochs"])


def _document(
    race: Race, per_class: dict[str, int], measures: "Measures", rounds: "list[Round]", full: "Round | None"
) -> "Advice":
    from tasks.advice.verdict import best_two, gain_over, would_change

    recipe, pair = race.candidates.subject.recipe, best_two(rounds[-1], lower=race.lower)
    gain = gain_over(pair, rounds[-1]["epochs"], race.predicted, race.validation)
    return {
        "recipe": recipe.name,
        "objective": race.validation.objective,
        "confidence": recipe.evaluate.confidence,
        "seed": recipe.train.seed,
        "training_rows": sum(per_class.values()),
        "validation_rows": len(race.validation.truth),
        "per_class": per_class,
        "measures": measures,
        "rounds": rounds,
        "best": pair[0],
        "gain": gain,
        "changes": race.candidates.changes(pair[0], _last_budget(recipe, rounds)),
        "would_change": would_change(rounds, measures, gain, race.validation),
        "full": full,
        "full_best": next(iter(best_two(full, lower=race.lower)), None) if full is not None else None,
    }


@task(name="log", cache_policy=NO_CACHE, persist_result=False)
def log(document: "Advice", study: str, links: dict[str, str]) -> "Advice":
    """The advice as a page to Prefect, and with its numbers to MLflow, as a run whose children are the trainings."""
    from tasks.advice.advice_page import page
    from tasks.tracking.advice_runs import log_advice

    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        (folder / "summary.md").write_text(page(document) + "\n", encoding="utf-8")
        publish("advise", folder)
        logged = log_advice(study, document, folder, links)
    return {**document, "mlflow_run_id": logged["run_id"], "artifacts": logged["artifacts"]}


def _say(text: str) -> None:
    emit(Event("advise", "note", text))
