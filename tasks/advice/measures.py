"""Frozen features and labels -> LogME, H-score, LEEP and a linear probe, each with what chance would give."""

import numpy as np

from ..data.errors import DataError
from ..learn.metrics import Ids
from .advice_document import Measures, Score
from .features import FrozenBody
from .h_score import h_score
from .leep import leep, leep_of_shares
from .linear_probe import linear_probe
from .logme import decompose, logme
from .validation import Validation

SHUFFLES = 5
"""Orders of the labels over which chance is averaged."""


def measure(body: FrozenBody, validation: Validation, seed: int) -> Measures:
    """All measures; the training rows decide them, the validation rows score the probe. Raises DataError where the
    training rows have one class, or features that are all 0 or not finite."""
    try:
        return _measure(body, validation, seed)
    except ValueError as error:
        raise DataError(f"the frozen features cannot be measured: {error}") from None


def _measure(body: FrozenBody, validation: Validation, seed: int) -> Measures:
    train, classes = body.train, len(body.labels)
    spectrum = decompose(train.features)
    shuffled = [np.random.default_rng([seed, at]).permutation(train.class_ids) for at in range(SHUFFLES)]
    probe = linear_probe(train.features, train.class_ids, body.validation.features, classes)
    score = validation.score(probe.probabilities, "accuracy")
    return {
        "rows": len(train.class_ids),
        "width": train.features.shape[1],
        "logme": logme(spectrum, train.class_ids),
        "logme_chance": float(np.mean([logme(spectrum, ids) for ids in shuffled])),
        "h_score": h_score(train.features, train.class_ids, shrunk=False),
        "h_score_shrunk": h_score(train.features, train.class_ids, shrunk=True),
        "h_score_chance": float(np.mean([h_score(train.features, ids, shrunk=True) for ids in shuffled])),
        "h_score_most": min(len(np.unique(train.class_ids)) - 1, train.features.shape[1]),
        "source_classes": None if body.source is None else body.source.shape[1],
        "leep": None if body.source is None else leep(body.source, train.class_ids),
        "leep_of_shares": leep_of_shares(train.class_ids),
        "probe": as_score(score.value, score.interval),
        "probe_strength": probe.strength,
        "majority": _majority(train.class_ids, body.validation.class_ids),
    }


def as_score(value: float | None, interval: tuple[float, float] | None) -> Score:
    """A value with its interval, as documents have it."""
    low, high = interval or (None, None)
    return {"value": float("nan") if value is None else value, "low": low, "high": high}


def _majority(train: Ids, validation: Ids) -> float:
    """Accuracy on validation rows [rows] of the commonest class of the training rows [rows]."""
    return float((validation == np.bincount(train).argmax()).mean())
