"""Training images -> a picture of how `train.augment` changes them."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from matplotlib.figure import Figure

from ...vision.nets import ImageClassifier, middle
from ...vision.parts import Part

ORIGINALS, VERSIONS = 8, 5
"""Rows of the sheet, and changed versions next to each original."""


def draw_augmented(part: Part, model: ImageClassifier, names: Sequence[str], path: Path, *, seed: int) -> None:
    """Some training images, spread over the classes: each as validation would show it, then as training shows it.

    `names`: of the classes, as they can be drawn. Torch's random state is left as it was.
    """
    places = np.linspace(0, len(part) - 1, min(ORIGINALS, len(part))).astype(np.int64)
    chosen = np.argsort(part.class_ids, kind="stable")[places].tolist()
    images, augment = torch.from_numpy(np.array(part.pixels[chosen])), model.augment
    assert augment is not None
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        columns = [middle(images, model.size), *(middle(augment(images), model.size) for _ in range(VERSIONS))]
    figure = Figure(figsize=(1.2 * len(columns), 1.4 * len(chosen)), layout="constrained")
    cells = figure.subplots(len(chosen), len(columns), squeeze=False)
    for row, place in enumerate(chosen):
        for axes, column in zip(cells[row], columns, strict=True):
            axes.imshow(column[row].permute(1, 2, 0).squeeze(-1).numpy(), cmap="gray", vmin=0, vmax=255)
            axes.set_axis_off()
        cells[row, 0].set_title(names[part.class_ids[place]], fontsize=8)
    figure.savefig(path, dpi=90, metadata={"Software": None})
