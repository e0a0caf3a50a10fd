"""timm's classification models, with a new classification layer; no weights yet.

Travels with registered models, so it knows nothing of recipes.
"""

import importlib
from collections.abc import Mapping
from typing import Any

from torch import nn

from .backbones import Shape, told_sizes, try_shapes


def build_timm(source: Mapping[str, Any], shape: Shape, classes: int) -> nn.Module:
    """A model of timm by name. Raises ValueError where it cannot take such images, or timm is not installed."""
    timm, name = _timm(), source["name"]
    if shape[0] != 3:
        raise ValueError(f"{name} takes colour images: set encode.mode: RGB (grey ones get three equal channels)")
    if not timm.is_model(name):
        raise ValueError(f"timm {timm.__version__} has no model called {name}")
    with told_sizes(shape, name):
        net = _create(timm, name, shape, classes)
        try_shapes(net, shape)
    path: str = net.pretrained_cfg["classifier"]  # type: ignore[index,assignment]
    if not any(name.startswith(f"{path}.") for name, _ in net.named_parameters()):  # encoders name one and have none
        raise ValueError(f"{name} has no classification layer of its own, or several; take another model")
    _restart_classifier(net.get_submodule(path))
    net.classifier_path = path  # type: ignore[assignment]
    return net


def _restart_classifier(layer: nn.Module) -> None:
    """Give a classification layer PyTorch's own initial weights, as torchvision's nets have.

    timm's rule for EfficientNets goes by the number of outputs: with two classes weights of up to 0.7, so that the
    loss begins at 2.6 in place of 0.7, which a few epochs of the layer alone do not undo.
    """
    for module in layer.modules():
        if isinstance(module, nn.Linear | nn.Conv2d):
            module.reset_parameters()


def _create(timm: Any, name: str, shape: Shape, classes: int) -> nn.Module:
    """The net, given the size of the images where it is made for one size."""
    fixed = timm.models.get_pretrained_cfg(name).fixed_input_size
    try:
        net: nn.Module = timm.create_model(name, num_classes=classes, **({"img_size": shape[1:]} if fixed else {}))
    except TypeError as error:
        if "img_size" not in str(error):
            raise
        net = timm.create_model(name, num_classes=classes)
    return net


def _timm() -> Any:
    """timm, imported by name so that only recipes that ask for it need it."""
    try:
        return importlib.import_module("timm")
    except ModuleNotFoundError as error:
        if error.name != "timm":
            raise
        raise ValueError("kind timm needs the package timm: pip install 'temper[timm]'") from None
