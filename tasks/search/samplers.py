"""Optuna's samplers, each drawing a function of (seed, trial, key) and of the finished trials alone.

A search that is killed and goes on then draws what an undisturbed one would have: no state is kept between trials.
"""

import hashlib
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import optuna
from optuna.distributions import BaseDistribution
from optuna.pruners import BasePruner, HyperbandPruner, MedianPruner, NopPruner
from optuna.samplers import BaseSampler
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from configs.load import RecipeError
from configs.search import Search

from .space import grid

NAMED: Mapping[str, str] = {"random": "RandomSampler", "tpe": "TPESampler"}


def seeded(*parts: object) -> int:
    """A seed of 32 bits from what it is for."""
    return int.from_bytes(hashlib.sha256("\0".join(map(str, parts)).encode()).digest()[:4], "big")


class RepeatableSampler(BaseSampler):
    """Draws with a sampler that is new, with a seed of its own, for every trial and every key of it."""

    def __init__(self, make: Callable[[int], BaseSampler], seed: int) -> None:
        self.make = make
        self.seed = seed

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """As the sampler has it."""
        space: dict[str, BaseDistribution] = self.make(self.seed).infer_relative_search_space(study, trial)
        return space

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Values of all keys that are drawn together."""
        sampler = self.make(seeded(self.seed, trial.number))
        sampler.infer_relative_search_space(study, trial)  # some keep what it finds
        values: dict[str, Any] = sampler.sample_relative(study, trial, search_space)
        return values

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """The value of one key."""
        sampler = self.make(seeded(self.seed, trial.number, param_name))
        return sampler.sample_independent(study, trial, param_name, param_distribution)


class GridSampler(BaseSampler):
    """Trial n is combination n of the grid. Optuna's own knows no keys that depend on others."""

    def __init__(self, search: Search) -> None:
        self.search = search
        self.combinations = grid(search)

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """Nothing is drawn together."""
        return {}

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Nothing is drawn together."""
        return {}

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """The combination's value, or what its choice is called."""
        value, dimension = self.combinations[trial.number][param_name], self.search.space[param_name]
        return dimension.labels[dimension.choices.index(value)] if dimension.choices else value


def sampler_of(search: Search) -> BaseSampler:
    """The sampler that a recipe names. Raises RecipeError."""
    if search.sampler == "grid":
        return GridSampler(search)
    name = NAMED.get(search.sampler, search.sampler)
    kind = getattr(optuna.samplers, name, None)
    if not (isinstance(kind, type) and issubclass(kind, BaseSampler)):
        known = ", ".join(["grid", *NAMED, *(each for each in dir(optuna.samplers) if each.endswith("Sampler"))])
        raise RecipeError(f"search.sampler: {search.sampler!r} is no sampler of Optuna; take one of {known}")
    make: Any = kind
    special = {"group": True} if name == "TPESampler" else {}  # keys that depend on others are drawn with those

    def with_seed(seed: int) -> BaseSampler:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)  # of the group
            sampler: BaseSampler = make(seed=seed, **special)
        return sampler

    try:
        with_seed(0)
    except (TypeError, ImportError) as error:
        raise RecipeError(f"search.sampler: {name} cannot be used here: {error}") from None
    return RepeatableSampler(with_seed, search.seed)


def pruner_of(search: Search, trials: Sequence[FrozenTrial]) -> BasePruner:
    """The pruner that a recipe names; hyperband counts its resources in the steps of the first complete trial."""
    if search.pruner == "median":
        return MedianPruner()
    measured = (trial.intermediate_values for trial in trials if trial.state == TrialState.COMPLETE)
    steps = sorted(next(measured, ()))
    if search.pruner == "none" or not steps:
        return NopPruner()
    return HyperbandPruner(min_resource=max(steps[0], 1), max_resource=steps[-1] + 1)
