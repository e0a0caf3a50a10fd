"""trial: one setting of a search comes in; its validation score goes out, or the training ends early."""

import json
from collections.abc import Callable
from typing import TYPE_CHECKING

from prefect import flow

from configs.schema import Recipe
from tasks.artifact import Artifact, StageError
from tasks.store.events import Event, Stopped, listeners
from tasks.store.identity import key_of
from tasks.store.studies import record
from tasks.train import train

from .compare import prepare, require_same_test
from .hooks import watched
from .searched_recipe import Subject

if TYPE_CHECKING:
    from optuna.trial import Trial

    from tasks.search.space import Drawn
    from tasks.search.study import Study


def perform(
    study: "Study", trial: "Trial", values: "Drawn", subject: Subject, own: tuple[Artifact, Artifact]
) -> tuple[str, float | None]:
    """The training's key, and its score: None where the pruner ended it. Raises RecipeError, StageError, DataError."""
    from tasks.search.space import overrides

    recipe = subject.with_values(overrides(study.search, values))
    with listeners(_pruning(study, trial)):
        title = f"{subject.recipe.name} trial {trial.number}"
        key, model = trial_run(title, recipe, subject.recipe, own, study.name)
    return key, None if model is None else validation_score(model, study.objective)


@flow(name="trial", flow_run_name="{title}", persist_result=False, **watched())
def trial_run(
    title: str, recipe: Recipe, against: Recipe, own: tuple[Artifact, Artifact], study: str
) -> tuple[str, Artifact | None]:
    """One trial: the stages up to the training, of which most are cached; the training's key, and the model unless a
    listener ended it. Raises StageError for other rows than the recipe's own."""
    rows = prepare(recipe)
    require_same_test(["the recipe", "the trial"], [against, recipe], [own, rows])
    require_same_validation(own, rows)
    _, identified = train.identify(recipe.train, {"encoded": rows[1], "splits": rows[0]}, ask=True)
    for stage, needed in ((rows[1].stage, rows[1].key), (train.name, key_of(identified))):
        record(study, stage, needed)
    try:
        return key_of(identified), train(recipe.train, rows[1], rows[0])
    except Stopped:
        return key_of(identified), None


def require_same_validation(own: tuple[Artifact, Artifact], rows: tuple[Artifact, Artifact]) -> None:
    """Raise StageError where a trial's encoding drops other validation rows than the recipe's, since scores of other
    rows do not compare."""
    from tasks.data.ledger import read_ledger

    if own[1].digest == rows[1].digest:
        return
    parts = []
    for _, encoded in (own, rows):
        ledger = read_ledger(encoded.file("ledger.parquet"))
        parts.append(frozenset(ledger.loc[ledger["state"] == "validation", "id"]))
    if parts[0] != parts[1]:
        raise StageError(
            f"the trial is validated on {len(parts[1]):,} rows and the recipe on {len(parts[0]):,}, since encode drops "
            "others: their scores do not compare"
        )


def _pruning(study: "Study", trial: "Trial") -> Callable[[Event], None]:
    """A listener that ends a training where the pruner does."""
    score = f"eval_{study.objective}"

    def hear(event: Event) -> None:
        if event.kind == "measured" and score in event.values and study.measure(trial, event.done, event.values[score]):
            raise Stopped(f"pruned at step {event.done}")

    return hear


def validation_score(model: Artifact, objective: str) -> float:
    """The validation score of the weights that a training kept. Raises StageError where it measured none."""
    history = json.loads((model.records / "history.json").read_text(encoding="utf-8"))
    kept = json.loads(model.file("audit.json").read_text(encoding="utf-8"))[-1]["chosen"]
    for row in history:
        if row["step"] == kept and f"eval_{objective}" in row:
            return float(row[f"eval_{objective}"])
    raise StageError(f"the training measured no validation {objective.replace('_', '-')}; name another objective")
