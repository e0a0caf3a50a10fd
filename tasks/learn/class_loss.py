"""A recipe's loss of classification -> the criterion, with class weights."""

from typing import Any

from configs.schema import Train

from ..data.errors import DataError
from .losses import Criterion, balanced
from .metrics import Ids


def criterion(section: Train, class_ids: Ids, classes: int) -> Criterion:
    """The recipe's loss. Raises DataError where it names another number of classes."""
    given = section.class_weights
    weights = balanced(class_ids, classes) if given == "balanced" else given or ()
    if weights and len(weights) != classes:
        raise DataError(f"train.class_weights has {len(weights)} values, the labels are {classes}")
    losses: dict[Any, float] = section.loss if isinstance(section.loss, dict) else {section.loss: 1.0}
    return Criterion(losses, section.label_smoothing, tuple(weights))
