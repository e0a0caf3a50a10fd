"""Whose scores a student learns from, next to its rows' labels: `train.teacher` in a recipe."""

from collections.abc import Iterator
from dataclasses import dataclass as plain_dataclass
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field
from pydantic.dataclasses import dataclass

from .fields import STRICT
from .models import RegisteredModel

if TYPE_CHECKING:
    from .models import LocalModel

TeacherLoss = Literal["kl", "mse"]


def _divergence() -> dict[TeacherLoss, float]:
    return {"kl": 0.5}


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Teacher:
    """Registered models whose scores of the training rows a student learns (knowledge distillation)."""

    models: Annotated[tuple[RegisteredModel, ...], Field(min_length=1)]
    """The teachers, with the student's labels; of several their mean. No teacher may have been trained on rows that
    are validation or test rows here."""
    losses: Annotated[dict[TeacherLoss, Annotated[float, Field(gt=0)]], Field(min_length=1)] = Field(
        default_factory=_divergence
    )
    """Weight of each loss against the teachers' scores: kl, the divergence of the student's softened probabilities from
    the teachers', times temperature squared; mse, of the logits."""
    labels: Annotated[float, Field(ge=0)] = 0.5
    """Weight of the recipe's own loss, against the rows' labels; 0 learns from the teachers alone."""
    temperature: Annotated[float, Field(gt=0)] = 2.0
    """What both sides' logits are divided by for kl: the higher, the more the lesser classes count."""


@plain_dataclass(frozen=True)
class TeacherScores:
    """The scores of one teacher: an auxiliary artifact of `train`, keyed by its files."""

    model: "RegisteredModel | LocalModel"


def scores_of(teacher: Teacher | None) -> Iterator[TeacherScores]:
    """What a training asks for: one for each of its teachers, whatever its losses and temperature are."""
    for model in () if teacher is None else teacher.models:
        yield TeacherScores(model)
