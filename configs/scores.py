"""Names of test scores, those they had in earlier recipes and versions, and which of them are better when lower."""

from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator

RENAMED = {"slot_f1": "argument_f1", "search_exact": "call_exact"}
"""Earlier names of scores, in recipes and in the tags of registered versions -> their names."""


def present_name(score: Any) -> Any:
    """The name that a score has now; what is no earlier name stays as it is."""
    return RENAMED.get(score, score) if isinstance(score, str) else score


def present_scores(scores: Iterable[tuple[str, float]]) -> dict[str, float]:
    """Scores by the names that they have now; where both names are there, the present one counts."""
    given = dict(scores)
    return {present_name(name): given.get(present_name(name), value) for name, value in given.items()}


def refuse_both_names(thresholds: Any) -> Any:
    """Raise ValueError for a mapping that has a score under both of its names."""
    if isinstance(thresholds, dict):
        for earlier, present in RENAMED.items():
            if earlier in thresholds and present in thresholds:
                raise ValueError(f"{earlier} is the earlier name of {present}; leave it out")
    return thresholds


_Score = Literal[
    "accuracy", "macro_f1", "argument_f1", "call_exact", "call_recall", "call_precision", "end_of_turn", "reply_bleu",
    "reply_rouge_l", "exact", "bleu", "rouge_l", "rmse", "mae", "r2", "pearson", "spearman", "entity_f1",
    "entity_precision", "entity_recall", "micro_f1", "average_precision", "subset_accuracy", "reward_accuracy",
    "reward_margin", "loss", "perplexity",
]  # fmt: skip
Score = Annotated[_Score, BeforeValidator(present_name)]
SHARES: tuple[Score, ...] = ("accuracy", "macro_f1", "argument_f1", "call_exact", "call_recall", "call_precision",
                            "end_of_turn", "reply_bleu", "reply_rouge_l", "exact", "bleu", "rouge_l", "entity_f1",
                            "entity_precision", "entity_recall", "micro_f1", "average_precision", "subset_accuracy",
                            "reward_accuracy")  # fmt: skip
"""Scores that are 0 where nothing is right."""
LOWER = ("rmse", "mae", "loss", "perplexity", "log_loss", "calibration_error")
"""Scores of which less is better."""


def sign(score: str) -> int:
    """1 where more is better, -1 where less is."""
    return -1 if score in LOWER else 1


def baseline_findings(facts: Mapping[str, Any]) -> list[str]:
    """A sentence per baseline of a report that the paired test compared its model with, on the share of right rows."""
    lines = []
    for name, test in facts.get("against", {}).items():
        shown = test["p"] < 1 - facts["confidence"]
        word = (
            "not shown to differ from"
            if not shown
            else "better than"
            if test["gained"] > test["lost"]
            else "worse than"
        )
        difference = (test["gained"] - test["lost"]) / facts["rows"]
        lines.append(
            f"{word} the baseline {name}: accuracy {difference:+.4f}, {p_value(test['p'])} "
            f"({test['test']}, {test['units']:,} {'rows' if test['units'] == facts['rows'] else 'groups'})"
        )
    return lines


def p_value(p: float) -> str:
    """A p-value as it is printed."""
    return "p < 0.0001" if p < 0.0001 else f"p = {p:.4f}"


def not_better(facts: Mapping[str, Any]) -> list[str]:
    """Baselines of a report that its model does not beat on the first score shown."""
    first = next(iter(facts["shown"]), None)
    if first is None:
        return []
    own = sign(first) * facts["scores"][first]
    first_scores = {name: values[first] for name, values in facts["baselines"].items() if first in values}
    return [name for name, value in first_scores.items() if sign(first) * value >= own]
