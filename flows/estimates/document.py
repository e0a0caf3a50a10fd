"""Forecasts and what stages took as plain values, for `--json`, MLflow and the benchmark."""

from collections.abc import Sequence
from typing import TypedDict

from .forecast import Forecast
from .outcome import QUANTITIES, Compared, totals
from .three_numbers import Range
from .words import duration, durations, size, sizes


class ThreeNumbers(TypedDict):
    """low, expected, high: seconds or bytes."""

    low: float
    expected: float
    high: float


class ForecastLine(TypedDict):
    """A stage of a plan: seconds, bytes of memory at most, bytes written; basis: what the numbers rest on."""

    stage: str
    status: str
    basis: str
    seconds: ThreeNumbers
    memory: ThreeNumbers
    disk: ThreeNumbers


class TookLine(TypedDict):
    """A stage that was computed: what was forecast by quantity, and what it took."""

    stage: str
    forecast: dict[str, ThreeNumbers]
    took: dict[str, float]


def forecast_document(foreseen: Forecast) -> list[ForecastLine]:
    """A line per stage of the plan, and one of all."""
    total = foreseen.total
    lines: list[ForecastLine] = [
        {
            "stage": name,
            "status": status,
            "basis": basis,
            "seconds": _three(cost.seconds),
            "memory": _three(cost.memory),
            "disk": _three(cost.disk),
        }
        for name, status, basis, cost in [
            *((stage.stage, stage.status, stage.basis, stage.cost) for stage in foreseen.stages),
            ("all", "", "", total),
        ]
    ]
    return lines


def took_document(stages: Sequence[Compared]) -> list[TookLine]:
    """A line per stage that was computed."""
    return [
        {
            "stage": stage.stage,
            "forecast": {name: _three(getattr(stage.forecast, name)) for name in QUANTITIES},
            "took": stage.took,
        }
        for stage in stages
    ]


def metrics(stages: Sequence[Compared]) -> dict[str, float]:
    """Of all stages together, by name, what was forecast and what it took: seconds and bytes; and the share of the
    stages' quantities that lay within their ranges."""
    together = totals(stages)
    values = {}
    for name in QUANTITIES:
        for which, number in _three(getattr(together.forecast, name)).items():
            values[f"estimate.{name}.{which}"] = float(number)  # type: ignore[arg-type]
        values[f"estimate.{name}.took"] = together.took[name]
    return values | {"estimate.share_within": sum(held(stages)) / len(held(stages))}


def held(stages: Sequence[Compared]) -> list[bool]:
    """Per stage and quantity whether it lay within its range."""
    return [stage.held(name) for stage in stages for name in QUANTITIES]


def tags(stages: Sequence[Compared]) -> dict[str, str]:
    """Per stage a tag in words."""
    return {f"temper.estimate.{stage.stage}": _words(stage) for stage in stages}


def _words(stage: Compared) -> str:
    seconds = f"{durations(stage.forecast.seconds)}, took {duration(stage.took['seconds'])}"
    memory = f"memory {sizes(stage.forecast.memory)}, took {size(stage.took['memory'])}"
    return f"{seconds}; {memory}; disk {sizes(stage.forecast.disk)}, took {size(stage.took['disk'])}"


def _three(item: Range) -> ThreeNumbers:
    return {"low": round(item.low, 3), "expected": round(item.expected, 3), "high": round(item.high, 3)}
