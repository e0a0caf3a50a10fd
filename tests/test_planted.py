"""Planted faults through download, validate and clean: the share found and the false alarms, on the embedded reviews.

`python tests/bench_faults.py DATA` prints the same for the public sets; the tables are in BENCHMARKS.md.
"""

from pathlib import Path

import pytest
from bench_faults import clean_set, dropped, findings

PARTLY = {
    "near duplicates, letters edited: 1": 0.8,
    "near duplicates, letters edited: 2": 0.6,
    "near duplicates, letters edited: 4": 0.2,
    "near duplicates, letters edited: 8": 0.1,
    "label map permuted in test": 0.0,
}
"""Short texts are other texts once some letters differ; 670 reviews teach too little words for what labels mean."""


@pytest.mark.faults
def test_planted_faults_are_found_and_nothing_else(capsys: pytest.CaptureFixture[str]) -> None:
    found = {one.fault: one for one in findings("reviews", Path())}
    with capsys.disabled():
        print(
            "", *(f"{one.fault}: {one.found} of {one.planted}, {one.others} others" for one in found.values()), sep="\n"
        )
    assert {name: one.others for name, one in found.items() if one.others} == {}
    shares = {name: one.found / one.planted for name, one in found.items()}
    assert {name: share for name, share in shares.items() if share < PARTLY.get(name, 1.0)} == {}
    assert len(found) == 30 and min(one.planted for one in found.values()) > 0


def test_what_is_not_found_and_what_is_named_without_cause_is_counted() -> None:
    """The counting itself, on a step that finds nothing and on one that names rows that nobody planted."""
    clean = clean_set("reviews", Path())
    assert dropped(clean, ["whitespace"], "duplicate") == set()
    assert len(dropped(clean, [{"kind": "length", "min": 60}], "too short")) > 50
