"""Which alias a version gets: its test scores, thresholds and the evidence against the champion. Fails closed."""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, is_dataclass
from typing import TYPE_CHECKING, Any, Literal

from configs.schema import Register
from configs.scores import SHARES, sign

from ..documents import Changed
from .wire_format import CANDIDATE, CHAMPION

if TYPE_CHECKING:  # scipy is not loaded to look a version up
    from ..learn.champion_test import Contest, Slice

Decided = Literal["promoted", "kept", "undecided"]


@dataclass(frozen=True)
class Evidence:
    """What is known of a challenger against the champion, scored on the same test rows.

    champion: its version. source: where its predictions are from. obstacle: why the two cannot be compared, where they
    cannot. changed: rows fixed and broken, with examples (see kinds/outcomes.py).
    """

    champion: str
    source: str = ""
    obstacle: str | None = None
    contest: "Contest | None" = None
    slices: "tuple[Slice, ...]" = ()
    changed: Changed | None = None

    def record(self) -> Mapping[str, object]:
        """As JSON."""
        values: Mapping[str, object] = json.loads(json.dumps(self, default=_plain, ensure_ascii=False))
        return values


@dataclass(frozen=True)
class Verdict:
    """What was decided and why; more: about how many further test rows would decide."""

    decided: Decided
    reason: str
    more: int | None = None

    @property
    def alias(self) -> str:
        """The alias that the version gets."""
        return CHAMPION if self.decided == "promoted" else CANDIDATE

    @property
    def text(self) -> str:
        """In one line."""
        more = f" (about {self.more:,} more test rows needed)" if self.more else ""
        return f"{self.decided}{more}: {self.reason}"


def refuse(scores: Mapping[str, float], section: Register) -> Verdict | None:
    """A verdict that needs no champion: scores that are no numbers or missing, and thresholds; None where all hold."""
    odd = [name for name, value in scores.items() if not math.isfinite(value)]
    if odd:
        return Verdict("kept", f"{odd[0]} is not a number")
    for name, bound in section.thresholds.items():
        if name not in scores or not sign(name) * scores[name] >= sign(name) * bound:
            side = "below" if sign(name) > 0 else "above"
            return Verdict("kept", f"{name} {scores.get(name, math.nan):.4f} is {side} the threshold {bound}")
    if section.metric not in scores:
        return Verdict("kept", f"the test rows gave no {section.metric}")
    return None


def decide(
    scores: Mapping[str, float],
    section: Register,
    evidence: Evidence | None,
    baselines: Mapping[str, Mapping[str, float]] | None = None,
) -> Verdict:
    """The verdict on a challenger; `evidence` is None where the model has no champion yet; baselines: their scores."""
    refused = refuse(scores, section)
    if refused is not None:
        return refused
    if evidence is None:
        return Verdict("promoted", _first(section, scores[section.metric], baselines or {}))
    return decide_against(scores, section, evidence)


def decide_against(scores: Mapping[str, float], section: Register, evidence: Evidence) -> Verdict:
    """The verdict of the comparison with a champion, on a challenger that `refuse` lets pass."""
    if evidence.obstacle is not None or evidence.contest is None:
        why = evidence.obstacle or "nothing is known of the champion"
        return Verdict("undecided", f"not comparable with version {evidence.champion}: {why}")
    fought, summary = evidence.contest, _summary(section.metric, evidence)
    if not math.isclose(fought.challenger, scores[section.metric], rel_tol=1e-6, abs_tol=1e-9):
        return Verdict(
            "undecided",
            f"the predictions give {section.metric} {fought.challenger:.4f}, the report "
            f"{scores[section.metric]:.4f}; run again with --verify",
        )
    if fought.finding == "worse":
        return Verdict("kept", f"worse: {summary}")
    if regressed := [each for each in evidence.slices if each.regressed]:
        return Verdict("kept", f"worse where {_slices(regressed)}; in all {summary}")
    if fought.finding == "undecided":
        return Verdict("undecided", summary, fought.more)
    if fought.finding == "better" or section.rule == "not_worse":
        by = f" by more than {section.tolerance:g}" if fought.finding == "not worse" else ""
        return Verdict("promoted", f"{fought.finding}{by}: {summary}")
    return Verdict("undecided", f"the rule better does not decide for {fought.finding!r}: {summary}")


def _first(section: Register, score: float, baselines: Mapping[str, Mapping[str, float]]) -> str:
    """What a first champion is: its score, and plainly where that is nothing or what a baseline has too."""
    metric = section.metric
    beaten = [
        f"{name} ({values[metric]:.4f})"
        for name, values in baselines.items()
        if metric in values and sign(metric) * values[metric] >= sign(metric) * score
    ]
    faults = ["it predicts nothing right"] if metric in SHARES and score <= 0 else []
    faults += [f"it is not better than the baseline {' and '.join(beaten)}"] if beaten else []
    verb = "change" if metric in section.thresholds else "set"
    fix = f"; {verb} register.thresholds.{metric} to refuse such a model" if faults else ""
    return f"the first champion, {metric} {score:.4f}{': ' if faults else ''}{', and '.join(faults)}{fix}"


def _summary(metric: str, evidence: Evidence) -> str:
    """The contest in a line."""
    fought = evidence.contest
    assert fought is not None
    difference = fought.difference
    p = "" if fought.p is None else ", p < 0.0001" if fought.p < 1e-4 else f", p = {fought.p:.4f}"
    rows = (
        ""
        if evidence.changed is None
        else (f"; {evidence.changed['fixed']:,} rows fixed, {evidence.changed['broken']:,} broken")
    )
    if evidence.changed is not None and (unknown := evidence.changed.get("unknown")):
        rows += f"; every fixed row is of a class that version {evidence.champion} never knew ({', '.join(unknown)})"
    return (
        f"{metric} {fought.challenger:.4f} against {fought.champion:.4f} of version {evidence.champion} on "
        f"{fought.rows:,} rows ({fought.test}: better by {difference.mean:+.4f} [{difference.low:+.4f}, "
        f"{difference.high:+.4f}]{p}){rows}"
    )


def _slices(regressed: "list[Slice]") -> str:
    descriptions = []
    for part in regressed:
        assert part.contest is not None
        value = "missing" if part.value is None else repr(part.value) if part.value == "missing" else part.value
        descriptions.append(
            f"{part.column} is {value} ({part.contest.challenger:.4f} against {part.contest.champion:.4f}, "
            f"{part.rows} rows)"
        )
    return ", ".join(descriptions)


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    return value.item() if hasattr(value, "item") else str(value)
