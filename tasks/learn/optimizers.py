"""A recipe's optimiser -> torch's, over the parameters that are trained."""

from collections.abc import Collection
from typing import Any

import torch
from torch import nn

from configs.literal import complete
from configs.schema import Train

CLASSES: dict[str, Any] = {
    "adamw": torch.optim.AdamW,
    "adam": torch.optim.Adam,
    "sgd": torch.optim.SGD,
    "rmsprop": torch.optim.RMSprop,
    "adagrad": torch.optim.Adagrad,
    "adadelta": torch.optim.Adadelta,
}


def make_optimizer(model: nn.Module, section: Train, decaying: Collection[str]) -> torch.optim.Optimizer:
    """The optimiser with its constants. AdamW's decay spares all but the parameters named `decaying`; an L2 penalty
    is on every parameter, as in torch."""
    options = complete(section.optimizer)
    kind, decay = options.pop("kind"), options.pop("weight_decay")
    trained = {name: value for name, value in model.named_parameters() if value.requires_grad}
    spared = set(trained) - set(decaying) if kind == "adamw" else set()
    groups = [
        {"params": [value for name, value in trained.items() if name not in spared], "weight_decay": decay},
        {"params": [value for name, value in trained.items() if name in spared], "weight_decay": 0.0},
    ]
    kept = [group for group in groups if group["params"]]
    found: torch.optim.Optimizer = CLASSES[kind](kept, lr=section.learning_rate, **options)
    return found
