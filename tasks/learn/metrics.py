"""Classification metrics and their intervals, on class ids and probabilities."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

Ids = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
BINS = 10


def confusion(truth: Ids, found: Ids, classes: int) -> Ids:
    """Counts [true class, predicted class]."""
    return np.bincount(truth * classes + found, minlength=classes * classes).reshape(classes, classes)


def accuracy(counts: Ids) -> float:
    """Share of rows on the diagonal of a confusion matrix."""
    return float(np.trace(counts) / counts.sum())


def macro_f1(counts: Ids) -> float:
    """Unweighted mean of the classes' F1; a class neither present nor predicted counts 0, as in scikit-learn."""
    total = counts.sum(0) + counts.sum(1)
    return float(np.mean(2 * np.diag(counts) / np.maximum(total, 1)))


def log_loss(truth: Ids, probabilities: Floats) -> float:
    """Mean negative log-probability of the true class, in nats."""
    chosen = probabilities[np.arange(len(truth)), truth]
    return float(-np.log(np.maximum(chosen, 1e-15)).mean())


def calibration(truth: Ids, probabilities: Floats) -> tuple[float, list[tuple[float, float, int]]]:
    """Expected calibration error over ten equal bins (Guo et al. 2017), and per bin confidence, accuracy, rows."""
    confidence, right = probabilities.max(1), probabilities.argmax(1) == truth
    place = np.minimum((confidence * BINS).astype(int), BINS - 1)
    bins = [
        (float(confidence[place == b].mean()), float(right[place == b].mean()), int((place == b).sum()))
        for b in range(BINS)
        if (place == b).any()
    ]
    error = sum(abs(mean - share) * rows for mean, share, rows in bins) / len(truth)
    return float(error), bins


def bootstrap(
    truth: Ids,
    found: Ids,
    classes: int,
    *,
    metric: Callable[[Ids], float],
    resamples: int,
    confidence: float,
    seed: int,
) -> tuple[float, float]:
    """Percentile interval of a confusion-matrix metric over resampled rows (Efron 1979).

    Rows of equal truth and prediction are exchangeable, so resampling rows is a multinomial draw of the cells.
    """
    counts = confusion(truth, found, classes).ravel()
    drawn = np.random.default_rng(seed).multinomial(len(truth), counts / counts.sum(), size=resamples)
    values = [metric(cells.reshape(classes, classes)) for cells in drawn]
    low, high = np.quantile(values, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)
