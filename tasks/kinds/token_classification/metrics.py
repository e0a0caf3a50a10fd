"""True and predicted entities of sentences -> F1, precision and recall, micro-averaged and per type, with intervals.

A predicted entity is right where a true one has the same boundaries and the same type; nothing else counts in part
(nervaluate's `strict`).
"""

from collections.abc import Iterable, Sequence
from typing import TypedDict

import numpy as np

from ...data.tags.schemes import Entity
from ...learn.metrics import Floats
from ...learn.resampling import Measures, Resampling, divide, estimate

SCORES = ("entity_f1", "entity_precision", "entity_recall")
Sentences = Sequence[Iterable[Entity]]


class TypeScores(TypedDict):
    """F1 of the entities of one type, and how many were predicted rightly, are there, and were predicted."""

    f1: float | None
    f1_interval: tuple[float, float] | None
    right: int
    true: int
    predicted: int


def count_entities(true: Sentences, predicted: Sentences, label: str | None = None) -> list[Floats]:
    """Entities found rightly, true ones, and found ones of each sentence, each [sentences]; of one type or of all."""
    counts = []
    for here, there in zip(true, predicted, strict=True):
        due, given = ({entity for entity in side if label in (None, entity.label)} for side in (here, there))
        counts.append((len(due & given), len(due), len(given)))
    return list(np.array(counts, float).reshape(-1, 3).T)


def f1(sums: Floats) -> Floats:
    """2 right / (true + found), of sums [..., 3]; NaN where there is neither."""
    return divide(2 * sums[..., 0], sums[..., 1] + sums[..., 2])


def precision(sums: Floats) -> Floats:
    """right / found, of sums [..., 3]; NaN where none is found."""
    return divide(sums[..., 0], sums[..., 2])


def recall(sums: Floats) -> Floats:
    """right / true, of sums [..., 3]; NaN where there is none."""
    return divide(sums[..., 0], sums[..., 1])


METRICS = dict(zip(SCORES, (f1, precision, recall), strict=True))


def score_entities(true: Sentences, predicted: Sentences, how: Resampling) -> Measures:
    """The scores of all types together, with intervals over sentences; None where one is undefined."""
    counts = count_entities(true, predicted)
    scores: Measures = {}
    for name, metric in METRICS.items():
        scores |= estimate(counts, metric, how).facts(name)
    return scores


def score_types(true: Sentences, predicted: Sentences, how: Resampling) -> dict[str, TypeScores]:
    """Per type that is true or found somewhere its scores, with an interval of F1, and how many are true and found."""
    types = sorted({entity.label for side in (true, predicted) for row in side for entity in row})
    scores: dict[str, TypeScores] = {}
    for label in types:
        counts = count_entities(true, predicted, label)
        right, due, given = (int(count.sum()) for count in counts)
        measured = estimate(counts, f1, how)
        scores[label] = {
            "f1": measured.value,
            "f1_interval": measured.interval,
            "right": right,
            "true": due,
            "predicted": given,
        }
    return scores
