"""Which alias a version gets: thresholds, and the champion's stored score. Fails closed."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from configs.schema import Register
from configs.scores import sign

CHAMPION, CANDIDATE = "champion", "candidate"
SCORE = "temper.test."
"""Prefix of a version's tags that keep its test metrics."""


@dataclass(frozen=True)
class Verdict:
    """The alias and why."""

    alias: str
    text: str


def decide(scores: Mapping[str, float], section: Register, champion: Mapping[str, str] | None) -> Verdict:
    """Compare test metrics with thresholds and with the champion's tags; what cannot be compared is not promoted."""
    odd = [name for name, value in scores.items() if not math.isfinite(value)]
    if odd:
        return Verdict(CANDIDATE, f"kept back: {odd[0]} is not a number")
    for name, bound in section.thresholds.items():
        if name not in scores or sign(name) * scores[name] < sign(name) * bound:
            side = "below" if sign(name) > 0 else "above"
            return Verdict(
                CANDIDATE, f"kept back: {name} {scores.get(name, math.nan):.4f} is {side} the threshold {bound}"
            )
    if section.metric not in scores:
        return Verdict(CANDIDATE, f"kept back: the test rows gave no {section.metric}")
    new = scores[section.metric]
    if champion is None:
        return Verdict(CHAMPION, f"promoted: the first champion, {section.metric} {new:.4f}")
    try:
        old = float(champion[SCORE + section.metric])
    except (KeyError, ValueError):
        return Verdict(CANDIDATE, f"kept back: the champion has no stored {section.metric}")
    if not sign(section.metric) * new >= sign(section.metric) * old - section.tolerance:
        return Verdict(CANDIDATE, f"kept back: {section.metric} {new:.4f} against the champion's {old:.4f}")
    return Verdict(CHAMPION, f"promoted: {section.metric} {new:.4f}, not worse than the champion's {old:.4f}")


def champion_tags(client: MlflowClient, name: str) -> dict[str, str] | None:
    """Tags of the current champion; None where the model has none."""
    try:
        return dict(client.get_model_version_by_alias(name, CHAMPION).tags)
    except MlflowException as error:
        if error.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
            return None
        raise
