"""A recipe's image model -> what training starts from, and what it leaves -> files."""

import json
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import nn

from configs.literal import complete
from configs.models import CifarResnet, ImageModel, Torchvision
from configs.schema import Train
from configs.settings import settings

from ..data.files import DataError
from ..data.losses import Criterion
from .augment import Augment
from .encoding import ImageEncoding
from .nets import CONFIG, WEIGHTS, ImageClassifier, build_net
from .weights import load_weights, published_weights, read_weights


def build_model(section: Train, encoding: ImageEncoding, criterion: Criterion) -> ImageClassifier:
    """The model of a recipe, new weights seeded. Raises DataError."""
    torch.manual_seed(section.seed)
    try:
        net = build_net(complete(section.model), encoding)
    except ValueError as error:
        raise DataError(f"train.model: {error}") from None
    model = ImageClassifier(net, encoding, criterion)
    if isinstance(section.model, Torchvision | CifarResnet):
        _start_from(section.model, model)
    model.augment = build_augment(section, encoding)
    return model


def _start_from(source: Torchvision | CifarResnet, model: ImageClassifier) -> None:
    """Load the weights that the recipe names; the model says what became of each tensor."""
    if source.file is not None:
        path = settings().source(source.file)
        tensors, partial = read_weights(path), source.partial
    elif isinstance(source, Torchvision) and source.weights != "none":
        path = published_weights(source.name, source.weights)
        tensors, partial = read_weights(path), False
    else:
        return
    loaded = load_weights(model.net, tensors, model.head, partial, path.name)
    model.fresh = frozenset(f"net.{name}" for name in loaded.fresh)
    model.loaded = loaded.describe(path.name)


def build_augment(section: Train, encoding: ImageEncoding) -> nn.Module | None:
    """What changes training images before the net sees them, as the recipe says. Raises DataError."""
    if not section.augment:
        return None
    try:
        return Augment(section.augment, encoding.stored, (encoding.height, encoding.width))
    except ValueError as error:
        raise DataError(f"train.augment: {error}") from None


def save_model(model: ImageClassifier, source: ImageModel, folder: Path) -> None:
    """Write config.json (the structure in the recipe's `train.model`) and model.safetensors (weights and buffers)."""
    structure = {name: value for name, value in complete(source).items() if name not in ("weights", "file", "partial")}
    (folder / CONFIG).write_text(json.dumps(structure, indent=1, sort_keys=True), encoding="utf-8")
    save_file({name: value.contiguous().cpu() for name, value in model.net.state_dict().items()}, folder / WEIGHTS)
