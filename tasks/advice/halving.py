"""Successive halving: which candidates train for how many epochs, and which go on."""

from collections.abc import Mapping, Sequence

ETA = 2
"""Of the candidates of a round one in so many goes on, with so many times the epochs."""
SHARE = 4
"""The first round has the recipe's epochs over this."""


def first_budget(total: int) -> int:
    """Epochs of the first round of a recipe that trains for `total`."""
    return max(1, total // SHARE)


def survivors(scores: Mapping[str, float | None], *, lower: bool) -> list[str]:
    """The better half of a round, best first; none where no candidate has a score.

    Jamieson and Talwalkar, Non-stochastic Best Arm Identification and Hyperparameter Optimization (AISTATS 2016).
    lower: whether less is better. Of equals the earlier goes first: candidates stand in the order of what they train.
    """
    ranked = rank(scores, lower=lower)
    return ranked[: max(1, -(-len(ranked) // ETA))]


def rank(scores: Mapping[str, float | None], *, lower: bool) -> list[str]:
    """The candidates that have a score, best first."""
    known = {name: score for name, score in scores.items() if score is not None}
    order: Sequence[str] = sorted(known, key=lambda name: known[name] if lower else -known[name])
    return list(order)
