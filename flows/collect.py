"""What `temper gc` keeps and deletes: roots from recipes, runs and the registry; the store decides by them."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from configs.settings import settings
from tasks.artifact import StageError
from tasks.data.errors import DataError
from tasks.store import living, studies, sweep, usage

from .plan import plan
from .services.recipe_names import noted

if TYPE_CHECKING:
    from configs.schema import Recipe
    from tasks.store.sweep import Catalogue, Decision, Key
    from tasks.store.usage import Run

DAY = 24 * 3600.0
GIB = 2**30


@dataclass(frozen=True)
class Rules:
    """For how many days what nothing needs is kept after its last use, how many runs of each recipe are, and how many
    GiB the store may have."""

    keep_days: float
    keep_runs: int
    budget_gib: float | None

    @property
    def seconds(self) -> float:
        """The days in seconds."""
        return self.keep_days * DAY


def decisions(rules: Rules, catalogue: "Catalogue", say: Callable[[str], None]) -> "list[Decision]":
    """What would become of all that the store holds. Raises StageError where the registry does not answer: what it
    keeps cannot be known then."""
    kept = catalogue.reached(roots(rules.keep_runs, catalogue, say))
    budget = None if rules.budget_gib is None else int(rules.budget_gib * GIB)
    return sweep.decide(sweep.entries(settings().store), kept, keep=rules.seconds, budget=budget, now=time.time())


def roots(keep_runs: int, catalogue: "Catalogue", say: Callable[[str], None]) -> "dict[Key, str]":
    """What has to stay, with the reason: where several hold, that of a registered version, else of a run."""
    needed = [_of_recipes(say), _of_searches(), _of_runs(keep_runs), _of_versions(catalogue, say)]
    return {key: why for root in needed for key, why in root}


def _of_searches() -> "Iterator[tuple[Key, str]]":
    for search in studies.begun(settings().store):
        if not search.abandoned:
            yield from ((key, f"the search {search.study} is not over") for key in search.artifacts)


def _of_versions(catalogue: "Catalogue", say: Callable[[str], None]) -> "Iterator[tuple[Key, str]]":
    from tasks.tracking.aliased import aliased_versions

    for name, digests in aliased_versions():
        keys = [key for content in digests.items() for key in catalogue.of_content.get(content, ())]
        if digests and not keys:
            say(f"{name}: nothing that it was made of lies in this store")
        yield from ((key, f"made {name}") for key in keys)


def _of_runs(keep_runs: int) -> "Iterator[tuple[Key, str]]":
    for run, rank in _ranked():
        going_on = living.held(living.mark_of("flow", run.run_id))
        if going_on or rank <= keep_runs:
            why = f"a run of {run.recipe} that is going on" if going_on else f"one of the last runs of {run.recipe}"
            yield from ((key, why) for key in run.artifacts)


def _ranked() -> "Iterator[tuple[Run, int]]":
    """Every recorded run with its place among those of its recipe: 1 for the latest."""
    counts: dict[str, int] = {}
    for run in usage.runs(settings().store):
        counts[run.recipe] = counts.get(run.recipe, 0) + 1
        yield run, counts[run.recipe]


def _of_recipes(say: Callable[[str], None]) -> "Iterator[tuple[Key, str]]":
    from configs.load import RecipeError

    for path, recipe in recipes():
        try:
            lines, _, _ = plan(recipe, ask=False)
        except (RecipeError, DataError, StageError, OSError) as error:
            say(f"{path}: what it needs cannot be found out ({str(error).splitlines()[0]}); its last runs are kept")
            continue
        yield from (((line["stage"], line["key"]), f"{path.name} needs it") for line in lines if line["key"])


def recipes(*, ran: bool = True) -> "list[tuple[Path, Recipe]]":
    """The recipes that were run on this home and are still there and whole, in configs/ or elsewhere; ran: whether
    others of configs/ are left out."""
    import configs
    from configs.load import RecipeError, load_recipe

    done = {run.recipe for run in usage.runs(settings().store)}
    notes = [noted(note) for note in (settings().mlruns / "recipes").glob("*.path")]
    by_hand = {path for path in notes if path is not None}
    loaded = []
    for path in sorted({*by_hand, *Path(str(configs.__file__)).parent.glob("*.yaml")}):
        try:
            recipe = load_recipe(path)
        except (RecipeError, OSError):
            continue
        if path in by_hand or recipe.name in done or not ran:
            loaded.append((path, recipe))
    return loaded


def forget_old_runs(rules: Rules) -> None:
    """Delete the notes of runs and searches that keep nothing any more."""
    for run, rank in _ranked():
        if rank > rules.keep_runs and run.used < time.time() - rules.seconds:
            run.path.unlink(missing_ok=True)
    for search in studies.begun(settings().store):
        if search.abandoned:
            search.path.unlink(missing_ok=True)


def deletable_mlflow_runs(rules: Rules, say: Callable[[str], None]) -> list[str]:
    """MLflow runs that a person deleted, where this machine keeps the database that has them."""
    given = settings().tracking_uri
    if given and given.startswith(("http://", "https://")):
        say("runs that were deleted in MLflow lie in its server's database; use `mlflow gc` there")
        return []
    from tasks.tracking.aliased import deleted_runs

    return deleted_runs(rules.seconds)
