"""Losses of classification, shared by texts and images."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

PER_ROW: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "cross_entropy": lambda logits, target: -(target * logits.log_softmax(1)).sum(1),
    "nll": lambda logits, target: -(target * logits.log_softmax(1)).sum(1),
    "bce": lambda logits, target: functional.binary_cross_entropy_with_logits(logits, target, reduction="none").mean(1),
    "softmax_bce": lambda logits, target: functional.binary_cross_entropy(
        logits.softmax(1), target, reduction="none"
    ).mean(1),
    "mse": lambda logits, target: (logits.softmax(1) - target).square().mean(1),
    "euclidean": lambda logits, target: torch.linalg.vector_norm(logits.softmax(1) - target, dim=1),
    "cosine": lambda logits, target: 1 - functional.cosine_similarity(logits.softmax(1), target, dim=1),
}
"""Logits and target distribution, both [rows, classes], to a loss per row."""


@dataclass(frozen=True)
class Criterion:
    """losses: weight of each in the sum. smoothing: share of the target spread over all classes. classes: factor per
    class id, none for all 1."""

    losses: Mapping[str, float] = field(default_factory=lambda: {"cross_entropy": 1.0})
    smoothing: float = 0.0
    classes: tuple[float, ...] = ()

    def __call__(self, logits: Tensor, labels: Tensor, items: Tensor | int | None) -> Tensor:
        """Sum over rows divided by `items` (the rows of the whole effective batch; these rows where it is None).

        logits [rows, classes] at any precision, labels [rows].
        """
        logits = logits.float()
        if self.losses == {"cross_entropy": 1.0} and not self.classes:
            total = functional.cross_entropy(logits, labels, reduction="sum", label_smoothing=self.smoothing)
        else:
            classes = logits.shape[1]
            target = functional.one_hot(labels, classes).float() * (1 - self.smoothing) + self.smoothing / classes
            rows = torch.stack([weight * PER_ROW[name](logits, target) for name, weight in self.losses.items()]).sum(0)
            if self.classes:
                rows = rows * torch.tensor(self.classes, device=rows.device)[labels]
            total = rows.sum()
        return total / (len(labels) if items is None else items)


def balanced(class_ids: npt.NDArray[np.int64], classes: int) -> tuple[float, ...]:
    """Per class rows / (classes x its rows), as scikit-learn's class_weight="balanced"; 0 for a class without rows."""
    counts = np.bincount(class_ids, minlength=classes)
    return tuple((len(class_ids) / (classes * np.maximum(counts, 1)) * (counts > 0)).tolist())
