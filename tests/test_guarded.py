"""Guarded children: gone with their parent however it ends, seen when they end, killed when they do not listen."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tiny import ROOT

from flows.services.child_processes import Guarded, child_environment

HOLDER = """
import os, subprocess, sys, time
from flows.services.child_processes import Guarded, child_environment
words = ["bash", "-c", "sleep 600 & echo $! $$ >&2; wait"]
if sys.argv[1] == "guarded":
    started = Guarded.start("it", words, env=child_environment(), grace=1.0)
else:
    started = subprocess.Popen(words, start_new_session=True)
time.sleep(600)
"""


@pytest.mark.parametrize("how", ["guarded", "bare"])
def test_a_killed_holder_takes_the_whole_group_with_it(how: str) -> None:
    """The bare command is the planted fault: it outlives its holder."""
    holder = subprocess.Popen([sys.executable, "-c", HOLDER, how], stderr=subprocess.PIPE, text=True, cwd=ROOT)
    assert holder.stderr is not None
    pids = [int(word) for word in holder.stderr.readline().split()]
    try:
        assert len(pids) == 2 and all(map(alive, pids))
        holder.kill()
        holder.wait()
        assert ended(pids, 60 if how == "guarded" else 2) is (how == "guarded")
    finally:
        holder.stderr.close()
        for pid in filter(alive, pids):
            os.kill(pid, signal.SIGKILL)


def ended(pids: list[int], within: float) -> bool:
    """Whether all these processes are gone within so many seconds."""
    end = time.monotonic() + within
    while any(map(alive, pids)):
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_a_child_that_ends_is_seen_with_its_code_and_last_words(tmp_path: Path) -> None:
    code = "print('cannot go on', flush=True); raise SystemExit(7)"
    child = Guarded.start("it", [sys.executable, "-c", code], env=child_environment(), grace=1.0, log=tmp_path / "log")
    assert child.process.wait(60) == 7
    assert child.ended() == 7
    assert child.last_words() == "cannot go on"
    child.end()


def test_a_child_that_does_not_listen_is_killed(tmp_path: Path) -> None:
    code = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(600)"
    )
    child = Guarded.start("it", [sys.executable, "-c", code], env=child_environment(), grace=0.5, log=tmp_path / "log")
    end = time.monotonic() + 60
    while child.last_words() != "deaf":
        assert time.monotonic() < end
        time.sleep(0.05)
    child.end()
    assert child.ended() == 128 + signal.SIGKILL
