"""A recipe's loss of classification -> the criterion, with class weights."""

from typing import Any

from configs.schema import Train

from ..data.errors import DataError
from .distillation import Distillation
from .losses import Criterion, balanced
from .metrics import Ids


def criterion(section: Train, class_ids: Ids, classes: int) -> Criterion | Distillation:
    """The recipe's loss, of a student with that against its teachers. Raises DataError where it names another number
    of classes."""
    given = section.class_weights
    weights = balanced(class_ids, classes) if given == "balanced" else given or ()
    if weights and len(weights) != classes:
        raise DataError(f"train.class_weights has {len(weights)} values, the labels are {classes}")
    losses: dict[Any, float] = section.loss if isinstance(section.loss, dict) else {section.loss: 1.0}
    own, teacher = Criterion(losses, section.label_smoothing, tuple(weights)), section.teacher
    if teacher is None:
        return own
    taught = {str(name): weight for name, weight in teacher.losses.items()}
    return Distillation(own, teacher.labels, taught, teacher.temperature)
