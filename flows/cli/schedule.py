"""temper schedule: recipes with a schedule become Prefect deployments of the flow retrain."""

from pathlib import Path
from typing import Annotated

import typer

from configs.servers import known

from ..deployments import (
    POOL,
    distinct,
    drop_stale_in_configs,
    in_configs,
    register,
    scheduled,
    unregister,
)
from ..services.stores import require
from .console import print_line
from .failures import failures

Recipes = Annotated[
    list[Path] | None,
    typer.Argument(metavar="[RECIPE]...", help="Recipes with a schedule; when absent all such recipes in configs/."),
]


def command(
    recipes: Recipes = None,
    pool: Annotated[str, typer.Option("--pool", help="The work pool; one of type process is made if missing.")] = POOL,
    remove: Annotated[bool, typer.Option("--remove", help="Take the recipes off the schedule instead.")] = False,
) -> None:
    """Put recipes on the schedule that they name (`schedule:`, cron or interval), as Prefect deployments.

    `temper up` does this for the recipes in configs/ and runs them when their time comes. The deployments are called
    retrain/NAME; their parameters are the recipe's file and overrides, read when a run begins, and can be changed in
    Prefect's interface. Needs a Prefect server: the one of `temper up`, or that of PREFECT_API_URL.
    """
    from configs.load import RecipeError
    from configs.settings import settings

    with failures():
        from prefect.settings import PREFECT_API_URL, temporary_settings

        servers = known(settings().mlruns)
        api = PREFECT_API_URL.value() or (servers.prefect if servers else None)
        if not api:
            raise RecipeError("no Prefect server: start `temper up` first, or set PREFECT_API_URL")
        require("Prefect")
        with temporary_settings({PREFECT_API_URL: str(api)}):
            if remove and recipes:  # they may have lost their schedule, or be gone
                for path in recipes:
                    print_line(unregister(path))
                return
            scheduled_recipes = (
                distinct([(path, scheduled(path)) for path in recipes]) if recipes else in_configs(print_line)
            )
            for path, recipe in scheduled_recipes:
                print_line(unregister(path) if remove else register(path, recipe, pool))
            if not recipes:
                drop_stale_in_configs(print_line, shared=servers is None or str(api) != servers.prefect)
        if not scheduled_recipes:
            print_line(
                "no recipe in configs/ has a schedule; add `schedule: {cron: 0 3 * * 1}` to one, or name a recipe"
            )
