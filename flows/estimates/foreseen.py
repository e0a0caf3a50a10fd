"""The forecast with which a run begins: from measurements alone, at no cost."""

from typing import TYPE_CHECKING

from tasks.artifact import StageError
from tasks.data.errors import DataError

from ..plan import plan
from .forecast import Forecast, forecast

if TYPE_CHECKING:
    from configs.schema import Recipe


def foresee(recipe: "Recipe") -> Forecast | None:
    """What a run will take; None where its plan cannot be made: the stage itself will state why."""
    try:
        lines, _, cached = plan(recipe, ask=False)
    except (DataError, StageError, OSError):
        return None
    return forecast(recipe, lines, cached)
