"""A run that has not begun: a recipe's file and changes come in, the recipe and its plan go out, and other changes."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from configs.load import load_recipe

from ..plan import plan
from .forecast import Forecast, StageForecast, forecast
from .steps import Source

if TYPE_CHECKING:
    from configs.schema import Recipe
    from tasks.artifact import Artifact

    from ..plan import Planned


@dataclass(frozen=True)
class PlannedRun:
    """A recipe as its file and changes make it, and its plan, see `flows.plan.plan`."""

    source: Source
    recipe: "Recipe"
    plan: "Planned"

    @property
    def cached(self) -> "dict[str, Artifact]":
        """The artifacts that are cached, by stage."""
        return self.plan[2]

    def planned_again(self) -> "PlannedRun":
        """The same once stages have been computed."""
        return replace(self, plan=plan(self.recipe, ask=False))

    def changed(self, *changes: str) -> "PlannedRun":
        """With more changes, which replace those of the same keys. Raises RecipeError."""
        keys = {change.partition("=")[0] for change in changes}
        kept = [change for change in self.source.overrides if change.partition("=")[0].strip() not in keys]
        return plan_run(Source(self.source.path, [*kept, *changes]))

    def foreseen(self, *, measure: bool = False) -> Forecast:
        """What it will take; `measure`: with real steps where nothing else is known, see `forecast`."""
        return forecast(self.recipe, self.plan[0], self.cached, source=self.source if measure else None)


def plan_run(source: Source) -> PlannedRun:
    """Load a recipe and make its plan; nothing is asked. Raises RecipeError, and what the plan raises."""
    recipe = load_recipe(source.path, source.overrides)
    return PlannedRun(source, recipe, plan(recipe, ask=False))


def due(foreseen: Forecast) -> list[StageForecast]:
    """The stages that may be computed; none where the report is cached, since its model is registered most likely."""
    stages = [stage for stage in foreseen.stages if stage.status != "cached"]
    return [] if [stage.stage for stage in stages] == ["register"] else stages
