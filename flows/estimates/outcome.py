"""What stages took next to what was forecast, for those that were computed."""

from collections.abc import Sequence
from dataclasses import dataclass

from configs.settings import settings
from tasks.store.measurements import Measurement, measurements

from .forecast import Forecast
from .past_runs import Cost
from .three_numbers import NOTHING, Range, largest

QUANTITIES = ("seconds", "memory", "disk")


@dataclass(frozen=True)
class Compared:
    """A stage's forecast and what it took: seconds, bytes of memory at most, bytes written."""

    stage: str
    forecast: Cost
    took: dict[str, float]

    def held(self, quantity: str) -> bool:
        """Whether it lay within the range; so does what is too small for anybody to notice."""
        expected: Range = getattr(self.forecast, quantity)
        return within(quantity, expected.low, expected.high, self.took[quantity])


TOLERANCE = {"seconds": 0.2, "memory": 16 * 2**20, "disk": 64 * 2**10}
"""Differences that nobody plans by: a fifth of a second, 16 MiB, 64 KiB."""


def within(quantity: str, low: float, high: float, took: float) -> bool:
    """Whether what was taken lies in a range, or as near to it as nobody notices."""
    return low - TOLERANCE[quantity] <= took <= high + TOLERANCE[quantity]


def compared(foreseen: Forecast, recipe: str, since: float) -> list[Compared]:
    """Each stage of a recipe that was computed since then (seconds since 1970), in the order of the plan."""
    by_stage = {line.stage: line for line in latest(recipe, since)}
    return [
        Compared(stage.stage, stage.cost, {name: float(getattr(by_stage[stage.stage], name)) for name in QUANTITIES})
        for stage in foreseen.stages
        if stage.stage in by_stage and stage.status != "cached"
    ]


def latest(recipe: str, since: float) -> list[Measurement]:
    """What this recipe's stages took since then, the oldest first."""
    return [line for line in measurements(settings().store) if line.recipe == recipe and line.at >= int(since)]


def totals(stages: Sequence[Compared]) -> Compared:
    """All stages together: seconds and bytes written are added up, of memory the largest counts."""
    took = dict.fromkeys(QUANTITIES, 0.0)
    seconds, memory, disk = NOTHING, NOTHING, NOTHING
    for stage in stages:
        seconds, disk = seconds + stage.forecast.seconds, disk + stage.forecast.disk
        memory = largest([memory, stage.forecast.memory])
        took["seconds"] += stage.took["seconds"]
        took["disk"] += stage.took["disk"]
        took["memory"] = max(took["memory"], stage.took["memory"])
    return Compared("all", Cost(seconds, memory, disk), took)
