"""Classification metrics and their intervals, on class ids and probabilities."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Ids = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
BINS = 10
BLOCK = 2**22
"""Cells drawn at once."""


@dataclass(frozen=True)
class Confusion:
    """The cells of a confusion matrix that have rows, in its order: true class ids [cells], predicted ones [cells] and
    rows [cells]. There are no more cells than rows, so thousands of classes need no square of them."""

    true: Ids
    predicted: Ids
    rows: Ids
    classes: int

    def sums(self, rows: Ids | None = None) -> tuple[Ids, Ids, Ids]:
        """Rows rightly predicted, true and predicted of each class, each [classes]; `rows`: others than its own."""
        counts = self.rows if rows is None else rows
        right = self.true == self.predicted
        return (
            _count(self.true[right], counts[right], self.classes),
            _count(self.true, counts, self.classes),
            _count(self.predicted, counts, self.classes),
        )

    def table(self, chosen: Sequence[int] | None = None) -> Ids:
        """Counts [true class, predicted class], of all classes or of some."""
        place = np.full(self.classes, -1)
        place[range(self.classes) if chosen is None else chosen] = range(
            self.classes if chosen is None else len(chosen)
        )
        size = int(place.max()) + 1
        counts = np.zeros((size, size), np.int64)
        true, predicted = place[self.true], place[self.predicted]
        kept = (true >= 0) & (predicted >= 0)
        counts[true[kept], predicted[kept]] = self.rows[kept]
        return counts

    def worst(self, count: int) -> list[int]:
        """The ids of the classes with the most mistakes (as truth and as prediction), ascending."""
        right, true, predicted = self.sums()
        return sorted(np.argsort(-(true + predicted - 2 * right), kind="stable")[:count].tolist())


def _count(ids: Ids, rows: Ids, classes: int) -> Ids:
    return np.bincount(ids, rows, classes).astype(np.int64)


def confusion(truth: Ids, predicted: Ids, classes: int) -> Confusion:
    """The confusion of class ids [rows]."""
    cells, rows = np.unique(truth * classes + predicted, return_counts=True)
    return Confusion(*np.divmod(cells, classes), rows.astype(np.int64), classes)


def accuracy(right: Ids, true: Ids, predicted: Ids) -> float:
    """Share of rows rightly predicted, of counts by class."""
    return float(right.sum() / true.sum())


def macro_f1(right: Ids, true: Ids, predicted: Ids) -> float:
    """Unweighted mean of the classes' F1; a class neither present nor predicted counts 0, as in scikit-learn."""
    return float(np.mean(class_f1(right, true, predicted)))


def class_f1(right: Ids, true: Ids, predicted: Ids) -> Floats:
    """F1 of each class [classes]."""
    return np.asarray(2 * right / np.maximum(predicted + true, 1))


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
    counts: Confusion, metric: Callable[[Ids, Ids, Ids], float], *, resamples: int, confidence: float, seed: int
) -> tuple[float, float]:
    """Percentile interval of a metric of counts by class over resampled rows (Efron 1979).

    Rows of equal truth and prediction are exchangeable, so resampling rows is a multinomial draw of the cells: of those
    that have rows, in blocks, so that memory follows the rows and not the square of the classes.
    """
    rows, draw, values = int(counts.rows.sum()), np.random.default_rng(seed), []
    last = counts.classes - 1  # the draw gives the last cell of the matrix what is left, so it is there even if empty
    ends = len(counts.rows) and counts.true[-1] == counts.predicted[-1] == last
    shares = counts.rows / rows if ends else np.append(counts.rows, 0) / rows
    size = max(1, BLOCK // len(shares))
    for start in range(0, resamples, size):
        drawn = draw.multinomial(rows, shares, size=min(size, resamples - start))
        values += [metric(*counts.sums(cells)) for cells in drawn[:, : len(counts.rows)]]
    low, high = np.quantile(values, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)


def majority(train_labels: Ids, test_rows: int) -> Ids:
    """The commonest training class for every test row (the smallest class id on a tie): the baseline."""
    return np.full(test_rows, np.bincount(train_labels).argmax(), np.int64)
