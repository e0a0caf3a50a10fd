"""The forecast with which a run begins: from measurements alone, at no cost."""

from typing import TYPE_CHECKING

from .forecast import Forecast, forecast

if TYPE_CHECKING:
    from configs.schema import Recipe

    from ..plan import Planned


def foresee(recipe: "Recipe", plan: "Planned | None") -> Forecast | None:
    """What a run will take; None where its plan cannot be made."""
    return None if plan is None else forecast(recipe, plan[0], plan[2])
