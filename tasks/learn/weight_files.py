"""A training's weights: all of them, or, where others are frozen, those alone that it may change; file and back."""

from pathlib import Path

import torch
from safetensors.torch import load_file, load_model, save_file, save_model
from torch import Tensor, nn

from ..artifact import canonical, digest_text
from ..data.errors import DataError
from .phases import fingerprint

FILE = "model.safetensors"
COUNTS = (torch.int32, torch.int64, torch.uint32, torch.uint64)
"""Types of what no weight is: Keras keeps the state of its random numbers as a parameter."""


def adapters(model: nn.Module) -> frozenset[str] | None:
    """Names of the parameters that are not frozen for good; none where a model has no such base."""
    names: frozenset[str] | None = getattr(model, "adapters", None)
    return names


def changing(model: nn.Module) -> frozenset[str] | None:
    """Names of what checkpoints hold: adapters, else buffers and parameters that are not frozen; none for everything.

    What is frozen stays as it was when training began, from where a resumed training has it again.
    """
    own = adapters(model)
    if own is not None:
        return own
    frozen = {name for name, value in model.named_parameters() if not value.requires_grad and value.dtype not in COUNTS}
    return frozenset(_tensors(model).keys() - frozen) if frozen else None


def frozen_digest(model: nn.Module) -> str:
    """sha256 of all that checkpoints do not hold; empty where they hold everything."""
    own = changing(model)
    if own is None:
        return ""
    return digest_text(canonical({name: digest for name, digest in fingerprint(model).items() if name not in own}))


def save_weights(model: nn.Module, folder: Path) -> None:
    """Write model.safetensors: what may change, since the rest is loaded again."""
    own = changing(model)
    if own is None:
        save_model(model, folder / FILE)
        return
    tensors = {name: value.detach().cpu().contiguous() for name, value in _tensors(model).items() if name in own}
    save_file(tensors, folder / FILE, {"format": "pt"})


def load_weights(model: nn.Module, folder: Path) -> None:
    """Read what `save_weights` wrote. Raises DataError where it is of another model."""
    own = changing(model)
    if own is None:
        load_model(model, folder / FILE, device=str(next(model.parameters()).device))
        return
    tensors = load_file(folder / FILE)
    if odd := own ^ tensors.keys():
        raise DataError(f"{folder.name}: {FILE} does not hold what is trained here, such as {min(odd)}; remove it")
    with torch.no_grad():
        for name, value in _tensors(model).items():
            if name in own:
                value.copy_(tensors[name])


def _tensors(model: nn.Module) -> dict[str, Tensor]:
    """Parameters, and the buffers that are part of a model's state, each once."""
    state = model.state_dict().keys()
    buffers = {name: value for name, value in model.named_buffers() if name in state}
    return {**dict(model.named_parameters()), **buffers}
