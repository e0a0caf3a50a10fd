"""A store behind the store: what one home makes another is served, and what a remote does wrong costs only time."""

import json
import os
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from test_cached import DRAW, RAN, Drawn

from configs.settings import settings
from tasks.artifact import Artifact, StageError, content_digest, seal
from tasks.store import disk, lease, reading, remote, shared
from tasks.store.deadline import each, within
from tasks.store.events import listeners

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(autouse=True)
def behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A shared folder, and nothing remembered of remotes that failed in other tests."""
    monkeypatch.setenv("TEMPER_REMOTE", f"file://{tmp_path}/a shared folder")
    monkeypatch.setattr(lease, "POLL", 0.02)
    monkeypatch.setattr(lease, "DEAD", 0.5)  # of a lease whose holder lost the remote
    RAN.clear()
    shared._GONE.clear()
    return tmp_path / "a shared folder"


@pytest.fixture
def notes() -> Iterator[list[str]]:
    """What the stages report."""
    texts: list[str] = []
    with listeners(lambda event: texts.append(event.text) if event.text else None):
        yield texts


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Go on with an empty home, as another machine would."""
    homes = iter(range(100))

    def move() -> None:
        reading.release()
        home = tmp_path / f"home {next(homes)}"
        home.mkdir()
        monkeypatch.setenv("TEMPER_HOME", str(home))

    return move


def draw(section: Drawn | None = None) -> Artifact:
    return DRAW.run_or_load(section or Drawn(), {}).result


def objects(folder: Path) -> list[Path]:
    return sorted((folder / "objects").iterdir())


def test_what_one_home_makes_another_is_served(behind: Path, elsewhere: Any, notes: list[str]) -> None:
    made = draw()
    files = {path.name: path.read_bytes() for path in made.path.rglob("*.txt")}
    elsewhere()
    outcome = DRAW.run_or_load(Drawn(), {})
    served = outcome.result
    assert RAN == ["draw"] and outcome.status == "cached" and served.digest == made.digest
    assert {path.name: path.read_bytes() for path in served.path.rglob("*.txt")} == files
    assert served.manifest()["made"] == json.loads((behind / f"artifacts/draw/{made.key}.json").read_text())["made"]
    text = " ".join(notes)
    assert "stored in file://" in text and "brought from file://" in text and "3 files, 0.0 MiB" in text
    draw()
    assert len([note for note in notes if "brought" in note]) == 1
    assert not list((behind / "leases/draw").iterdir())


def test_files_of_equal_content_are_stored_once_and_found_by_digest(behind: Path, notes: list[str]) -> None:
    made = draw()
    before = objects(behind)
    more = draw(Drawn(count=4))
    assert len(objects(behind)) == len(before) + 2  # secret.txt is equal, words.txt and the summary are not
    assert "2 files (1 lay there)" in notes[-1]
    store = remote.open_remote(f"file://{behind}")
    assert store.key_of("draw", made.digest) == made.key and store.key_of("draw", more.digest) == more.key
    assert store.key_of("draw", "0" * 64) is None


def test_what_was_made_while_the_remote_was_away_is_stored_when_it_is_served(
    behind: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = os.environ["TEMPER_REMOTE"]
    monkeypatch.delenv("TEMPER_REMOTE")
    made = draw()
    assert not behind.exists()
    monkeypatch.setenv("TEMPER_REMOTE", address)
    assert draw() == made and (behind / f"artifacts/draw/{made.key}.json").is_file()


def flip(path: Path) -> None:
    path.write_bytes(bytes([path.read_bytes()[0] ^ 1]) + path.read_bytes()[1:])


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def grow(path: Path) -> None:
    path.write_bytes(path.read_bytes() * 1000)


@pytest.mark.parametrize("fault", [flip, cut, grow, Path.unlink])
@pytest.mark.parametrize("where", ["object", "manifest"])
def test_a_remote_that_lies_costs_a_rerun_and_is_mended(
    fault: Any, where: str, behind: Path, elsewhere: Any, notes: list[str]
) -> None:
    made = draw()
    fault(objects(behind)[0] if where == "object" else behind / f"artifacts/draw/{made.key}.json")
    elsewhere()
    assert draw().digest == made.digest and RAN == ["draw", "draw"]
    absent = where == "manifest" and fault is Path.unlink
    assert absent or any("is damaged" in note and "made again" in note for note in notes)
    elsewhere()
    assert draw().digest == made.digest and RAN == ["draw", "draw"]


@pytest.mark.parametrize("name", ["../../evil.txt", "data/../../evil.txt", "/tmp/evil.txt", "manifest.json", "data\\x"])
def test_a_manifest_cannot_write_outside_its_artifact(name: str, behind: Path, elsewhere: Any, tmp_path: Path) -> None:
    made = draw()
    path = behind / f"artifacts/draw/{made.key}.json"
    manifest = json.loads(path.read_text())
    manifest.pop("sha256")
    manifest["files"][name] = next(iter(manifest["files"].values()))
    manifest["digest"] = content_digest(manifest["files"])
    path.write_text(seal(manifest))
    elsewhere()
    assert draw().digest == made.digest and RAN == ["draw", "draw"]
    assert not list(tmp_path.rglob("evil*"))


class Broken:
    """A file system whose every call fails, or never returns."""

    def __init__(self, error: Exception | None) -> None:
        self.error, self.calls = error, 0

    def __getattr__(self, name: str) -> Any:
        def call(*args: Any, **options: Any) -> None:
            self.calls += 1
            if self.error is None:
                time.sleep(30)
            raise self.error or AssertionError("never reached")

        return call


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (PermissionError("Forbidden"), "PermissionError: Forbidden"),
        (ConnectionResetError("reset"), "ConnectionResetError"),
        (RuntimeError("Session is closed for s3://me:secret@host"), "RuntimeError: Session is closed for s3://…@host"),
        (None, "TimeoutError: no answer within 0 s"),
    ],
)
def test_a_remote_that_refuses_or_stalls_is_left_alone(
    error: Exception | None, reason: str, monkeypatch: pytest.MonkeyPatch, notes: list[str]
) -> None:
    broken = Broken(error)
    monkeypatch.setattr(remote, "ASK", 0.2)
    monkeypatch.setattr(shared, "open_remote", lambda url: remote.Remote(broken, "x", False))
    began = time.monotonic()
    draw()
    draw(Drawn(count=4))
    assert RAN == ["draw", "draw"] and broken.calls == 1 and time.monotonic() - began < 10
    (note,) = [note for note in notes if "goes on without it" in note]
    assert reason in note and "secret" not in note


@pytest.mark.parametrize("calls", [2, 4, 6, 8, 10])
def test_a_remote_that_dies_in_the_middle_leaves_nothing_half(
    calls: int, behind: Path, elsewhere: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, left = remote.open_remote, [calls]

    class Dying:
        """A file system that works for so many calls."""

        def __init__(self, fs: Any) -> None:
            self.fs = fs

        def __getattr__(self, name: str) -> Any:
            left[0] -= 1
            if left[0] < 0:
                raise OSError("the network is down")
            return getattr(self.fs, name)

    def dying(url: str) -> remote.Remote:
        opened = real(url)
        return remote.Remote(Dying(opened.fs), opened.root, opened.local)

    monkeypatch.setattr(shared, "open_remote", dying)
    made = draw()
    monkeypatch.setattr(shared, "open_remote", real)
    shared._GONE.clear()
    for _ in range(2):
        elsewhere()
        assert draw().digest == made.digest
    assert len(RAN) <= 2


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("/srv/temper", "write an address, such as file:///srv/temper"),
        ("s3://key:secret@bucket/x", "credentials belong into the environment"),
        ("nothing://x", "install what reads nothing://"),
    ],
)
def test_a_setting_that_names_no_remote_is_refused(url: str, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEMPER_REMOTE", url)
    with pytest.raises(StageError, match=message) as refused:
        draw()
    assert "secret" not in str(refused.value)


def test_of_two_that_create_a_file_one_does(behind: Path) -> None:
    stores = [remote.open_remote(f"file://{behind}") for _ in range(8)]
    for turn in range(20):
        assert sum(each([partial(one.create, f"leases/x/{turn}", b"") for one in stores], 20)) == 1


def test_a_machine_waits_for_another_and_takes_over_a_dead_one(behind: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease, "POLL", 0.02)
    monkeypatch.setattr(lease, "BEAT", 0.05)
    monkeypatch.setattr(lease, "DEAD", 0.6)
    store, held = remote.open_remote(f"file://{behind}"), []
    first = lease.take(store, "draw", "k", held.append)
    assert first is not None and held == []
    waiter: list[Any] = []
    thread = threading.Thread(target=lambda: waiter.append(lease.take(store, "draw", "k", held.append)))
    thread.start()
    time.sleep(1.5)  # longer than DEAD: the holder counts
    assert not waiter and len(held) == 1 and str(os.getpid()) in held[0]
    first.done.set()  # dies: counts no more, and leaves its lease
    thread.join(10)
    assert isinstance(waiter[0], lease.Lease)
    waiter[0].release()
    store.write("artifacts/draw/k.json", b"{}")
    assert lease.take(store, "draw", "k", held.append) is None and not list((behind / "leases/draw").iterdir())


def test_calls_run_side_by_side_and_one_that_never_ends_is_given_up() -> None:
    assert each([lambda n=n: n * n for n in range(50)], 5) == [n * n for n in range(50)]  # type: ignore[misc]
    assert each([], 5) == []
    with pytest.raises(TimeoutError, match="no answer within 0 s"):
        within(0.1, lambda: time.sleep(5))
    with pytest.raises(KeyError):
        each([dict[str, int]().popitem, lambda: time.sleep(0.1)], 5)


TWO = textwrap.dedent(
    """
    import sys, time
    sys.path[:0] = ["tests", "."]
    from test_cached import DRAW, RAN, Drawn
    import test_cached
    from tasks.store import lease
    lease.POLL = 0.1
    slow = test_cached.RAN
    class Slow(list):
        def append(self, item):
            time.sleep(1.5)
            super().append(item)
    test_cached.RAN = Slow()
    artifact = DRAW.run_or_load(Drawn(), {}).result
    print(len(test_cached.RAN), artifact.digest)
    """
)


def test_two_processes_with_homes_of_their_own_make_an_artifact_once(tmp_path: Path) -> None:
    homes = [tmp_path / name for name in ("one", "two", "three")]
    running = [
        subprocess.Popen(
            [sys.executable, "-c", TWO],
            cwd=ROOT,
            env={**os.environ, "TEMPER_HOME": str(home)},
            stdout=subprocess.PIPE,
            text=True,
        )
        for home in homes
    ]
    counts, digests = zip(*(process.communicate(timeout=120)[0].split() for process in running), strict=True)
    assert sorted(counts) == ["0", "0", "1"] and len(set(digests)) == 1
    assert settings().remote is not None and all((home / ".artifacts").is_dir() for home in homes)


def test_pull_brings_what_a_training_asked_for_too(elsewhere: Any) -> None:
    """Of a distilled model its teacher's scores: a changed training asks for them again."""
    from flows.pull import pull_version
    from tasks.documents import Reference

    def make(stage: str, **asked: Reference) -> Artifact:
        (disk.begin(settings().store, stage, f"of {stage}") / "data" / "x").write_text(stage)
        about: Any = {"inputs": {}, "auxiliary": asked, "made": {"seconds": 0.1, "at": 1}}
        return disk.commit(settings().store, stage, f"of {stage}", about)

    store = remote.open_remote(str(settings().remote))
    scores = make("teacher")
    model = make("train", teacher=scores.reference)
    for artifact in (model, scores):
        store.push(artifact)
    for states in (["brought", "brought"], ["here", "here"]):
        if "brought" in states:
            elsewhere()
        pulled = list(pull_version({"train": model.digest}))
        assert [one.stage for one in pulled] == ["train", "teacher"] and [one.state for one in pulled] == states
    assert disk.find(settings().store, "teacher", scores.key, verify=True) == scores
    store.delete(f"artifacts/teacher/{scores.key}.json")
    elsewhere()
    assert [one.state for one in pull_version({"train": model.digest})] == ["brought", "missing"]


def test_what_pull_says_of_a_remote_that_fails_has_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    from flows import pull

    broken = remote.Remote(Broken(RuntimeError("closed: s3://me:secret@host?X-Amz-Signature=secret")), "x", False)
    monkeypatch.setattr(pull, "open_remote", lambda url: broken)
    with pytest.raises(StageError, match="the remote store fails: RuntimeError: closed") as refused:
        list(pull.pull_version({"train": "0" * 64}))
    assert "secret" not in str(refused.value)
