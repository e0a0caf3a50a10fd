"""A recipe's image model -> what training starts from, and what it leaves -> files."""

import json
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import nn

from configs.literal import complete
from configs.models import ImageModel
from configs.schema import Train

from ..data.files import DataError
from ..data.losses import Criterion
from .augment import Augment
from .encoding import ImageEncoding
from .nets import CONFIG, WEIGHTS, ImageClassifier, build_net


def build_model(section: Train, encoding: ImageEncoding, criterion: Criterion) -> ImageClassifier:
    """The model of a recipe, new weights seeded. Raises DataError."""
    torch.manual_seed(section.seed)
    try:
        net = build_net(complete(section.model), encoding)
    except ValueError as error:
        raise DataError(f"train.model: {error}") from None
    model = ImageClassifier(net, encoding, criterion)
    model.augment = build_augment(section, encoding)
    return model


def build_augment(section: Train, encoding: ImageEncoding) -> nn.Module | None:
    """What changes training images before the net sees them, as the recipe says. Raises DataError."""
    if not section.augment:
        return None
    try:
        return Augment(section.augment, encoding.stored, (encoding.height, encoding.width))
    except ValueError as error:
        raise DataError(f"train.augment: {error}") from None


def save_model(model: ImageClassifier, source: ImageModel, folder: Path) -> None:
    """Write config.json (the recipe's `train.model`) and model.safetensors (the net's weights and buffers)."""
    (folder / CONFIG).write_text(json.dumps(complete(source), indent=1, sort_keys=True), encoding="utf-8")
    save_file({name: value.contiguous().cpu() for name, value in model.net.state_dict().items()}, folder / WEIGHTS)
