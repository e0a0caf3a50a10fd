"""Deployments that Temper made of recipes in a folder which ask for them no longer: unscheduled, or reported."""

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from configs.load import RecipeError, load_recipe

MARK = "temper"
"""Tag of the deployments that Temper makes; those of `prefect deploy` go without."""


def drop_stale(api: Any, folder: Path, say: Callable[[str], None], *, shared: bool) -> None:
    """Take such deployments off the schedule; where the server is `shared` state it only, since the same path may be
    another machine's file."""
    for deployment in deployed(api):
        file = Path(deployment.parameters["recipe"])
        if file.parent.resolve() != folder.resolve() or (reason := why_stale(file, deployment.name)) is None:
            continue
        if shared:
            say(
                f"{deployment.name}: {reason}, and is still on the schedule; "
                f"`temper schedule --remove {file}` takes it off"
            )
        else:
            api.delete_deployment(deployment.id)
            say(f"{deployment.name}: {reason}; off the schedule")


def deployed(api: Any) -> list[Any]:
    """The deployments of retrain that Temper made, of whatever folder."""
    from prefect.client.schemas import filters as by

    named = by.FlowFilter(name=by.FlowFilterName(any_=["retrain"]))
    marked = by.DeploymentFilter(tags=by.DeploymentFilterTags(all_=[MARK]))
    deployments: list[Any] = []
    while page := api.read_deployments(flow_filter=named, deployment_filter=marked, limit=200, offset=len(deployments)):
        deployments += page
    return [
        deployment for deployment in deployments if Path(str(deployment.parameters.get("recipe", ""))).is_absolute()
    ]


def report_missing_entrypoints(api: Any, say: Callable[[str], None]) -> None:
    """Name the deployments of Temper's flows whose code lies elsewhere now: each of their runs would crash."""
    offset = 0
    while page := api.read_deployments(limit=200, offset=offset):
        for deployment in page:
            if is_missing(deployment.entrypoint or ""):
                say(
                    f"{deployment.name}: its entrypoint {deployment.entrypoint} is not there any more, so its runs "
                    "crash; deploy it again from where its flow is now, or delete it in Prefect"
                )
        offset += len(page)


def is_missing(entrypoint: str) -> bool:
    """Whether an entrypoint (`flows.retrain.retrain` or `flows/retrain.py:retrain`) names a file of flows/ that is not
    there; False for code of others, which may lie where only its worker looks."""
    module = entrypoint.rpartition(":" if ":" in entrypoint else ".")[0].removesuffix(".py").replace("/", ".")
    if module.partition(".")[0] != __name__.partition(".")[0]:
        return False
    try:
        return find_spec(module) is None
    except ModuleNotFoundError:
        return True


def why_stale(file: Path, name: str) -> str | None:
    """Why a recipe's file no longer asks for the deployment `name`; None where it does, or cannot be read."""
    if not file.exists():
        return f"{file} is gone"
    try:
        recipe = load_recipe(file)
    except RecipeError:
        return None
    if recipe.name != name:
        return f"{file} is called {recipe.name} now"
    return None if recipe.schedule is not None else f"{file} has no schedule any more"
