"""F6: the lock dies with its holder, whatever the file says, and a waiter goes on at once."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tasks.store.lock import locked

HOLD = """
import subprocess, sys, time
from pathlib import Path
from tasks.store.lock import locked
with locked(Path(sys.argv[1])):
    child = subprocess.Popen(["sleep", "60"]) if "--child" in sys.argv else None
    print(child.pid if child else 0, flush=True)
    time.sleep(60)
"""


@contextmanager
def holder(path: Path, *options: str) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """Another process that holds the lock, and the process that it started (or 0)."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path), *options], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        child = int(process.stdout.readline())
        try:
            yield process, child
        finally:
            process.kill()
            if child:
                os.kill(child, signal.SIGKILL)


def take(path: Path, seen: list[tuple[str, float]]) -> threading.Thread:
    """Take the lock in a thread; `seen` tells when it waited and when it got it."""

    def work() -> None:
        with locked(path, waiting=lambda: seen.append(("waiting", time.monotonic()))):
            seen.append(("held", time.monotonic()))

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread


def until(seen: list[tuple[str, float]], count: int) -> None:
    end = time.monotonic() + 20
    while len(seen) < count and time.monotonic() < end:
        time.sleep(0.005)
    assert len(seen) >= count, seen


@pytest.mark.parametrize("options", [(), ("--child",)])
def test_a_killed_holder_frees_the_lock_at_once(tmp_path: Path, options: tuple[str, ...]) -> None:
    """Even where a process that the holder started lives on (MLflow's, a data loader's)."""
    path, seen = tmp_path / "made" / "k.lock", []
    with holder(path, *options) as (process, child):
        thread = take(path, seen)
        until(seen, 1)
        time.sleep(0.3)
        assert [what for what, _ in seen] == ["waiting"], "said once, while somebody else holds it"
        process.send_signal(signal.SIGKILL)
        killed = time.monotonic()
        thread.join(10)
        assert [what for what, _ in seen] == ["waiting", "held"]
        assert seen[1][1] - killed < 2.0
        if child:
            os.kill(child, 0)  # still there
    assert process.returncode == -signal.SIGKILL


def test_a_free_lock_is_taken_without_a_word(tmp_path: Path) -> None:
    seen: list[tuple[str, float]] = []
    take(tmp_path / "deep" / "down" / "k.lock", seen).join(10)
    assert [what for what, _ in seen] == ["held"]


@pytest.mark.parametrize("content", [b"", b"garbage \xff\0\n", b'{"pid": 1}', b"%d" % os.getppid(), b"x" * 2**20])
def test_the_content_of_the_file_means_nothing(tmp_path: Path, content: bytes) -> None:
    path, seen = tmp_path / "k.lock", []
    path.write_bytes(content)
    for _ in range(2):
        take(path, seen).join(10)
    assert [what for what, _ in seen] == ["held", "held"]
    assert path.read_bytes() == content


def test_a_file_that_a_killed_holder_left_is_no_lock(tmp_path: Path) -> None:
    path, seen = tmp_path / "k.lock", []
    with holder(path) as (process, _):
        process.kill()
        process.wait()
        assert path.exists()
        take(path, seen).join(10)
    assert [what for what, _ in seen] == ["held"]


def test_an_error_frees_the_lock(tmp_path: Path) -> None:
    path, seen = tmp_path / "k.lock", []
    with pytest.raises(KeyError), locked(path):
        raise KeyError
    take(path, seen).join(10)
    assert [what for what, _ in seen] == ["held"]


def test_one_at_a_time(tmp_path: Path) -> None:
    """Sixteen threads that read, pause and write lose no count; without the lock they do."""
    path, counter = tmp_path / "k.lock", tmp_path / "counter"

    def count(guarded: bool) -> None:
        for _ in range(4):
            with locked(path if guarded else tmp_path / f"{threading.get_ident()}.lock"):
                value = int(counter.read_text() or 0)
                time.sleep(0.001)
                counter.write_text(str(value + 1))

    results = []
    for guarded in (True, False):
        counter.write_text("0")
        threads = [threading.Thread(target=count, args=(guarded,)) for _ in range(16 if guarded else 2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        results.append(int(counter.read_text() or 0))
    assert results[0] == 64
    assert results[1] < 8, "the check does not see a missing lock"


def test_two_keys_do_not_wait_for_one_another(tmp_path: Path) -> None:
    seen: list[tuple[str, float]] = []
    with holder(tmp_path / "one.lock"):
        take(tmp_path / "other.lock", seen).join(10)
    assert [what for what, _ in seen] == ["held"]
