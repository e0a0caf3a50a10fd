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
from .progress import ProgressDisplay

if TYPE_CHECKING:
    from tasks.artifact import Version
    from tasks.store.events import StageLine


def command(
    recipe: RecipeFile,
    overrides: Overrides = None,
    as_json: AsJson = False,
    verify: Annotated[bool, typer.Option("--verify", help="Hash every cached file again, whatever its size.")] = False,
) -> None:
    """Run a recipe: whatever is done already is served from the cache, the rest is done and registered.

    A killed training goes on from its last checkpoint. Ends with the test score, the registered version, where
    to look, what most rows were dropped for, and the next command.
    """
    from configs.load import load_recipe

    with failures():
        loaded = load_recipe(recipe, overrides or [])
        quiet_prefect()
        from tasks.store.verification import verifying

        from ..services.recipe_names import say_shared_name
        from .estimate_table import RunEstimate

        say_shared_name(recipe, loaded.name)

        display, estimate = ProgressDisplay(), RunEstimate(loaded)

        def prepare() -> None:
            plan = planned(loaded)
            display.print(estimate.lines(plan))
            load_ahead(plan)

        ahead = prefect_api("Prefect", "MLflow", meanwhile=prepare)
        with display, listeners(display.show, prove_ahead), verifying(verify), ahead:
            from ..finetune import finetune

            version = finetune(loaded)
        lookup.cool()
        outcome = estimate.outcome(version)
        if as_json:
            print_json(document(display.stages, version) | {"estimates": outcome})
        else:
            from tasks.artifact import Artifact

            from ..row_counts import commonest_problem

            artifacts = {
                line["stage"]: Artifact(line["stage"], line["key"], "") for line in display.stages if line["key"]
            }
            display.print(estimate.outcome_lines())
            display.summary(version, shlex.join([str(recipe), *(overrides or [])]), commonest_problem(artifacts))


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
