"""temper run: a recipe through the whole pipeline, reported stage by stage."""

import shlex
from typing import TYPE_CHECKING, Annotated

import typer

from configs.environment import quiet_prefect
from tasks.store.events import listeners
from tasks.tracking import lookup

from ..plan import planned
from ..preload import load_ahead, prove_ahead
from ..services.temporary_server import prefect_api
from .arguments import AsJson, Overrides, RecipeFile
from .console import print_json
from .failures import failures
from .limit_options import Budget, Memory, limited
from .progress import ProgressDisplay

if TYPE_CHECKING:
    from tasks.artifact import Version
    from tasks.store.events import StageLine


def command(
    recipe: RecipeFile,
    overrides: Overrides = None,
    as_json: AsJson = False,
    verify: Annotated[bool, typer.Option("--verify", help="Hash every cached file again, whatever its size.")] = False,
    budget: Budget = None,
    memory: Memory = None,
) -> None:
    """Run a recipe: whatever is done already is served from the cache, the rest is done and registered.

    A killed training goes on from its last checkpoint. Ends with the test score, the registered version, where
    to look, what most rows were dropped for, and the next command. What is cached is within every limit.
    """
    from configs.load import load_recipe

    with failures():
        changes = list(overrides or [])
        loaded = load_recipe(recipe, changes)
        quiet_prefect()
        from tasks.store.verification import verifying

        from ..services.recipe_names import say_shared_name
        from .estimate_table import RunEstimate

        say_shared_name(recipe, loaded.name)
        within = limited(recipe, changes, budget, memory)
        if within is not None:
            loaded, changes = within.recipe, list(within.source.overrides)
        display, estimate = ProgressDisplay(), RunEstimate(loaded)

        def prepare() -> None:
            plan = planned(loaded) if within is None else within.plan
            display.print(estimate.lines(plan))
            load_ahead(plan)

        ahead = prefect_api("Prefect", "MLflow", meanwhile=prepare)
        with display, listeners(display.show, prove_ahead), verifying(verify), ahead:
            from ..finetune import finetune

            version = finetune(loaded)
        lookup.cool()
        outcome = estimate.outcome(version)
        if as_json:
            print_json(document(display.stages, version) | {"estimates": outcome, "changes": changes})
            return
        display.print(estimate.outcome_lines())
        display.summary(version, shlex.join([str(recipe), *changes]), _problem(display.stages))


def _problem(stages: "list[StageLine]") -> str:
    """The commonest problem of the data, if any."""
    from tasks.artifact import Artifact

    from ..row_counts import commonest_problem

    return commonest_problem(
        {line["stage"]: Artifact(line["stage"], line["key"], "") for line in stages if line["key"]}
    )


def document(stages: "list[StageLine]", version: "Version") -> "dict[str, object]":
    """The JSON document of a run."""
    from configs.settings import settings

    return {
        "stages": stages,
        "model": {
            "name": version.name,
            "version": version.version,
            "aliases": list(version.aliases),
            "uri": version.uri,
        },
        "metrics": version.metrics,
        "verdict": version.verdict,
        "mlflow_run_id": version.run_id,
        "tracking_uri": settings().shown_tracking,
    }
