"""The model that a training is held to, as an auxiliary artifact of `train` is keyed by it."""

from dataclasses import dataclass
from typing import cast

from .models import TextModel
from .precision import settled
from .training import Train


@dataclass(frozen=True)
class Reference:
    """What training starts from: its source and seed, the precision of its weights (base) and of the arithmetic, and
    how many rows are in one forward pass."""

    model: TextModel
    seed: int
    base: str
    precision: str
    batch_size: int


def reference_of(section: Train) -> Reference:
    """The reference of a training: the base model without adapters, or the initial weights."""
    return Reference(
        model=cast(TextModel, section.model),
        seed=section.seed,
        base=section.lora.base if section.lora else "float32",
        precision=settled(section).precision,
        batch_size=section.eval_batch_size,
    )
