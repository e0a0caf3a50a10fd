"""A classifier against each baseline by a paired test on its test rows, and how that is said."""

from typing import Any

import numpy as np
import pytest
from scipy.stats import binomtest

from configs.scores import baseline_findings
from tasks.kinds.classification_report import paired_test


def outcomes(both: int, gained: int, lost: int) -> tuple[Any, Any]:
    model = [True] * both + [True] * gained + [False] * lost
    return np.array(model), np.array([True] * both + [False] * gained + [True] * lost)


@pytest.mark.parametrize(("gained", "lost"), [(30, 10), (10, 30), (12, 9), (0, 0), (5, 5), (1, 0)])
def test_the_test_is_mcnemars_on_the_rows_that_only_one_has_right(gained: int, lost: int) -> None:
    found = paired_test(*outcomes(40, gained, lost), None)
    assert (found["gained"], found["lost"], found["units"]) == (gained, lost, 40 + gained + lost)
    expected = binomtest(gained, gained + lost).pvalue if gained + lost else 1.0
    assert found["p"] == pytest.approx(expected) and found["test"] == "McNemar's exact test"


def test_rows_of_one_group_are_one_unit() -> None:
    model, baseline = outcomes(0, 12, 0)
    assert paired_test(model, baseline, None)["p"] < 0.001
    grouped = paired_test(model, baseline, ["a"] * 6 + ["b"] * 6)
    assert grouped["p"] == pytest.approx(0.5) and grouped["units"] == 2 and "groups" in grouped["test"]
    assert (grouped["gained"], grouped["lost"]) == (12, 0), "rows are counted as rows"


@pytest.mark.parametrize(
    ("gained", "lost", "said"),
    [
        (60, 20, "better than the baseline tfidf: accuracy +0.3333, p < 0.0001 (McNemar's exact test, 120 rows)"),
        (20, 60, "worse than the baseline tfidf: accuracy -0.3333, p < 0.0001 (McNemar's exact test, 120 rows)"),
        (
            42,
            38,
            "not shown to differ from the baseline tfidf: accuracy +0.0333, p = 0.7376 (McNemar's exact test, 120 "
            "rows)",
        ),
    ],
)
def test_the_finding_is_said_with_its_p(gained: int, lost: int, said: str) -> None:
    facts = {"rows": 120, "confidence": 0.95, "against": {"tfidf": paired_test(*outcomes(40, gained, lost), None)}}
    assert baseline_findings(facts) == [said]


def test_a_report_from_before_there_was_a_test_says_nothing() -> None:
    assert baseline_findings({"rows": 120, "confidence": 0.95}) == []
