"""The number of threads is no part of a key, but it is recorded, kept by a resumed training, and named by the plan."""

import os
import subprocess
import sys

import pytest
import torch
from tiny import ROOT, perform, recipe

from configs.threads import described_difference, expected_threads, kept_threads
from flows.plan import plan
from flows.stage_graph import perform_until
from tasks.store.events import Event


@pytest.mark.parametrize("setting", [{}, {"OMP_NUM_THREADS": "1"}, {"OMP_NUM_THREADS": "3"}, {"MKL_NUM_THREADS": "1"}])
def test_the_expected_number_is_the_one_that_torch_takes(setting: dict[str, str]) -> None:
    env = {name: value for name, value in os.environ.items() if name not in ("OMP_NUM_THREADS", "MKL_NUM_THREADS")}
    said = subprocess.run(
        [
            sys.executable,
            "-c",
            "from configs.threads import expected_threads as e; import torch; print(e(), torch.get_num_threads())",
        ],
        env=env | setting,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    assert said[0] == said[1]


def test_what_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEMPER_THREADS", "4")
    assert expected_threads() == 4
    assert described_difference("train", 4) == "" and kept_threads(4, None) == "" and kept_threads(None, 2) == ""
    said = described_difference("train", 1)
    assert said.startswith("train was made with 1 thread, and 4 would be taken here") and "TEMPER_THREADS=1" in said
    assert kept_threads(2, 8) == ", with 2 threads as it began, in place of 8"
    assert kept_threads(1, 2) == ", with 1 thread as it began, in place of 2"


def test_a_plan_names_the_number_where_it_differs_and_the_manifest_records_it(
    heard: list[Event], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = torch.get_num_threads()
    monkeypatch.setenv("TEMPER_THREADS", "1")
    try:
        made = perform_until(recipe(), "train")["train"].result.manifest()["made"]
        assert made["threads"] == 1
        assert not [note for note in plan(recipe(), ask=False)[1] if "thread" in note]
        monkeypatch.setenv("TEMPER_THREADS", "2")
        lines, notes, _ = plan(recipe(), ask=False)
        assert [note for note in notes if note.startswith("train was made with 1 thread, and 2 would be taken here")]
        assert {line["stage"]: line["status"] for line in lines}["train"] == "cached", "it is no part of the key"
        assert perform(recipe(), heard)["train"] == "cached"
    finally:
        torch.set_num_threads(before)
