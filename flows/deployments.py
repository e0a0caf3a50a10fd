"""Recipes with a schedule -> Prefect deployments of the flow retrain, made, renewed and taken off again."""

import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from configs.schedule import Timetable
    from configs.schema import Recipe


POOL = "temper"
"""Work pool of scheduled recipes unless another is named."""
SLUG = "recipe"
"""Name of the schedule that a recipe asks for."""
ANCHOR = datetime(2020, 1, 1, tzinfo=UTC)
"""Intervals count from here, so that registering again moves no run."""


def scheduled(path: Path) -> "Recipe":
    """A recipe that must have a schedule. Raises RecipeError."""
    from configs.load import RecipeError, load_recipe

    recipe = load_recipe(path)
    if recipe.schedule is None:
        raise RecipeError(f"{path}: has no schedule; add for example\nschedule:\n  cron: 0 3 * * 1\n  timezone: UTC")
    check_overrides(path, recipe)
    return recipe


def check_overrides(path: Path, recipe: "Recipe") -> None:
    """The schedule's own changes fit the recipe. Raises RecipeError."""
    from configs.load import RecipeError, load_recipe

    assert recipe.schedule is not None
    try:
        load_recipe(path, recipe.schedule.overrides)
    except RecipeError as error:
        raise RecipeError(f"{path}: `schedule.overrides`: {error}") from None


def distinct(recipes: "list[tuple[Path, Recipe]]") -> "list[tuple[Path, Recipe]]":
    """The same, each name once. Raises RecipeError."""
    from configs.load import RecipeError

    places: dict[str, Path] = {}
    for path, recipe in recipes:
        if places.setdefault(recipe.name, path).absolute() != path.absolute():
            raise RecipeError(
                f"{path}: its name {recipe.name} is that of {places[recipe.name]} too; a name is one "
                "deployment, so give one of them another `name`"
            )
    return recipes


def in_configs(say: Callable[[str], None]) -> "list[tuple[Path, Recipe]]":
    """The recipes in configs/ that have a schedule; one that cannot be read is reported and left out."""
    import configs
    from configs.load import RecipeError, load_recipe

    recipes: list[tuple[Path, Recipe]] = []
    for path in sorted(Path(str(configs.__file__)).parent.glob("*.yaml")):
        try:
            recipe = load_recipe(path)
            if recipe.schedule is not None:
                check_overrides(path, recipe)
                recipes = distinct([*recipes, (path, recipe)])
        except (RecipeError, OSError) as error:
            say(f"left out: {error}")
    return recipes


def register(path: Path, recipe: "Recipe", pool: str) -> str:
    """Make or renew the deployment of a recipe; what is stated about it. For a process pool it runs in this folder.

    What a person paused in Prefect stays paused. Raises RecipeError where the name is another file's.
    """
    from prefect.client.schemas.objects import ConcurrencyLimitConfig, ConcurrencyLimitStrategy
    from prefect.types.entrypoint import EntrypointType

    from .retrain import retrain
    from .services.stale_deployments import MARK

    assert recipe.schedule is not None
    known = require_own_name(path, recipe.name)
    off = known is not None and any(not each.active for each in known.schedules)
    paused = known is not None and known.paused
    here = {"command": f"{sys.executable} -m prefect.engine", "working_dir": str(Path.cwd())}
    deployment: Any = retrain.to_deployment(
        recipe.name,
        schedule=timed(recipe.schedule, active=not off),
        paused=paused,
        parameters={"recipe": str(path.absolute()), "overrides": list(recipe.schedule.overrides)},
        concurrency_limit=ConcurrencyLimitConfig(limit=1, collision_strategy=ConcurrencyLimitStrategy.ENQUEUE),
        description=f"Retrains {recipe.register.model} with the recipe {path.name} when its sources, sections or code "
        "have changed. Parameters: the recipe's file and overrides (section.key=value), read when a run begins.",
        tags=[MARK, recipe.name],
        work_pool_name=pool,
        job_variables=here if pool_type(pool) == "process" else {},
        entrypoint_type=EntrypointType.MODULE_PATH,
    )
    deployment.apply()
    left = "; paused in Prefect, and left so" if paused or off else ""
    return f"{recipe.name}: {described(recipe.schedule)}{left}"


def require_own_name(path: Path, name: str) -> Any:
    """The deployment that there is of a recipe, else None. Raises RecipeError where it is of another file."""
    from prefect.client.orchestration import get_client
    from prefect.exceptions import ObjectNotFound

    from configs.load import RecipeError

    from .services.stale_deployments import why_stale

    with get_client(sync_client=True) as api:
        try:
            known = api.read_deployment_by_name(f"retrain/{name}")
        except ObjectNotFound:
            return None
    other = Path(str(known.parameters.get("recipe", path)))
    if other.absolute() != path.absolute() and other.is_absolute() and why_stale(other, name) is None:
        raise RecipeError(
            f"{path}: the name {name} is on the schedule for {other}; give one of them another `name`, "
            f"or `temper schedule --remove {other}`"
        )
    return known


def unregister(path: Path) -> str:
    """Delete the deployments of a recipe: those of its file, which may be gone, and that of its name."""
    from prefect.client.orchestration import get_client

    from configs.load import load_recipe

    from .services.stale_deployments import deployed

    name = load_recipe(path).name if path.exists() else None
    with get_client(sync_client=True) as api:
        matching = [
            deployment
            for deployment in deployed(api)
            if deployment.name == name or deployment.parameters["recipe"] == str(path.absolute())
        ]
        for deployment in matching:
            api.delete_deployment(deployment.id)
    names = ", ".join(deployment.name for deployment in matching) or name or path
    return f"{names}: {'off' if matching else 'was not on'} the schedule"


def drop_stale_in_configs(say: Callable[[str], None], *, shared: bool) -> None:
    """Take deployments of recipes in configs/ that ask for them no longer off the schedule, or say that they are."""
    from prefect.client.orchestration import get_client

    import configs

    from .services.stale_deployments import drop_stale

    with get_client(sync_client=True) as api:
        drop_stale(api, Path(str(configs.__file__)).parent, say, shared=shared)


def pool_type(name: str) -> str:
    """The type of a work pool; one of type process is made where there is none."""
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.actions import WorkPoolCreate
    from prefect.exceptions import ObjectAlreadyExists, ObjectNotFound
    from prefect.workers.process import ProcessWorker

    with get_client(sync_client=True) as api:
        try:
            return str(api.read_work_pool(name).type)
        except ObjectNotFound:
            template = ProcessWorker.get_default_base_job_template()
            try:
                api.create_work_pool(WorkPoolCreate(name=name, type="process", base_job_template=template))
            except ObjectAlreadyExists:
                return str(api.read_work_pool(name).type)
            return "process"


def timed(table: "Timetable", *, active: bool = True) -> Any:
    """The schedule as Prefect has it, under a name that stays when it is registered again."""
    from prefect.schedules import Cron, Interval

    if table.cron is not None:
        return Cron(table.cron, timezone=table.timezone, active=active, slug=SLUG)
    assert table.interval is not None
    return Interval(
        timedelta(seconds=table.interval), anchor_date=ANCHOR, timezone=table.timezone, active=active, slug=SLUG
    )


def described(table: "Timetable") -> str:
    """The schedule in words."""
    when = f"cron {table.cron} ({table.timezone})" if table.cron else f"every {timedelta(seconds=table.interval or 0)}"
    return when + (f", up to {table.jitter} s later" if table.jitter else "")


def schedule_recipes(prefect: str, pool: str, *, say: Callable[[str], None], shared: bool) -> None:
    """Put the recipes of configs/ on the schedule, take off those without one, mark what a crash left, skip what was
    missed."""
    from httpx import HTTPStatusError
    from prefect.client.orchestration import get_client
    from prefect.settings import PREFECT_API_URL, temporary_settings

    from .services.crashed_runs import mark_crashed, skip_missed
    from .services.stale_deployments import report_missing_entrypoints

    with temporary_settings({PREFECT_API_URL: prefect}):
        pool_type(pool)
        for path, recipe in in_configs(say):
            try:
                say(f"scheduled {register(path, recipe, pool)}")
            except (
                ValueError,
                HTTPStatusError,
            ) as error:  # one recipe, or what Prefect states about it, stops no other
                say(f"left out: {path}: {' '.join(str(error).split())}")
        drop_stale_in_configs(say, shared=shared)
        with get_client(sync_client=True) as api:
            if not shared:  # another machine's code may have it
                report_missing_entrypoints(api, say)
            mark_crashed(api, say, shared=shared)
            skip_missed(api, say)
            if api.read_work_pool(pool).is_paused:
                say(f"the work pool {pool} is paused: no run begins until it is resumed in Prefect's page")
