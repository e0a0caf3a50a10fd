"""Predictions for pairs of texts in both orders -> how much the order of the two texts matters."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..data.pairs import TextPair
from ..learn.metrics import Floats
from ..learn.resampling import Measures, Resampling, estimate, ratio


def swap(pairs: Sequence[Any]) -> list[TextPair]:
    """Each pair with its second text first."""
    return [TextPair(text=pair["text_pair"], text_pair=pair["text"]) for pair in pairs]


def number_symmetry(predicted: Floats, swapped: Floats, how: Resampling) -> Measures:
    """Of numbers [rows] the mean and the largest absolute difference between both orders, in the target's unit."""
    apart = np.abs(predicted - swapped)
    return {**_mean("mean_difference", apart, how), "largest_difference": float(apart.max(initial=0.0))}


def class_symmetry(predicted: Floats, swapped: Floats, how: Resampling) -> Measures:
    """Of probabilities [rows, classes] the share of rows with the same label in both orders, and the mean and largest
    total variation between both."""
    same = (predicted.argmax(1) == swapped.argmax(1)).astype(float)
    apart = np.abs(predicted - swapped).sum(1) / 2
    return {
        **_mean("same_label", same, how),
        **_mean("mean_difference", apart, how),
        "largest_difference": float(apart.max(initial=0.0)),
    }


def _mean(name: str, values: Floats, how: Resampling) -> Measures:
    return estimate([values, np.ones(len(values))], ratio, how).facts(name)


def describe_symmetry(facts: Mapping[str, Any]) -> list[str]:
    """What a report has of it: a line, or none where the recipe does not ask."""
    known = facts.get("order_symmetry")
    if known is None:
        return []
    parts = []
    for name, words in (
        ("same_label", "the same label in {:.4f} of the rows"),
        ("mean_difference", "a mean difference of {:.4f}"),
    ):
        if known.get(name) is not None:
            low, high = known[f"{name}_interval"] or (known[name], known[name])
            parts.append(f"{words.format(known[name])} [{low:.4f}, {high:.4f}]")
    return [f"with both texts in the other order {', '.join(parts)}, the largest {known['largest_difference']:.4f}"]
