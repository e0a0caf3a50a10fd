"""Probabilities of unlabelled rows -> the labels that are taken as theirs, and why the others are not."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypedDict

import numpy as np
import numpy.typing as npt

from .shares import share_interval

UNSURE, DIFFERENT, BEYOND = "not confident", "the teachers differ", "beyond the balance"


@dataclass(frozen=True)
class Chosen:
    """Per row the number of its likeliest label, that one's probability, and why it is not taken; "" where it is."""

    labels: npt.NDArray[np.int64]
    confidence: npt.NDArray[np.float64]
    reasons: npt.NDArray[np.object_]


class Precision(TypedDict):
    """Of rows that were taken and whose label is known: how many, how many are right, their share and its 95 % interval
    (Clopper and Pearson 1934)."""

    known: int
    right: int
    share: float
    low: float
    high: float


def choose(probabilities: npt.NDArray[np.float64], least: Sequence[float], *, agree: bool, balance: bool) -> Chosen:
    """Take the likeliest label by the mean of the teachers where it is at least as probable as its entry in `least`
    (Lee 2013); probabilities: [teachers, rows, labels].

    agree: only where it is every teacher's likeliest. balance: of each label as many as of the one with the fewest, the
    most probable first.
    """
    mean = probabilities.mean(0)
    labels = mean.argmax(1) if len(mean) else np.empty(0, np.int64)
    confidence = mean[np.arange(len(mean)), labels]
    reasons = np.full(len(mean), "", object)
    reasons[~(confidence >= np.asarray(least)[labels])] = UNSURE  # what is no number too
    if agree:
        reasons[(probabilities.argmax(2) != labels).any(0)] = DIFFERENT
    if balance:
        taken = [np.flatnonzero((reasons == "") & (labels == label)) for label in range(mean.shape[1])]
        fewest = min(map(len, taken))
        for rows in taken:
            surest = rows[np.argsort(-confidence[rows], kind="stable")]
            reasons[surest[fewest:]] = BEYOND
    return Chosen(labels, confidence, reasons)


def precision(right: npt.NDArray[np.bool_]) -> Precision:
    """Of rows whose label is known, at least one: how many were given theirs."""
    known, count = len(right), int(right.sum())
    low, high = share_interval(count, known)
    return {"known": known, "right": count, "share": count / known, "low": low, "high": high}
