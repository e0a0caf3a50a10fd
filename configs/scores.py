"""Names of test scores, and which of them are better when lower."""

from collections.abc import Mapping
from typing import Any, Literal

Score = Literal[
    "accuracy", "macro_f1", "slot_f1", "search_exact", "call_recall", "call_precision", "end_of_turn", "reply_bleu",
    "reply_rouge_l", "exact", "bleu", "rouge_l", "rmse", "mae", "r2", "spearman", "loss", "perplexity",
]  # fmt: skip
SHARES: tuple[Score, ...] = ("accuracy", "macro_f1", "slot_f1", "search_exact", "call_recall", "call_precision",
                            "end_of_turn", "reply_bleu", "reply_rouge_l", "exact", "bleu", "rouge_l")  # fmt: skip
"""Scores that are 0 where nothing is right."""
LOWER = ("rmse", "mae", "loss", "perplexity", "log_loss", "calibration_error")
"""Scores of which less is better."""


def sign(score: str) -> int:
    """1 where more is better, -1 where less is."""
    return -1 if score in LOWER else 1


def not_better(facts: Mapping[str, Any]) -> list[str]:
    """Baselines of a report that its model does not beat on the first score shown."""
    first = next(iter(facts["shown"]), None)
    if first is None:
        return []
    own = sign(first) * facts["scores"][first]
    beside = {name: values[first] for name, values in facts["baselines"].items() if first in values}
    return [name for name, value in beside.items() if sign(first) * value >= own]
