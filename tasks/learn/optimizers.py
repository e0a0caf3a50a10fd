"""A recipe's optimiser and its stepwise rate -> torch's, over the parameters that are trained."""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import torch
from torch import nn

from configs.literal import complete
from configs.schema import Train

from ..data.errors import DataError


class Lbfgs(torch.optim.LBFGS):
    """L-BFGS that is given beforehand how to evaluate its batch, since the Trainer calls `step()` without."""

    closure: Callable[[], torch.Tensor] | None = None

    def step(self, closure: Any = None) -> Any:
        """One batch, solved in up to max_iter iterations."""
        return super().step(closure or self.closure)  # type: ignore[no-untyped-call]


CLASSES: dict[str, Any] = {
    "adamw": torch.optim.AdamW,
    "adam": torch.optim.Adam,
    "sgd": torch.optim.SGD,
    "rmsprop": torch.optim.RMSprop,
    "adagrad": torch.optim.Adagrad,
    "adadelta": torch.optim.Adadelta,
    "rprop": torch.optim.Rprop,
    "lbfgs": Lbfgs,
}

FUSED = {
    "adamw": ("cpu", "cuda", "mps"),
    "adam": ("cpu", "cuda", "mps"),
    "sgd": ("cpu", "cuda", "mps"),
    "adagrad": ("cpu",),
}
"""Device types on which torch has one kernel for a whole step; the last bits may differ from its plain loop."""


def make_optimizer(
    model: nn.Module, section: Train, rates: Mapping[str, float], decaying: Collection[str]
) -> torch.optim.Optimizer:
    """The optimiser with its constants, fused where torch can, one group per learning rate, the recipe's own first.

    `rates`: learning rate by parameter. AdamW's decay spares all but the parameters named `decaying`; an L2 penalty is
    on every parameter, as in torch. Raises DataError where L-BFGS would need several groups.
    """
    options = complete(section.optimizer)
    kind, decay = options.pop("kind"), options.pop("weight_decay", 0.0)
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for name, value in model.named_parameters():
        if value.requires_grad:
            spared = kind == "adamw" and name not in decaying
            groups.setdefault((rates[name], 0.0 if spared else decay), []).append(value)
    ordered = sorted(groups, key=lambda group: (group[0] != section.learning_rate, group[1] == 0.0))
    groups_: list[dict[str, Any]] = [
        {"params": groups[rate, decay], "lr": rate, "weight_decay": decay} for rate, decay in ordered
    ]
    if kind == "lbfgs":
        if len(groups_) > 1:
            raise DataError("lbfgs knows one learning rate only; set pretrained_rate: 1 and no rates in its phase")
        search = options.pop("line_search")
        options |= {"line_search_fn": None if search == "none" else search}
    for group in groups_ if kind in ("lbfgs", "rprop") else ():
        del group["weight_decay"]
    if _fusible(kind, [value for some in groups.values() for value in some]):
        options["fused"] = True
    optimizer: torch.optim.Optimizer = CLASSES[kind](groups_, lr=section.learning_rate, **options)
    return optimizer


def _fusible(kind: str, trained: Sequence[nn.Parameter]) -> bool:
    """Whether torch has the fused kernel for every parameter: a floating type, on a device that it serves."""
    devices = FUSED.get(kind, ())
    return all(value.is_floating_point() and value.device.type in devices for value in trained)


def step_factor(section: Train, epoch: float, warmup: int) -> Callable[[int], float]:
    """Factor on the rate by optimiser step: up from 0 over `warmup` steps, then down every step_epochs epochs (of
    `epoch` steps each)."""

    def factor(step: int) -> float:
        if step < warmup:
            return step / warmup
        return section.step_factor ** int(step // (epoch * section.step_epochs))

    return factor
