"""Which alias a version gets: thresholds, the evidence against the champion, and everything that must not promote."""

import json
import math
from dataclasses import replace
from typing import Any

import pytest
from pydantic import ValidationError
from tiny import recipe

from configs.load import RecipeError
from configs.schema import Register
from tasks.learn.champion_test import Contest, Finding, Slice
from tasks.learn.paired import Interval
from tasks.tracking.decisions import Entry, succession
from tasks.tracking.promotion import CANDIDATE, CHAMPION, Evidence, decide

SECTION = Register(model="m", thresholds={"accuracy": 0.7})
SCORES = {"accuracy": 0.8, "macro_f1": 0.9}


def fought(finding: Finding, challenger: float = 0.8, more: int | None = None) -> Contest:
    return Contest(challenger, 0.75, Interval(0.05, 0.01, 0.09), 0.004, "McNemar, exact", 400, 400, finding, more)


def against(finding: Finding, **further: Any) -> Evidence:
    return Evidence("3", "its own test of the same rows", None, fought(finding), **further)


@pytest.mark.parametrize(
    ("scores", "decided", "said"),
    [
        (SCORES, "promoted", "the first champion, accuracy 0.8000"),
        ({"accuracy": 0.65}, "kept", "below the threshold 0.7"),
        ({"accuracy": math.nan}, "kept", "accuracy is not a number"),
        ({"accuracy": 0.9, "macro_f1": math.inf}, "kept", "macro_f1 is not a number"),
        ({"macro_f1": 0.9}, "kept", "accuracy nan is below the threshold"),
    ],
)
def test_without_a_champion_the_thresholds_decide(scores: dict[str, float], decided: str, said: str) -> None:
    verdict = decide(scores, SECTION, None)
    assert verdict.decided == decided and said in verdict.text
    assert verdict.alias == (CHAMPION if decided == "promoted" else CANDIDATE)


@pytest.mark.parametrize(
    ("finding", "decided"), [("better", "promoted"), ("worse", "kept"), ("undecided", "undecided")]
)
def test_the_paired_test_decides(finding: Finding, decided: str) -> None:
    verdict = decide(SCORES, SECTION, against(finding, changed={"fixed": 30, "broken": 10}))
    assert verdict.decided == decided
    assert "accuracy 0.8000 against 0.7500 of version 3 on 400 rows" in verdict.text
    assert "30 rows fixed, 10 broken" in verdict.text and "p = 0.0040" in verdict.text


def test_what_is_not_worse_needs_the_rule_that_asks_for_it() -> None:
    assert decide(SCORES, SECTION, against("not worse")).decided == "undecided"
    lenient = replace(SECTION, rule="not_worse", tolerance=0.02)
    assert decide(SCORES, lenient, against("not worse")).text.startswith("promoted: not worse by more than 0.02: ")


def test_undecided_says_how_many_rows_are_needed() -> None:
    evidence = replace(against("undecided"), contest=fought("undecided", more=1200))
    assert decide(SCORES, SECTION, evidence).text.startswith("undecided (about 1,200 more test rows needed): ")


def test_thresholds_hold_for_a_better_model_too() -> None:
    strict = Register(model="m", thresholds={"accuracy": 0.9})
    assert decide(SCORES, strict, against("better")).text == "kept: accuracy 0.8000 is below the threshold 0.9"


@pytest.mark.parametrize(
    "evidence",
    [
        Evidence("3", "", "it was trained or chosen on 7 of the test rows"),
        Evidence("3"),
        replace(against("better"), contest=None),
        replace(against("better"), contest=fought("better", challenger=0.81)),
    ],
    ids=["obstacle", "nothing known", "no contest", "another score than the report's"],
)
def test_what_cannot_be_compared_is_undecided(evidence: Evidence) -> None:
    verdict = decide(SCORES, SECTION, evidence)
    assert (verdict.decided, verdict.alias) == ("undecided", CANDIDATE)


def test_a_regressing_slice_keeps_a_better_model_back() -> None:
    slices = (
        Slice("area", "north", 300, fought("better")),
        Slice("area", "south", 90, fought("worse")),
        Slice("area", "west", 3, None),
    )
    verdict = decide(SCORES, SECTION, against("better", slices=slices))
    assert verdict.decided == "kept" and "worse where area is south (0.8000 against 0.7500, 90 rows)" in verdict.text
    assert decide(SCORES, SECTION, against("better", slices=slices[::2])).decided == "promoted"


def test_the_evidence_is_json() -> None:
    found = against("better", slices=(Slice("area", "south", 90, fought("worse")),)).record()
    assert json.loads(json.dumps(found)) == found
    assert (found["contest"]["difference"]["low"], found["slices"][0]["contest"]["finding"]) == (0.01, "worse")


def test_a_rule_and_its_tolerance_go_together() -> None:
    with pytest.raises(ValidationError, match="rule better reads no tolerance"):
        Register(model="m", tolerance=0.01)
    with pytest.raises(ValidationError, match="needs a tolerance above 0"):
        Register(model="m", rule="not_worse")
    with pytest.raises(RecipeError, match=r"register\.slices has 'area', but the rows keep label, group"):
        recipe("register.slices={area: 30}")
    assert recipe("register.slices={label: 30}").register.slices == {"label": 30}


def moves(*steps: str) -> list[Entry]:
    """A log of `action before after` lines; `-` is none."""
    found = []
    for number, step in enumerate(steps):
        action, *ends = step.split()
        before, after = (None if end == "-" else end for end in ends)
        found.append(Entry(action, str(after), before, after, "", "", "me", str(number)))  # type: ignore[arg-type]
    return found


@pytest.mark.parametrize(
    ("log", "current", "expected"),
    [
        ([], None, []),
        (["register - 1", "register 1 1", "register 1 2"], "2", ["1", "2"]),
        (["register - 1", "register 1 2", "rollback 2 1"], "1", ["1"]),
        (["register - 1", "register 1 2", "promote 2 1", "rollback 1 2"], "2", ["1", "2"]),
        (["register - 1", "register 1 2", "register 2 3", "rollback 3 2", "rollback 2 1"], "1", ["1"]),
        (["register - 1"], "4", ["1", "4"]),
        (["register - 1", "register 4 5"], "5", ["1", "4", "5"]),
        (["register - 1", "register 1 2", "register 2 3", "rollback 3 1"], "1", ["1"]),
    ],
    ids=[
        "none",
        "kept in between",
        "taken back",
        "by hand and back",
        "twice back",
        "moved in MLflow",
        "moved in MLflow before",
        "over a deleted one",
    ],
)
def test_the_succession_follows_the_log(log: list[str], current: str | None, expected: list[str]) -> None:
    assert succession(moves(*log), current) == expected
