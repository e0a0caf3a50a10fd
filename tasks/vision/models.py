"""A recipe's image model -> what training starts from, and what it leaves -> files."""

import json
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import nn

from configs.backbones import CifarResnet, Timm, Torchvision
from configs.literal import complete
from configs.models import Backbone, Clip, ImageModel
from configs.schema import Train
from configs.settings import settings

from ..data import hub
from ..data.files import DataError
from ..data.losses import Criterion
from ..data.pretrained import check_files
from .augment import Augment
from .clip import clip_structure, clip_tensors
from .encoding import ImageEncoding
from .nets import CONFIG, WEIGHTS, ImageClassifier, build_net
from .weights import load_weights, published_weights, read_weights

START = ("weights", "revision", "file", "partial", "sha256", "licence")
"""Fields of `train.model` that say what training started from, and nothing of the structure."""


def build_model(section: Train, encoding: ImageEncoding, criterion: Criterion) -> ImageClassifier:
    """The model of a recipe, new weights seeded. Raises DataError."""
    torch.manual_seed(section.seed)
    source = section.model
    structure = clip_structure(source, encoding) if isinstance(source, Clip) else complete(source)
    try:
        net = build_net(structure, encoding)
    except ValueError as error:
        raise DataError(f"train.model: {error}") from None
    model = ImageClassifier(net, encoding, criterion)
    if isinstance(source, Backbone):
        _start_from(source, model)
    model.augment = build_augment(section, encoding)
    return model


def _start_from(source: Backbone, model: ImageClassifier) -> None:
    """Load the weights that the recipe names; the model says what became of each tensor."""
    if isinstance(source, Clip):
        tensors, partial, where = clip_tensors(source), False, "the image tower"
    elif (path := _weights_file(source)) is not None:
        check_files(path.parent, {path.name: source.sha256} if source.sha256 else {}, path.parent.name)
        tensors, partial, where = read_weights(path), source.partial, path.name
    else:
        return
    loaded = load_weights(model.net, tensors, model.head, partial, where)
    model.fresh = frozenset(f"net.{name}" for name in loaded.fresh)
    model.loaded = loaded.describe(where)


def _weights_file(source: Torchvision | CifarResnet | Timm) -> Path | None:
    """The recipe's own file, or the published one; none for new weights."""
    if source.file is not None:
        return settings().source(source.file)
    if isinstance(source, CifarResnet) or source.weights == "none":
        return None
    if isinstance(source, Torchvision):
        return published_weights(source.name, source.weights)
    return hub.fetch(source.repo, source.revision, "model", (WEIGHTS,)) / WEIGHTS


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
    plain = {name: value for name, value in complete(source).items() if name not in START}
    structure = getattr(model.net, "structure", plain)
    (folder / CONFIG).write_text(json.dumps(structure, indent=1, sort_keys=True), encoding="utf-8")
    save_file({name: value.contiguous().cpu() for name, value in model.net.state_dict().items()}, folder / WEIGHTS)
