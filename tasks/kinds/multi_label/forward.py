"""What training asks of a model that predicts any number of labels: a batch in, loss and logits out."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from ...text.supervision import SupervisedRows


@dataclass(frozen=True)
class SigmoidLoss:
    """Binary cross-entropy of each label by itself. positive: a factor per label where a row has it; none for all 1."""

    positive: tuple[float, ...] = ()

    def __call__(self, logits: Tensor, labels: Tensor, items: Tensor | int | None) -> Tensor:
        """The sum over rows and labels divided by `items`, else by how many these are; both [rows, labels]."""
        weight = torch.tensor(self.positive, device=logits.device) if self.positive else None
        total = functional.binary_cross_entropy_with_logits(
            logits.float(), labels.float(), pos_weight=weight, reduction="sum"
        )
        return total / (labels.numel() if items is None else items)


class SupervisedLabels(SupervisedRows):
    """Sequence classifier with a sigmoid per label; labels and logits are both [batch, labels]."""

    criterion = SigmoidLoss()
    shifts_labels = False
