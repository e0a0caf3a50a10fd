"""torchvision's classification models and the CIFAR residual nets, with a new classification layer; no weights yet.

Travels with registered models, so it knows nothing of recipes.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from itertools import chain
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional

Shape = tuple[int, int, int]
"""Channels, height, width."""


def build_torchvision(source: Mapping[str, Any], shape: Shape, classes: int) -> nn.Module:
    """A model of torchvision by name, its last layer new. Raises ValueError where it cannot take such images."""
    import torchvision

    name = source["name"]
    if shape[0] != 3:
        raise ValueError(f"{name} takes colour images: set encode.mode: RGB (grey ones get three equal channels)")
    with told_sizes(shape, name):
        net: nn.Module = torchvision.models.get_model(name, weights=None, **_options(name, shape))
        try_shapes(net, shape)
    if name.startswith("mnasnet"):  # its own loading asks for a mark of version, which safetensors cannot hold
        net._load_from_state_dict = partial(nn.Module._load_from_state_dict, net)  # type: ignore[method-assign]
    path, last = classifier(net)
    if source.get("head") == "concat_pool":
        path = path.partition(".")[0]
        features = _pool_twice(net, shape, name)
        set_module(net, path, concat_head(features, classes))
    elif isinstance(last, nn.Linear):
        set_module(net, path, nn.Linear(last.in_features, classes))
    else:
        set_module(net, path, nn.Conv2d(last.in_channels, classes, 1))
    net.classifier_path = path  # type: ignore[assignment]
    return net


def _options(name: str, shape: Shape) -> dict[str, Any]:
    """What torchvision must be given for a model to take such images, and published weights as they were trained."""
    if name.startswith("vit"):
        return {"image_size": shape[1]}
    if name.startswith("maxvit"):
        return {"input_size": shape[1:]}
    if name in ("googlenet", "inception_v3"):  # trained on pixels of -1 to 1; ImageNet's constants come in
        return {"aux_logits": False, "transform_input": True, "init_weights": True}
    return {}


def classifier(net: nn.Module) -> tuple[str, Any]:
    """Name and module of the layer that yields the logits: the last linear one, in SqueezeNet the last convolution."""
    layers = [(name, module) for name, module in net.named_modules() if isinstance(module, nn.Linear | nn.Conv2d)]
    linear = [layer for layer in layers if isinstance(layer[1], nn.Linear)]
    return (linear or layers)[-1]


def set_module(net: nn.Module, path: str, module: nn.Module) -> None:
    """Put a module in the place of another."""
    above, _, name = path.rpartition(".")
    setattr(net.get_submodule(above), name, module)


@contextmanager
def told_sizes(shape: Shape, name: str) -> Iterator[None]:
    """Raise ValueError, saying which size it has no use for, where a net fails inside."""
    try:
        yield
    except (RuntimeError, AssertionError, ValueError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise ValueError(
            f"{name} cannot take images of {shape[2]} x {shape[1]} pixels ({reason}); "
            "give encode.size another value, for most models 224"
        ) from None


@torch.no_grad()
def try_shapes(net: nn.Module, shape: Shape) -> None:
    """Run a net on shapes alone (torch's meta device), which costs next to nothing; it stays as it is."""
    values = dict(chain(net.named_parameters(), net.named_buffers()))
    training = net.training
    try:
        nothing = {name: value.to("meta") for name, value in values.items()}
        functional_call(net.eval(), nothing, (torch.zeros(1, *shape, device="meta"),))
    finally:
        net.train(training)


class ConcatPool(nn.Module):
    """Average and maximum over each feature map, side by side: [rows, channels, height, width] to [rows, 2 channels, 1,
    1]."""

    def forward(self, maps: Tensor) -> Tensor:
        """Pool."""
        return torch.cat([functional.adaptive_avg_pool2d(maps, 1), functional.adaptive_max_pool2d(maps, 1)], 1)


def concat_head(features: int, classes: int) -> nn.Module:
    """The layers behind a ConcatPool, as published with it (fastai's head)."""
    return nn.Sequential(
        nn.Flatten(),
        nn.BatchNorm1d(features),
        nn.Dropout(0.5),
        nn.Linear(features, 512),
        nn.ReLU(),
        nn.BatchNorm1d(512),
        nn.Linear(512, classes),
    )


def _pool_twice(net: nn.Module, shape: Shape, name: str) -> int:
    """Put a ConcatPool in the place of `avgpool`; its number of features. Raises ValueError where there is none."""
    pool = getattr(net, "avgpool", None)
    if not isinstance(pool, nn.AdaptiveAvgPool2d):
        raise ValueError(f"{name} has no pooling of feature maps to replace; take head: linear")
    seen: list[int] = []
    hook = pool.register_forward_hook(lambda module, given, output: seen.append(given[0].shape[1]))
    try_shapes(net, shape)
    hook.remove()
    net.avgpool = ConcatPool()
    return 2 * seen[0]


class CifarBlock(nn.Module):
    """Two 3 x 3 convolutions next to a shortcut that drops every second pixel and pads channels with zeros."""

    def __init__(self, channels: int, filters: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, filters, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(filters)
        self.conv2 = nn.Conv2d(filters, filters, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(filters)
        self.stride, self.padding = stride, (filters - channels) // 2

    def forward(self, images: Tensor) -> Tensor:
        """[rows, channels, height, width] to [rows, filters, height / stride, width / stride]."""
        features = self.bn2(self.conv2(functional.relu(self.bn1(self.conv1(images)))))
        short = images[:, :, :: self.stride, :: self.stride]
        return functional.relu(features + functional.pad(short, (0, 0, 0, 0, self.padding, self.padding)))


class CifarResnet(nn.Module):
    """K. He et al., Deep Residual Learning for Image Recognition (CVPR 2016), section 4.2; shortcuts of option A."""

    def __init__(self, depth: int, classes: int) -> None:
        super().__init__()
        blocks, channels = (depth - 2) // 6, 16
        self.conv1 = nn.Conv2d(3, channels, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        for number, filters in enumerate((16, 32, 64), 1):
            stage = []
            for block in range(blocks):
                stage.append(CifarBlock(channels, filters, 2 if number > 1 and block == 0 else 1))
                channels = filters
            self.add_module(f"layer{number}", nn.Sequential(*stage))
        self.linear = nn.Linear(channels, classes)
        for module in self.modules():
            if isinstance(module, nn.Linear | nn.Conv2d):
                nn.init.kaiming_normal_(module.weight)

    def forward(self, images: Tensor) -> Tensor:
        """images: [rows, 3, height, width] of any size; logits: [rows, classes]."""
        features = functional.relu(self.bn1(self.conv1(images)))
        for name in ("layer1", "layer2", "layer3"):
            features = self.get_submodule(name)(features)
        logits: Tensor = self.linear(features.mean((2, 3)))
        return logits


def build_cifar_resnet(source: Mapping[str, Any], shape: Shape, classes: int) -> nn.Module:
    """A CIFAR residual net with new weights. Raises ValueError for grey images."""
    if shape[0] != 3:
        raise ValueError("cifar_resnet takes colour images: set encode.mode: RGB")
    net = CifarResnet(source["depth"], classes)
    net.classifier_path = "linear"  # type: ignore[assignment]
    return net
