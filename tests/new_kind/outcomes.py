"""Predicted classes as a paired test compares them."""

from ..class_outcomes import ANSWER, KEYS, TRUTH, quality, statistics

__all__ = ["ANSWER", "KEYS", "TRUTH", "quality", "statistics"]
