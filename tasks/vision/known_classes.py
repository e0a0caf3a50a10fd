"""Proof that weights are in their places: the net with its first head names classes that the recipe knows."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from configs.settings import settings

from ..data.errors import DataError
from ..data.files import check_file
from ..data.sources.folders import list_images
from ..learn.losses import Criterion
from .encoding import ImageEncoding
from .nets import ImageClassifier
from .parts import Part

MOST = 64
"""Images of each expectation that are inspected, evenly spread."""
BATCH = 16


def require_classes(
    net: nn.Module, encoding: ImageEncoding, train: Part | None, *, expect: Mapping[str, int], rate: float
) -> str:
    """A line of markdown about how often the net names the expected classes, its head being the published one.

    expect: a label of the training rows, an image, or a folder of images -> class index. Raises DataError where a
    share is below `rate`: tensors of equal shape may be in each other's places.
    """
    model = ImageClassifier(net, encoding, Criterion()).eval()
    shares, low = [], []
    for what, index in expect.items():
        named = _named(model, _pixels(what, encoding, train))
        share = float((named == index).mean())
        shares.append(f"class {index} for {share:.0%} of {len(named)} images of {what}")
        if share < rate:
            most = int(np.bincount(named).argmax())
            low.append(f"{what}: class {index} for {share:.0%} of {len(named)} images (most often class {most})")
    if low:
        raise DataError(
            f"train.model.expect: the loaded net names {'; '.join(low)}, and the recipe expects "
            f"{rate:.0%}: the weights are not in their places, or the images are prepared otherwise "
            "(encode.normalise, encode.size)"
        )
    return f"- before its head was replaced, the net named {', '.join(shares)} (expected: {rate:.0%})"


@torch.inference_mode()
def _named(model: ImageClassifier, pixels: Any) -> Any:
    batches = [torch.from_numpy(np.ascontiguousarray(pixels[at : at + BATCH])) for at in range(0, len(pixels), BATCH)]
    return torch.cat([model(batch).logits.argmax(1) for batch in batches]).numpy()


def _pixels(what: str, encoding: ImageEncoding, train: Part | None) -> Any:
    """uint8 [images, channels, height, width]."""
    if train is not None and what in encoding.labels:
        rows = np.flatnonzero(train.class_ids == encoding.labels.index(what))
        if not len(rows):
            raise DataError(f"train.model.expect: no training row has the label {what}")
        return train.pixels[_spread(rows).tolist()]
    files = _spread(np.array(expected_files(what), dtype=object))
    try:
        return np.stack([encoding.pixels(path.read_bytes()) for path in files])
    except ValueError as error:
        raise DataError(f"train.model.expect: {what}: {error}") from None


def expected_files(what: str) -> list[Path]:
    """The image, or the images in the folder, that an expectation names. Raises DataError where there is none."""
    place = settings().source(what)
    if not place.is_dir():
        try:
            check_file(place)
        except DataError as error:
            raise DataError(
                f"train.model.expect: {what} is no label of the rows, and no image or folder ({error})"
            ) from None
        return [place]
    files = [path for _, path in list_images(place).read]
    if not files:
        raise DataError(f"train.model.expect: {place}: no image in this folder")
    return files


def _spread(every: Any) -> Any:
    """At most MOST of them, evenly spread."""
    return every[np.linspace(0, len(every) - 1, min(len(every), MOST)).astype(int)]
