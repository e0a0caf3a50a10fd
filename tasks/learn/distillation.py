"""The loss of a student: against its rows' labels, and against what teachers score for them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from .losses import Criterion


def _divergence(logits: Tensor, teachers: Tensor, temperature: float) -> Tensor:
    """KL of the softened probabilities from the teachers' mean, times temperature squared, so that its gradient stays
    as large as that of the labels (Hinton, Vinyals and Dean 2015, "Distilling the Knowledge in a Neural Network")."""
    wanted = (teachers / temperature).softmax(2).mean(1)
    scored = (logits / temperature).log_softmax(1)
    return functional.kl_div(scored, wanted, reduction="none").sum(1) * temperature**2


def _squares(logits: Tensor, teachers: Tensor, temperature: float) -> Tensor:
    """Mean square of the logits' difference (Ba and Caruana 2014, "Do Deep Nets Really Need to be Deep?")."""
    return (logits - teachers.mean(1)).square().mean(1)


PER_ROW: dict[str, Callable[[Tensor, Tensor, float], Tensor]] = {"kl": _divergence, "mse": _squares}
"""Logits [rows, classes], the teachers' [rows, teachers, classes] and the temperature, to a loss per row."""


@dataclass(frozen=True)
class Distillation:
    """own: the recipe's loss, with its weight `labels`. losses: weight of each loss against the teachers."""

    own: Criterion
    labels: float
    losses: Mapping[str, float]
    temperature: float

    def __call__(
        self, logits: Tensor, labels: Tensor, items: Tensor | int | None, teachers: Tensor | None = None
    ) -> Tensor:
        """Sum over rows divided by `items`, as Criterion has it. Rows that no teacher scored, which are those of
        validation, have the recipe's loss alone, so that students of any teacher compare.

        logits [rows, classes], labels [rows], teachers [rows, teachers, classes].
        """
        loss = self.own(logits, labels, items)
        if teachers is None:
            return loss
        logits = logits.float()
        parts = [weight * PER_ROW[name](logits, teachers, self.temperature) for name, weight in self.losses.items()]
        return self.labels * loss + torch.stack(parts).sum() / (len(labels) if items is None else items)
