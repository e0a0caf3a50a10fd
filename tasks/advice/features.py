"""What a pretrained body makes of encoded training and validation rows before anything is trained; needs torch."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn
from torch.utils.data import DataLoader

from configs.backbones import Weighted
from configs.schema import Train

from ..artifact import Artifact
from ..data.errors import DataError
from ..kinds.spec import open_training
from ..learn.metrics import Floats, Ids
from ..learn.phases import Layout
from ..vision.source_head import source_head
from .blocks import earlier_half

MOST = 10_000
"""Rows of a part whose features are computed; of more rows these many are drawn."""
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Rows:
    """Some rows of a part: features [rows, width], class ids [rows], and which rows of the part these are [rows]."""

    features: Floats
    class_ids: Ids
    positions: Ids


@dataclass(frozen=True)
class FrozenBody:
    """The rows' features; source: probabilities of the weights' own classes [training rows, source classes], where the
    weights came with a head; earlier: the earlier half of the body, as `freeze` of a phase takes it; labels in class-id
    order."""

    train: Rows
    validation: Rows
    source: Floats | None
    earlier: tuple[str, ...]
    labels: tuple[str, ...]


def frozen_body(section: Train, encoded: Artifact, done: Progress) -> FrozenBody:
    """Compute features: what reaches the first layer that starts new, without augmentation or dropout.

    section: pinned; encoded: of which training and validation rows are read. Raises DataError where the model has no
    head, or nothing of it was loaded.
    """
    training = open_training(encoded.file("encoding.json").parent)
    parts = {name: training.read(encoded.file(f"{name}.parquet")) for name in ("train", "validation")}
    if not len(parts["validation"]):
        raise DataError("advice is scored on validation rows, and encode left none")
    section = replace(section, augment=())
    model = training.model(section, parts["train"])
    layout = training.layout(model)
    if layout.new or not layout.head:
        raise DataError("advice compares ways to train a pretrained body under a new head, which this model is not")
    feed = training.feed(parts, section.seed)
    chosen = {name: _drawn(len(part), section.seed) for name, part in parts.items()}
    total = sum(map(len, chosen.values()))
    computed: dict[str, Rows] = {}
    for name, rows in (("train", feed.train), ("validation", feed.validation)):
        loader: Any = DataLoader(
            rows,  # type: ignore[arg-type]
            batch_size=section.eval_batch_size,
            sampler=chosen[name].tolist(),
            collate_fn=feed.collate,
        )
        before = sum(len(part.positions) for part in computed.values())
        features = _features(model, layout, loader, partial(_behind, done, before, total))
        computed[name] = Rows(features, parts[name].class_ids[chosen[name]], chosen[name])
    source = _source_probabilities(section, model, computed["train"].features)
    earlier = earlier_half(layout.shown, layout.head)
    return FrozenBody(computed["train"], computed["validation"], source, earlier, training.labels)


def _behind(done: Progress, before: int, total: int, rows: int) -> None:
    """Progress of rows behind others that are done."""
    done(before + rows, total)


def _drawn(rows: int, seed: int) -> npt.NDArray[np.int64]:
    if rows <= MOST:
        return np.arange(rows)
    return np.sort(np.random.default_rng(seed).choice(rows, MOST, replace=False))


def _readers(model: nn.Module, layout: Layout) -> list[nn.Module]:
    """Layers of the head, and those that start new: the first of them that is called reads the features."""
    new = layout.head | layout.fresh
    return [
        module
        for name, module in model.named_modules()
        if isinstance(module, nn.Linear | nn.Conv2d)
        and any(f"{name}.{own}" in new for own, _ in module.named_parameters(recurse=False))
    ]


@torch.inference_mode()
def _features(model: Any, layout: Layout, loader: Any, done: Callable[[int], None]) -> Floats:
    """Features [rows, width] as float64, a batch at a time."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    model.to(device).eval()
    given: list[torch.Tensor] = []
    hooks = [
        module.register_forward_pre_hook(lambda _, inputs: given.append(inputs[0]))
        for module in _readers(model, layout)
    ]
    computed: list[Floats] = []
    rows = 0
    try:
        for batch in loader:
            given.clear()
            on_device = {name: value.to(device) for name, value in batch.items()}
            model(**on_device)
            features = _pooled(given, on_device.get("attention_mask"))
            computed.append(features.double().cpu().numpy())
            done(rows := rows + len(features))
    finally:
        for hook in hooks:
            hook.remove()
    return np.concatenate(computed)


def _pooled(given: Sequence[torch.Tensor], attended: torch.Tensor | None) -> torch.Tensor:
    """What the first reader was given, as [rows, width]: of tokens the last that is attended to, where a head on every
    token is read (GPT-2), of feature maps the mean. Raises DataError where no reader was called."""
    if not given:
        raise DataError("no layer of the head was called, so this model's features cannot be read")
    first = given[0]
    if first.ndim == 3 and attended is not None:
        return first[torch.arange(len(first), device=first.device), attended.sum(1) - 1]
    return first.mean((2, 3)) if first.ndim == 4 else first


def _source_probabilities(section: Train, model: Any, features: Floats) -> Floats | None:
    """Probabilities of the source's classes [rows, source classes]; None where the weights have no such head."""
    head = source_head(section.model, model) if isinstance(section.model, Weighted) else None
    if head is None:
        return None
    logits = torch.from_numpy(features) @ head.weight.double().T + head.bias.double()
    return np.asarray(logits.softmax(1).numpy(), float)
