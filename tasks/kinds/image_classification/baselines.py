"""What an image model is compared with: the nearest class mean."""

from typing import Any

import numpy as np
import numpy.typing as npt

from ...vision.parts import Part

BLOCK = 1024


def centroid(train: Part, pixels: Any, classes: int) -> npt.NDArray[np.int64]:
    """Per test image the class whose mean training image is nearest (Euclidean, over all pixels)."""
    sums = np.zeros((classes, int(np.prod(train.pixels.shape[1:]))))
    for start in range(0, len(train), BLOCK):
        block = train.pixels[start : start + BLOCK].reshape(-1, sums.shape[1])
        np.add.at(sums, train.class_ids[start : start + BLOCK], block)
    counts = np.bincount(train.class_ids, minlength=classes)
    means = sums / np.maximum(counts, 1)[:, None]
    nearest = []
    for start in range(0, len(pixels), BLOCK):
        block = pixels[start : start + BLOCK].reshape(-1, sums.shape[1]).astype(np.float64)
        distance = (means**2).sum(1) - 2 * block @ means.T
        nearest.append(np.where(counts > 0, distance, np.inf).argmin(1))
    return np.concatenate([np.zeros(0, np.int64), *nearest])
