"""A recipe's search space: what Optuna draws from it, and the changes to the recipe that a drawing stands for."""

import json
import math
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from configs.search import Dimension, Search

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

DIGITS = 4
"""Significant digits of a number that is drawn: a recipe is read by people."""
Drawn = Mapping[str, Any]
"""Per key of the space that is active, its value, or the name of its option."""


def distribution(dimension: Dimension) -> "BaseDistribution":
    """What Optuna draws from."""
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if dimension.choices:
        return CategoricalDistribution(dimension.labels)
    low, high, step = dimension.low, dimension.high, dimension.step
    assert low is not None and high is not None
    if isinstance(low, int) and isinstance(high, int) and not isinstance(step, float):
        return IntDistribution(low, high, log=dimension.log, step=step or 1)
    return FloatDistribution(float(low), float(high), log=dimension.log, step=step)


def drawn(search: Search, suggest: "Callable[[str, BaseDistribution], Any]") -> dict[str, Any]:
    """The values of one trial, in the space's order: `suggest` gives each that is active."""
    chosen: dict[str, Any] = {}
    for key, dimension in search.space.items():
        if dimension.active(chosen):
            value = suggest(key, distribution(dimension))
            chosen[key] = _meant(value, dimension)
    return chosen


def _meant(value: Any, dimension: Dimension) -> Any:
    return dimension.choices[dimension.labels.index(value)] if dimension.choices else rounded(value, dimension)


def rounded(value: Any, dimension: Dimension) -> Any:
    """A number with a few digits, still within its range."""
    if isinstance(value, int) or not value:
        return value
    short = round(value, DIGITS - 1 - math.floor(math.log10(abs(value))))
    assert dimension.low is not None and dimension.high is not None
    return min(max(short, float(dimension.low)), float(dimension.high))


def overrides(search: Search, chosen: Drawn) -> list[str]:
    """The changes to the recipe, as section.key=value."""
    values = {key: search.space[key].options.get(value, value) for key, value in chosen.items() if key in search.space}
    return [f"{key}={json.dumps(value, ensure_ascii=False)}" for key, value in values.items()]


def grid(search: Search) -> list[dict[str, Any]]:
    """Every combination of the space, in order, the last key changing fastest; what is not active is left out."""
    return list(_combinations(search, [*search.space], {}))


def _combinations(search: Search, keys: list[str], chosen: dict[str, Any]) -> Iterator[dict[str, Any]]:
    if not keys:
        yield chosen
        return
    key, *rest = keys
    dimension = search.space[key]
    if not dimension.active(chosen):
        yield from _combinations(search, rest, chosen)
        return
    for value in dimension.choices or _steps(dimension):
        yield from _combinations(search, rest, {**chosen, key: value})


def _steps(dimension: Dimension) -> list[Any]:
    low, high, step = dimension.low, dimension.high, dimension.step or 1
    assert low is not None and high is not None
    count = math.floor((high - low) / step + 1e-9)
    return [rounded(low + number * step, dimension) for number in range(count + 1)]


def words(chosen: Drawn) -> str:
    """The values of a trial as one line, without the sections' names."""
    return ", ".join(f"{key.partition('.')[2]} {_short(value)}" for key, value in chosen.items())


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
