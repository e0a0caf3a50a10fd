"""Log-probabilities of chosen and rejected replies -> how often, and by how much, a model prefers the chosen ones."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...learn.metrics import Floats
from ...learn.resampling import Metric, Resampling, estimate, ratio


@dataclass(frozen=True)
class Compared:
    """By how much the log-probability of the chosen reply is above that of the rejected one: of the model, and of its
    reference [pairs]; and the constants of the loss, a number or [pairs]."""

    log_ratio: Floats
    reference_log_ratio: Floats
    beta: Any
    smoothing: Any = 0.0

    @property
    def margin(self) -> Floats:
        """The chosen reply's reward less the rejected one's."""
        return np.asarray(self.beta * (self.log_ratio - self.reference_log_ratio), np.float64)


def pair_statistics(pairs: Compared, score: str) -> tuple[list[Any], Metric]:
    """What a score is a mean of: columns [pairs], and the metric of their sums.

    reward_accuracy: share of pairs with a margin above 0. reward_margin: the mean margin. loss: the mean loss of
    training.
    """
    margin, smoothing = pairs.margin, pairs.smoothing
    loss = (1 - smoothing) * np.logaddexp(0, -margin) + smoothing * np.logaddexp(0, margin)
    columns: Mapping[str, Any] = {"reward_accuracy": margin > 0, "reward_margin": margin, "loss": loss}
    return [np.asarray(columns[score], float), np.ones(len(margin))], ratio


def score_pairs(pairs: Compared, how: Resampling) -> dict[str, Any]:
    """Each score with its interval over pairs."""
    facts: dict[str, Any] = {}
    for score in ("reward_accuracy", "reward_margin", "loss"):
        facts |= estimate(*pair_statistics(pairs, score), how).facts(score)
    return facts
