"""What is searched for the best settings, how, and for how long: `search` in a recipe."""

import json
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator
from pydantic.dataclasses import dataclass

from .fields import STRICT, Positive

Number = int | float
SEARCHED = ("encode", "train")
"""Sections whose keys may be searched: another split or other cleaned rows would be another question."""
LUCK = "train.seed"


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Dimension:
    """The values that a key is tried with. A list is short for `values`."""

    values: tuple[Any, ...] = ()
    """One of these."""
    options: dict[str, Any] = Field(default_factory=dict)
    """One of these, by name, where a value is a section of its own (phases, a model, an optimiser)."""
    low: Number | None = None
    """Smallest value of a range."""
    high: Number | None = None
    """Largest value of a range; two whole numbers make a range of whole numbers."""
    log: bool = False
    """Drawn evenly in the logarithm, as learning rates are."""
    step: Annotated[Number, Field(gt=0)] | None = None
    """Distance between two values of a range."""
    when: dict[str, Any] = Field(default_factory=dict)
    """Read only where keys that stand above have these values (or one of a list of them)."""

    @model_validator(mode="after")
    def _stated_once(self) -> "Dimension":
        stated = [bool(self.values), bool(self.options), self.low is not None or self.high is not None]
        if sum(stated) != 1:
            raise ValueError("give one of the three: a list of values, options by name, or low and high")
        if len({*self.labels}) < len(self.labels):
            raise ValueError("a value stands twice")
        if len(self.choices) == 1:
            raise ValueError("one value is nothing to search; write it into its section")
        ranged = self.low is not None and self.high is not None
        if stated[2] and not ranged:
            raise ValueError("a range has both low and high")
        if ranged and not float(self.low or 0) < float(self.high or 0):
            raise ValueError(f"low {self.low} must be less than high {self.high}")
        if self.log and (not ranged or float(self.low or 0) <= 0):
            raise ValueError("log is of a range above 0")
        if self.step is not None and (not ranged or self.log):
            raise ValueError("step is of a range without log")
        return self

    @property
    def choices(self) -> tuple[Any, ...]:
        """The values to choose from, or the names of the options; none of a range."""
        return tuple(self.options) or self.values

    @property
    def labels(self) -> tuple[str, ...]:
        """What each choice is called in a study and its pictures."""
        return tuple(choice if isinstance(choice, str) else json.dumps(choice) for choice in self.choices)

    def active(self, chosen: Mapping[str, Any]) -> bool:
        """Whether the dimension is read next to these choices of others."""
        return all(
            name in chosen and chosen[name] in (value if isinstance(value, list) else [value])
            for name, value in self.when.items()
        )


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Search:
    """Read by `temper search`; no stage reads it."""

    space: Annotated[dict[str, Dimension], Field(min_length=1)]
    """Keys of encode and train, as section.key, and what each is tried with."""
    sampler: str = "tpe"
    """grid, random, tpe, or the name of another of Optuna's samplers, such as GPSampler."""
    pruner: Literal["none", "median", "hyperband"] = "median"
    """Which trials end early: none; those worse than the median of earlier ones at the same step; or hyperband's."""
    trials: Positive = 20
    """How many settings are tried."""
    hours: Annotated[float, Field(gt=0)] | None = None
    """No trial begins later than so many hours after the command; none for no limit."""
    objective: Literal["accuracy", "macro_f1", "loss"] | None = None
    """The validation score that is searched for; none for train.metric."""
    seed: int = 0
    """Seeds the sampler; the training's seed is the recipe's in every trial."""
    seeds: Annotated[int, Field(ge=2)] = 5
    """Trainings, each with a fresh seed, of the best trial and of the recipe as it stands, which are compared on the
    test rows."""

    @field_validator("space", mode="before", json_schema_input_type=dict[str, list[Any] | Dimension])
    @classmethod
    def _lists(cls, space: Any) -> Any:
        if not isinstance(space, dict):
            return space
        return {key: {"values": value} if isinstance(value, list) else value for key, value in space.items()}

    @field_validator("space")
    @classmethod
    def _keys(cls, space: dict[str, Dimension]) -> dict[str, Dimension]:
        above: list[str] = []
        for key, dimension in space.items():
            section = key.partition(".")[0]
            if section not in SEARCHED or key == section:
                raise ValueError(f"{key}: keys of {' and '.join(SEARCHED)} can be searched, such as train.epochs")
            if key == LUCK:
                raise ValueError(f"{key}: a seed is luck, and no setting to search for")
            for other in dimension.when:
                if other not in above:
                    raise ValueError(f"{key}: `when` names {other}, which must be a key of the space above it")
                values = dimension.when[other] if isinstance(dimension.when[other], list) else [dimension.when[other]]
                known = space[other].choices
                if odd := [value for value in values if known and value not in known]:
                    raise ValueError(f"{key}: `when` waits for {other}: {odd[0]}, which is not among its values")
            above.append(key)
        return space

    @model_validator(mode="after")
    def _grid(self) -> "Search":
        endless = [key for key, part in self.space.items() if not part.choices and not _countable(part)]
        if self.sampler == "grid" and endless:
            raise ValueError(f"sampler grid: {endless[0]} is a range without step; give values, or a step")
        return self


def _countable(dimension: Dimension) -> bool:
    return dimension.step is not None or (
        isinstance(dimension.low, int) and isinstance(dimension.high, int) and not dimension.log
    )
