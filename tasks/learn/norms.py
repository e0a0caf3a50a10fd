"""Batch norms and batches of one row: where a channel has a single value, there is nothing to normalise."""

from collections.abc import Callable, Sized
from typing import Any, cast

import torch
from torch import nn
from torch.func import functional_call
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.data import DataLoader, Dataset

from ..data.errors import DataError

REFUSED = "more than 1 value per channel"
"""What torch says in such a case. It depends on the size of the images, too, and of the maps the net makes of them."""


def require_company(
    model: nn.Module, rows: "Dataset[Any]", collate: Callable[[Any], dict[str, torch.Tensor]], batch_size: int
) -> None:
    """Raise DataError where an epoch has a batch of one row which a batch norm that is trained cannot take.

    Tried on one row before anything is trained, else it would come out in the last step of the first epoch. The model,
    its statistics and torch's random state stay as they were.
    """
    total = len(cast(Sized, rows))
    if not total or (total % batch_size or batch_size) != 1 or not _has_batch_norm(model):
        return
    training = model.training
    tensors = {name: value.clone() for name, value in model.named_buffers()} | dict(model.named_parameters())
    with torch.random.fork_rng(), torch.no_grad():
        batch = next(iter(DataLoader(rows, 1, collate_fn=collate)))
        place = next(model.parameters()).device
        try:
            functional_call(model.train(), tensors, (), {name: value.to(place) for name, value in batch.items()})
        except ValueError as error:
            if REFUSED not in str(error):
                raise
            raise DataError(_advice(total, batch_size)) from None
        finally:
            model.train(training)


def _has_batch_norm(model: nn.Module) -> bool:
    return any(isinstance(part, _BatchNorm) for part in model.modules())


def _advice(total: int, batch_size: int) -> str:
    if total == 1:
        return "there is one training row, which batch norm cannot learn from; add rows, or freeze what has batch norms"
    which = "batches of one row" if batch_size == 1 else "a last batch of one row"
    better = next(size for size in range(batch_size + 1, total + 1) if total % size != 1)
    return f"{total} training rows leave {which}, which batch norm cannot take; set train.batch_size to {better}"
