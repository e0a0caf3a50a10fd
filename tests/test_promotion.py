"""Which alias a version gets: thresholds, the champion's stored score, and everything that must not promote."""

import math

import pytest

from configs.schema import Register
from tasks.tracking.promotion import CANDIDATE, CHAMPION, decide

SECTION = Register(model="m", thresholds={"accuracy": 0.7}, tolerance=0.01)
CHAMPION_TAGS = {"temper.test.accuracy": "0.80"}


@pytest.mark.parametrize(
    ("accuracy", "tags", "alias"),
    [
        (0.75, None, CHAMPION),
        (0.65, None, CANDIDATE),
        (0.80, CHAMPION_TAGS, CHAMPION),
        (0.795, CHAMPION_TAGS, CHAMPION),
        (0.785, CHAMPION_TAGS, CANDIDATE),
        (0.95, {}, CANDIDATE),
        (0.95, {"temper.test.accuracy": "nan"}, CANDIDATE),
        (0.95, {"temper.test.accuracy": "?"}, CANDIDATE),
        (math.nan, None, CANDIDATE),
        (math.nan, CHAMPION_TAGS, CANDIDATE),
    ],
)
def test_decisions(accuracy: float, tags: dict[str, str] | None, alias: str) -> None:
    verdict = decide({"accuracy": accuracy, "macro_f1": 0.9}, SECTION, tags)
    assert verdict.alias == alias
    assert verdict.text.startswith("promoted" if alias == CHAMPION else "kept back")


def test_a_threshold_on_a_metric_that_is_missing_keeps_back() -> None:
    assert decide({"macro_f1": 0.9}, SECTION, None).alias == CANDIDATE
