"""H-score: how far apart the classes' means lie in frozen features, in units of the features' own spread."""

import numpy as np
from sklearn.covariance import ledoit_wolf

from tasks.learn.metrics import Floats, Ids


def h_score(features: Floats, class_ids: Ids, *, shrunk: bool) -> float:
    """tr(cov(f)^-1 cov(E[f | y])) of features [rows, width] and class ids [rows]; from 0 to the classes less one.

    Bao et al., An Information-Theoretic Approach to Transferability in Task Transfer Learning (ICIP 2019). With fewer
    rows than columns the covariance has no inverse, its pseudo-inverse is taken, and any labels score the most: hence
    `shrunk`, with the covariance of Ledoit and Wolf (2004), (1 - a) cov(f) + a s I, and the numerator times 1 - a
    (Ibrahim, Ponomareva and Mazumder, Newer is not always better, 2021). Raises ValueError for fewer than two classes.
    """
    present, members = np.unique(class_ids, return_counts=True)
    if len(present) < 2:
        raise ValueError(f"the H-score needs rows of two classes, got {len(present)}")
    centred = np.asarray(features, float) - features.mean(0)
    means = np.stack([centred[class_ids == each].mean(0) for each in present])
    weighted = means * np.sqrt(members / len(class_ids))[:, None]  # cov(E[f | y]) is weighted.T @ weighted
    if shrunk:
        covariance, shrinkage = ledoit_wolf(centred, assume_centered=True)
        return float((1 - shrinkage) * (weighted * _solved(covariance, weighted)).sum())
    covariance = centred.T @ centred / len(centred)
    return float((weighted * (weighted @ np.linalg.pinv(covariance, hermitian=True))).sum())


def _solved(covariance: Floats, vectors: Floats) -> Floats:
    """The inverse of a covariance [width, width] times each of vectors [number, width]; features that do not vary at
    all leave none, and score 0."""
    if not covariance.any():
        return np.zeros_like(vectors)
    return np.asarray(np.linalg.solve(covariance, vectors.T).T)
