"""LogME: how well frozen features explain labels, as the evidence of a Bayesian linear model."""

from dataclasses import dataclass

import numpy as np

from tasks.learn.metrics import Floats, Ids

ITERATIONS = 500
CLOSE = 1e-8
"""Change of the logarithm of the ratio of precisions at which the iteration ends."""
RANGE = 1e12
"""How far that ratio may be from the largest eigenvalue: without noise, or without any signal, it has no limit."""


@dataclass(frozen=True)
class Spectrum:
    """Features [rows, width] as LogME reads them: their left singular vectors [rows, rank], and the eigenvalues [rank]
    of their Gram matrix."""

    directions: Floats
    eigenvalues: Floats


def decompose(features: Floats) -> Spectrum:
    """The spectrum of features [rows, width]. Raises ValueError where they are all 0 or not finite."""
    if not np.isfinite(features).all():
        raise ValueError("LogME needs finite features")
    directions, sizes, _ = np.linalg.svd(np.asarray(features, float), full_matrices=False)
    kept = sizes > sizes.max(initial=0.0) * max(features.shape) * np.finfo(float).eps
    if not kept.any():
        raise ValueError("LogME needs features that are not all 0")
    return Spectrum(directions[:, kept], sizes[kept] ** 2)


def logme(spectrum: Spectrum, class_ids: Ids) -> float:
    """LogME of class ids [rows]: the mean over classes of the evidence of each against the rest, per row.

    You, Liu, Wang and Long, LogME: Practical Assessment of Pre-trained Models for Transfer Learning (ICML 2021).
    Greater is better; only values of the same rows compare. Classes without a row are left out. Raises ValueError for
    fewer than two classes.
    """
    present = np.unique(class_ids)
    if len(present) < 2:
        raise ValueError(f"LogME needs rows of two classes, got {len(present)}")
    return float(np.mean([evidence(spectrum, (class_ids == each).astype(float)) for each in present]))


def evidence(spectrum: Spectrum, target: Floats) -> float:
    """Greatest log marginal likelihood of a target [rows] under y = F w + noise, per row, in nats.

    w has the precision alpha and the noise beta. Their ratio is iterated to its fixed point (You et al. 2021, algorithm
    1; MacKay 1992); given the ratio, the best scale of both has a closed form. Of features with more columns than rows
    only the directions that are there count: the published program counts log alpha for the others too
    (github.com/thuml/LogME, commit 3a08950, `_fit_fixed_point`), which adds without bound. Raises ValueError for a
    target that is 0 everywhere.
    """
    rows, sizes = len(target), spectrum.eigenvalues
    shares = (spectrum.directions.T @ target) ** 2
    rest = max(float(target @ target) - float(shares.sum()), 0.0)
    if not target.any():
        raise ValueError("a target that is 0 everywhere has no evidence")
    low, high = sizes.max() / RANGE, sizes.max() * RANGE
    ratio = 1.0  # alpha / beta, where the published program starts
    for _ in range(ITERATIONS):
        before, ratio = ratio, _next(ratio, sizes, shares, rest, rows)
        ratio = float(np.clip(ratio, low, high))
        if abs(np.log(ratio / before)) < CLOSE:
            break
    scaled = float((shares / (sizes + ratio)).sum()) + rest / ratio
    determinant = float(np.log(sizes + ratio).sum()) + (rows - len(sizes)) * float(np.log(ratio))
    return float(0.5 * (np.log(rows / scaled) - determinant / rows - 1 - np.log(2 * np.pi)))


def _next(ratio: float, sizes: Floats, shares: Floats, rest: float, rows: int) -> float:
    """One step of the fixed-point iteration: alpha = gamma / |m|^2, beta = (rows - gamma) / |y - F m|^2."""
    effective = float((sizes / (sizes + ratio)).sum())  # gamma, the number of effective dimensions
    weights = float((sizes * shares / (sizes + ratio) ** 2).sum())
    residual = float((shares * (ratio / (sizes + ratio)) ** 2).sum()) + rest
    if weights == 0:
        return np.inf
    return effective * residual / (weights * (rows - effective))
