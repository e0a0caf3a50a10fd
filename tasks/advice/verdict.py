"""The race's rounds and what its best two predicted -> the recommendation, its gain, and what would change it."""

from collections.abc import Mapping, Sequence

from tasks.learn.metrics import Floats

from .advice_document import Gain, Measures, Round
from .halving import rank
from .validation import Validation


def best_two(last: Round, *, lower: bool) -> list[str]:
    """The best candidates of a round, the recommendation first; one where the others failed."""
    return rank({result["candidate"]: result["value"] for result in last["results"]}, lower=lower)[:2]


def gain_over(
    pair: Sequence[str], epochs: int, predicted: Mapping[tuple[str, int], Floats], validation: Validation
) -> Gain | None:
    """The gain of the first of a pair over the second, on validation rows; None where there is no second."""
    if len(pair) < 2:
        return None
    estimate = validation.gain(predicted[pair[0], epochs], predicted[pair[1], epochs])
    mean = estimate.value or 0.0
    if estimate.interval is None:
        return {"over": pair[1], "mean": mean, "low": None, "high": None, "decided": False, "rows_needed": None}
    low, high = estimate.interval
    decided = low > 0  # below 0 where the recipe's loss has weights or smoothing, and the plain one ranks otherwise
    return {
        "over": pair[1],
        "mean": mean,
        "low": low,
        "high": high,
        "decided": decided,
        "rows_needed": None if decided or mean <= 0 else _needed(len(validation.truth), mean, (high - low) / 2),
    }


def _needed(rows: int, mean: float, half: float) -> int:
    """About how many rows leave 0 out of the interval at the same difference: its width shrinks with their root."""
    return int(rows * max(half / mean, 1.0) ** 2) + 1


def would_change(rounds: Sequence[Round], measures: Measures, gain: Gain | None, validation: Validation) -> list[str]:
    """Sentences on what the advice depends on, the measured ones first."""
    lower, rows = validation.objective == "loss", len(validation.truth)
    firsts = [best_two(each, lower=lower)[0] for each in rounds]
    lines = []
    if gain is not None and not gain["decided"]:
        needed = gain["rows_needed"]
        lines.append(
            f"more validation rows: about {needed:,} in place of {rows:,} would decide a difference of this size"
            if needed is not None
            else f"nothing that these {rows:,} validation rows show: {firsts[-1]} and {gain['over']} score alike there"
        )
    if len(set(firsts)) > 1:
        lines.append(
            f"more epochs: after {rounds[0]['epochs']} {firsts[0]} was first, after {rounds[-1]['epochs']} {firsts[-1]}"
        )
    head = _accuracy(rounds, "head")
    if head is not None and measures["probe"]["value"] > head:
        lines.append(
            f"another rate for the head: the linear probe reaches {measures['probe']['value']:.4f} accuracy with the "
            f"same frozen features, the head in the race {head:.4f}"
        )
    lines.append("other rates than the recipe's, or another seed: the race has one of each")
    return lines


def _accuracy(rounds: Sequence[Round], name: str) -> float | None:
    """Accuracy of a candidate in the last round that it took part in."""
    known = [result["accuracy"] for each in rounds for result in each["results"] if result["candidate"] == name]
    return known[-1] if known else None
