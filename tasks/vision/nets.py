"""Nets for images from plain settings, behind a module that takes bytes and returns .loss and .logits.

Travels with registered models, so it knows nothing of recipes.
"""

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from transformers.utils import ModelOutput

from ..learn.losses import Criterion
from . import backbones, keras_nets, probes, timm_nets
from .encoding import ImageEncoding

CONFIG, WEIGHTS = "config.json", "model.safetensors"
Loss = Callable[..., Tensor]
"""Logits [rows, classes], labels [rows], the rows that count, and of a student its teachers' logits, to a scalar."""
Settings = Mapping[str, Any]
"""The fields of `train.model`, such as kind, hidden, channels (of clip those of its tower, as `vision`)."""


@dataclass
class Scored(ModelOutput):
    """loss: scalar, the sum over rows divided by `num_items_in_batch`; logits: [rows, classes]."""

    loss: Tensor | None = None
    logits: Tensor | None = None


class ImageClassifier(nn.Module):
    """A net behind the normalisation of its pixels; bytes come in, so that batches stay small on their way.

    In training `augment`, where there is one, changes them first; of what is larger than the net's size it sees the
    middle.
    """

    accepts_loss_kwargs = True
    fresh: frozenset[str] = frozenset()
    loaded: str = ""
    augment: nn.Module | None
    mean: Tensor
    std: Tensor

    def __init__(self, net: nn.Module, encoding: ImageEncoding, criterion: Loss) -> None:
        super().__init__()
        self.net, self.criterion, self.encoding = net, criterion, encoding
        self.size, self.augment = (encoding.height, encoding.width), None
        self.register_buffer("mean", torch.tensor(encoding.mean).view(1, -1, 1, 1) * 255, persistent=False)
        self.register_buffer("std", torch.tensor(encoding.std).view(1, -1, 1, 1) * 255, persistent=False)

    @property
    def head(self) -> str:
        """Name below the net of the layer that yields the logits."""
        return str(self.net.classifier_path)

    def forward(
        self,
        pixel_values: Tensor,
        labels: Tensor | None = None,
        num_items_in_batch: Tensor | int | None = None,
        teachers: Tensor | None = None,
    ) -> Scored:
        """pixel_values: uint8 [rows, channels, height, width]; labels: [rows]; teachers: their logits [rows, teachers,
        classes]; logits are float32 at any precision."""
        if self.training and self.augment is not None:
            pixel_values = self.augment(pixel_values)
        logits = self.net((middle(pixel_values, self.size).float() - self.mean) / self.std).float()
        if labels is None:
            return Scored(logits=logits)
        scored = () if teachers is None else (teachers,)
        return Scored(loss=self.criterion(logits, labels, num_items_in_batch, *scored), logits=logits)


class Logits(nn.Module):
    """A classifier as what scores images: bytes in, logits out; what predicts, and what is exported."""

    def __init__(self, model: ImageClassifier) -> None:
        super().__init__()
        self.model = model

    def forward(self, pixel_values: Tensor) -> Tensor:
        """pixel_values: uint8 [rows, channels, height, width]; logits: [rows, classes]."""
        logits: Tensor = self.model(pixel_values=pixel_values).logits
        return logits


def middle(images: Tensor, size: tuple[int, int]) -> Tensor:
    """The middle of images, size (height, width), at the place that torchvision's center_crop takes."""
    top, left = (round((side - wanted) / 2) for side, wanted in zip(images.shape[-2:], size, strict=True))
    return images[..., top : top + size[0], left : left + size[1]]


def build_net(source: Settings, encoding: ImageEncoding) -> nn.Module:
    """The net with new weights from torch's random state: normalised pixels in, logits out. Raises ValueError."""
    shape = (encoding.channels, encoding.height, encoding.width)
    net = NETS[source["kind"]](source, shape, len(encoding.labels))
    if source.get("initial") == "keras" and source.get("framework") != "keras":  # which draws its own
        for module in net.modules():
            if isinstance(module, nn.Linear | nn.Conv2d):
                nn.init.xavier_uniform_(module.weight)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
    return net


def _mlp(source: Settings, shape: tuple[int, int, int], classes: int) -> nn.Module:
    inputs = math.prod(shape)
    layers: list[nn.Module] = [nn.Flatten()]
    for units in source["hidden"]:
        layers += [
            nn.Linear(inputs, units),
            nn.ReLU() if source["activation"] == "relu" else nn.LeakyReLU(source["slope"]),
        ]
        layers += [nn.Dropout(source["dropout"])] if source["dropout"] else []
        inputs = units
    layers += [nn.LayerNorm(inputs)] if source["layer_norm"] else []
    return _classifier(layers, inputs, classes)


def _classifier(layers: list[nn.Module], inputs: int, classes: int) -> nn.Module:
    net = nn.Sequential(*layers, nn.Linear(inputs, classes))
    net.classifier_path = str(len(layers))  # type: ignore[assignment]
    return net


def _cnn(source: Settings, shape: tuple[int, int, int], classes: int) -> nn.Module:
    inputs = math.prod(_after_convolutions(source, shape))
    if source.get("framework") == "keras":
        return keras_nets.build_cnn(source, shape, classes)
    channels, layers = shape[0], list[nn.Module]()
    for filters in source["channels"]:
        layers.append(nn.Conv2d(channels, filters, 3, padding=1 if source["padding"] == "same" else 0))
        layers += [nn.BatchNorm2d(filters)] if source["batch_norm"] else []
        layers += [nn.ReLU(), nn.MaxPool2d(2)]
        channels = filters
    layers += [nn.Flatten(), *([nn.Dropout(source["dropout"])] if not source["dense"] else [])]
    for number, units in enumerate(source["dense"]):
        layers += [nn.Linear(inputs, units), nn.ReLU(), *([nn.Dropout(source["dropout"])] if number == 0 else [])]
        inputs = units
    return _classifier(layers, inputs, classes)


def _after_convolutions(source: Settings, shape: tuple[int, int, int]) -> tuple[int, int, int]:
    """Channels, height and width that reach the dense layers. Raises ValueError where nothing does."""
    _, height, width = shape
    lost = 0 if source["padding"] == "same" else 2
    for _ in source["channels"]:
        height, width = (height - lost) // 2, (width - lost) // 2
        if height < 1 or width < 1:
            raise ValueError(
                f"{len(source['channels'])} convolutions leave nothing of {shape[2]} x {shape[1]} pixels; "
                "take fewer, or padding: same"
            )
    return source["channels"][-1], height, width


NETS: dict[str, Callable[[Settings, tuple[int, int, int], int], nn.Module]] = {
    "mlp": _mlp,
    "cnn": _cnn,
    "torchvision": backbones.build_torchvision,
    "cifar_resnet": backbones.build_cifar_resnet,
    "timm": timm_nets.build_timm,
    "clip": probes.build_clip,
}
"""By `kind`; each net says as `classifier_path` which of its modules yields the logits."""


def load_model(folder: Path, encoding: ImageEncoding) -> ImageClassifier:
    """Read config.json and model.safetensors."""
    net = build_net(json.loads((folder / CONFIG).read_text(encoding="utf-8")), encoding)
    net.load_state_dict(load_file(folder / WEIGHTS))
    return ImageClassifier(net, encoding, Criterion())
