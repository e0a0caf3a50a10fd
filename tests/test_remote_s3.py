"""The remote store in an S3 bucket, served by moto on this machine: conditional writes, listings, two homes, `pull`."""

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

pytest.importorskip("s3fs", reason="s3fs is not installed (requirements-remote.lock)")
pytest.importorskip("moto", reason="moto is not installed (requirements-remote.lock)")

from test_cached import DRAW, RAN, Drawn

from tasks.artifact import Artifact
from tasks.store import lease, reading, remote_sweep, shared
from tasks.store.deadline import each
from tasks.store.events import listeners
from tasks.store.remote import Remote, open_remote

pytestmark = pytest.mark.faults
URL = "s3://artifacts/temper"


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    """A server of S3 with one bucket."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    server = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        for _ in range(240):
            try:
                urllib.request.urlopen(urllib.request.Request(f"{address}/artifacts", method="PUT"), timeout=30).close()
                break
            except OSError:
                time.sleep(0.5)
        yield address
    finally:
        server.kill()
        server.wait(30)


@pytest.fixture(autouse=True)
def bucket(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": "planted-key-id",
        "AWS_SECRET_ACCESS_KEY": "planted-secret",
        "AWS_DEFAULT_REGION": "us-east-1",
        "TEMPER_REMOTE": URL,
    }.items():
        monkeypatch.setenv(name, value)
    RAN.clear()
    shared._GONE.clear()


def draw(section: Drawn) -> Artifact:
    return DRAW.run_or_load(section, {}).result


@pytest.fixture
def store() -> Remote:
    return open_remote(URL)


def test_one_home_is_served_what_another_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    notes: list[str] = []
    with listeners(lambda event: notes.append(event.text) if event.text else None):
        made = draw(Drawn(count=11))
        reading.release()
        monkeypatch.setenv("TEMPER_HOME", str(tmp_path / "other"))
        served = draw(Drawn(count=11))
    assert served == made and RAN == ["draw"] and "brought from s3://artifacts/temper" in " ".join(notes)
    assert not any("planted" in note for note in notes)


def test_what_another_machine_changes_is_seen_at_once(store: Remote) -> None:
    other = open_remote(URL)
    for round_ in range(5):
        assert other.read("probes/x") is None
        store.write("probes/x", str(round_).encode())
        assert other.read("probes/x") == str(round_).encode()
        other.delete("probes/x")
        other.delete("probes/x")
        assert store.read("probes/x") is None and store._size("probes/x") is None


def test_of_eight_that_create_a_file_one_does(store: Remote) -> None:
    stores = [open_remote(URL) for _ in range(8)]
    for turn in range(10):
        assert sum(each([partial(one.create, f"probes/turn {turn}", b"x") for one in stores], 30)) == 1


def test_a_lease_ends_with_its_holder(store: Remote, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease, "POLL", 0.05)
    monkeypatch.setattr(lease, "DEAD", 0.5)
    held: list[str] = []
    first = lease.take(store, "draw", "gone", held.append)
    assert first is not None
    first.done.set()
    second = lease.take(store, "draw", "gone", held.append)
    assert second is not None and len(held) == 1
    second.release()
    assert store.read("leases/draw/gone") is None


@pytest.mark.parametrize("fault", ["flipped", "cut", "gone"])
def test_a_damaged_object_is_made_again_and_replaced(
    fault: str, store: Remote, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    section = Drawn(count=5, word=fault)
    made = draw(section)
    digest = made.manifest()["files"]["data/words.txt"]["sha256"]
    content = store.read(f"objects/{digest}")
    assert content is not None
    if fault == "gone":
        store.delete(f"objects/{digest}")
    else:
        store.write(f"objects/{digest}", content[:-1] if fault == "cut" else b"#" + content[1:])
    for name in ("second", "third"):
        reading.release()
        monkeypatch.setenv("TEMPER_HOME", str(tmp_path / name))
        assert draw(section).digest == made.digest
    assert RAN == ["draw", "draw"] and store.read(f"objects/{digest}") == content


def test_gc_empties_the_bucket_but_for_what_is_needed(
    store: Remote, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    needed, other = Drawn(count=3, word="needed"), Drawn(count=3, word="other")
    made = [draw(section) for section in (needed, other)]
    contents = remote_sweep.read(store)
    roots = {("draw", made[0].key): "a version"}
    decided, own = remote_sweep.decide_remote(contents, roots, keep=-60, budget=None)
    went = {each.entry.key for each, gone in remote_sweep.sweep_remote(contents, decided, own) if gone}
    assert made[1].key in went and made[0].key not in went
    left = remote_sweep.read(store)
    assert set(left.manifests) == set(roots) and set(left.files) == left.files_of(("draw", made[0].key))
    reading.release()
    RAN.clear()
    monkeypatch.setenv("TEMPER_HOME", str(tmp_path / "another"))
    assert draw(needed).digest == made[0].digest and not RAN
    assert draw(other).digest == made[1].digest and RAN == ["draw"]


@pytest.mark.parametrize("wrong", ["AWS_ENDPOINT_URL", "TEMPER_REMOTE"])
def test_a_server_or_bucket_that_is_not_there_costs_seconds(wrong: str, monkeypatch: pytest.MonkeyPatch) -> None:
    values = {"AWS_ENDPOINT_URL": "http://127.0.0.1:1", "TEMPER_REMOTE": "s3://no-such-bucket/temper"}
    monkeypatch.setenv(wrong, values[wrong])
    notes: list[str] = []
    began = time.monotonic()
    with listeners(lambda event: notes.append(event.text) if event.text else None):
        draw(Drawn(count=6, word=wrong))
    assert RAN == ["draw"] and time.monotonic() - began < 60
    assert any("goes on without it" in note for note in notes) and not any("planted" in note for note in notes)
    assert os.environ["AWS_SECRET_ACCESS_KEY"] == "planted-secret"


@pytest.mark.parametrize("count", [15, pytest.param(1000, marks=[pytest.mark.long, pytest.mark.timeout(1800)])])
def test_many_artifacts_are_stored_and_served(count: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sections = [Drawn(count=n + 100, word="many") for n in range(count)]
    made = [draw(section) for section in sections]
    assert len(RAN) == count
    reading.release()
    monkeypatch.setenv("TEMPER_HOME", str(tmp_path / "other"))
    RAN.clear()
    assert [draw(section) for section in sections] == made and RAN == []
