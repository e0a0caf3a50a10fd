"""Phases of a training: what is trained in each, and how fast."""

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator
from pydantic.dataclasses import dataclass

from .fields import STRICT, Positive, Share
from .optimizers import NotNegative, Optimizer

Schedule = Literal["constant", "linear", "cosine", "step"]


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Children:
    """The first or the last children of the model, in its own order; the head comes last."""

    first: Positive | None = None
    """How many from the front."""
    last: Positive | None = None
    """How many from the back."""

    @model_validator(mode="after")
    def _exactly_one(self) -> "Children":
        if (self.first is None) == (self.last is None):
            raise ValueError("give either first or last")
        return self


Patterns = tuple[str, ...]
Members = Patterns | Children
"""Parts of a model: by name (a prefix such as layer4, wildcards, ranges such as encoder.layer.0-5) or by count."""


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Phase:
    """One stretch of a training. Silent fields take train's value."""

    trainable: Literal["all", "head"] | Members = "all"
    """What moves: everything, the new head alone, or parts by name or by count."""
    freeze: Members = ()
    """What does not, of that."""
    epochs: Positive = 1
    """Passes over the training rows."""
    learning_rate: Annotated[float, Field(gt=0)] | None = None
    """Peak learning rate of new weights."""
    pretrained_rate: NotNegative = 0.1
    """Factor on the rate of weights that were loaded; 0 freezes them."""
    rates: dict[str, NotNegative] = Field(default_factory=dict)
    """Peak learning rates of parts by name, before anything else; the first that fits counts, and 0 freezes."""
    optimizer: Optimizer | None = None
    """The optimiser; its moments begin again in each phase."""
    schedule: Schedule | None = None
    """Course of the rate within this phase."""
    warmup: Share | None = None
    """Share of this phase's steps in which the rate rises from 0."""
    patience: Positive | None = None
    """End this phase after so many validations without a better score."""

    @field_validator(
        "trainable", "freeze", mode="before", json_schema_input_type=Literal["all", "head"] | str | Members
    )
    @classmethod
    def _listed(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) and value not in ("all", "head") else value
