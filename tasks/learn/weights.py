"""A training's weights: all of them, or, next to a base that is frozen for good, the adapters alone; file and back."""

from pathlib import Path

import torch
from safetensors.torch import load_file, load_model, save_file, save_model
from torch import nn

from ..data.errors import DataError

FILE = "model.safetensors"


def adapters(model: nn.Module) -> frozenset[str] | None:
    """Names of the parameters that are not frozen for good; none where a model has no such base."""
    names: frozenset[str] | None = getattr(model, "adapters", None)
    return names


def save_weights(model: nn.Module, folder: Path) -> None:
    """Write model.safetensors: of a model with adapters these alone, since the base is loaded again."""
    own = adapters(model)
    if own is None:
        save_model(model, folder / FILE)
        return
    tensors = {name: value.detach().cpu().contiguous() for name, value in model.named_parameters() if name in own}
    save_file(tensors, folder / FILE, {"format": "pt"})


def load_weights(model: nn.Module, folder: Path) -> None:
    """Read what `save_weights` wrote. Raises DataError where it is of another model."""
    own = adapters(model)
    if own is None:
        load_model(model, folder / FILE, device=str(next(model.parameters()).device))
        return
    tensors = load_file(folder / FILE)
    if odd := own ^ tensors.keys():
        raise DataError(f"{folder.name}: {FILE} is not of this model's adapters, such as {min(odd)}; remove it")
    with torch.no_grad():
        for name, value in model.named_parameters():
            if name in own:
                value.copy_(tensors[name])
