"""A recipe's image model -> what training starts from, and what it leaves -> files."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from configs.backbones import CifarResnet, Timm, Torchvision, Weighted
from configs.literal import complete
from configs.models import Backbone, Clip, ImageModel
from configs.schema import Train
from configs.settings import settings

from ..data.errors import DataError
from ..data.sources import hub
from ..data.sources.pretrained import check_files
from .augment import Augment
from .clip import clip_structure, clip_tensors
from .encoding import ImageEncoding
from .known_classes import require_classes
from .matching import describe_pairs, match_in_order, rename_tensors
from .nets import CONFIG, WEIGHTS, ImageClassifier, Loss, build_net
from .parts import Part
from .weights import load_weights, published_weights, read_weights

START = ("weights", "revision", "file", "partial", "sha256", "licence", "rename", "match", "expect", "expect_rate")
"""Fields of `train.model` that say what training started from, and nothing of the structure."""
NO_HEAD = " "
"""Begins no tensor's name: every layer is loaded."""


def build_model(section: Train, encoding: ImageEncoding, criterion: Loss, train: Part | None = None) -> ImageClassifier:
    """The model of a recipe, new weights seeded; `train`: rows that the weights are tried on where the recipe expects
    classes. Raises DataError."""
    torch.manual_seed(section.seed)
    source = section.model
    structure = clip_structure(source, encoding) if isinstance(source, Clip) else complete(source)
    try:
        net = build_net(structure, encoding)
    except ValueError as error:
        raise DataError(f"train.model: {error}") from None
    model = ImageClassifier(net, encoding, criterion)
    if isinstance(source, Backbone):
        _start_from(source, model, structure, train)
    model.augment = build_augment(section, encoding)
    return model


def _start_from(source: Backbone, model: ImageClassifier, structure: dict[str, Any], train: Part | None) -> None:
    """Load the weights that the recipe names; the model says what became of each tensor."""
    notes: list[str] = []
    if isinstance(source, Clip):
        tensors, partial, where = clip_tensors(source), False, "the image tower"
    elif (path := _weights_file(source)) is not None:
        check_files(path.parent, {path.name: source.sha256} if source.sha256 else {}, path.parent.name)
        tensors, partial, where = read_weights(path), source.partial, path.name
        tensors, notes = _placed(source, model, structure, tensors, where)
        if source.expect:
            whole = _whole_net(model, structure, tensors, where)
            notes.append(require_classes(whole, model.encoding, train, expect=source.expect, rate=source.expect_rate))
    else:
        return
    loaded = load_weights(model.net, tensors, model.head, partial, where)
    model.fresh = frozenset(f"net.{name}" for name in loaded.fresh)
    model.loaded = "\n".join([loaded.describe(where), *reversed(notes)])


def _placed(
    source: Weighted, model: ImageClassifier, structure: dict[str, Any], tensors: dict[str, Tensor], where: str
) -> tuple[dict[str, Tensor], list[str]]:
    """The tensors under the model's names, and a table of the names that changed."""
    if source.match == "order":
        pairs = match_in_order(tensors, _like(model, structure, list(tensors.values()), where).state_dict(), where)
    elif source.rename:
        renamed = rename_tensors(tensors, source.rename, where)
        pairs = dict(zip(renamed, tensors, strict=True))
    else:
        return tensors, []
    return {ours: tensors[theirs] for ours, theirs in pairs.items()}, [describe_pairs(pairs, tensors)]


def _like(model: ImageClassifier, structure: dict[str, Any], tensors: list[Tensor], where: str) -> nn.Module:
    """The same net with as many classes as weights in this order have."""
    names = list(model.net.state_dict())
    if len(names) != len(tensors):
        raise DataError(f"{where}: {len(tensors)} tensors there, {len(names)} in the model: match: order needs as many")
    last = tensors[names.index(f"{model.head}.weight")]
    return _with_classes(model, structure, last.shape[0] if last.ndim else 1)


def _whole_net(model: ImageClassifier, structure: dict[str, Any], tensors: dict[str, Tensor], where: str) -> nn.Module:
    """The net with the last layer of its weights."""
    head = tensors.get(f"{model.head}.weight")
    if head is None:
        raise DataError(f"{where}: train.model.expect needs the last layer {model.head}.weight, which is not in it")
    net = _with_classes(model, structure, head.shape[0])
    load_weights(net, tensors, NO_HEAD, False, where)
    return net


def _with_classes(model: ImageClassifier, structure: dict[str, Any], classes: int) -> nn.Module:
    """A net of the same structure with another number of classes; the random state is left as it was."""
    encoding = replace(model.encoding, labels=tuple(map(str, range(classes))))
    with torch.random.fork_rng(devices=[]):
        return build_net(structure, encoding)


def _weights_file(source: Torchvision | CifarResnet | Timm) -> Path | None:
    """The recipe's own file, or the published one; none for new weights."""
    if source.file is not None:
        return settings().source(source.file)
    if isinstance(source, CifarResnet) or source.weights == "none":
        return None
    if isinstance(source, Torchvision):
        return published_weights(source.name, source.weights)
    return hub.fetch(hub.Snapshot(source.repo, source.revision, "model"), (WEIGHTS,)) / WEIGHTS


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
