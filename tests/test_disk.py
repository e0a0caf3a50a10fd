"""Directories that are whole or not there (F3, F4, F8): every planted damage is seen, every order kept."""

import errno
import itertools
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Any

import pytest

from configs.settings import settings
from tasks.artifact import MANIFEST, Artifact, StageError, describe_files, read_manifest, seal
from tasks.store import disk

SEED = 20261121
ABOUT = {"identity": {"section": {"learning_rate": 2e-5, "eps": 1e-8}}, "inputs": {}, "made": {"seconds": 0.25}}
SIZES = {
    "data/rows.parquet": 3000,
    "data/labels.json": 37,
    "data/one": 1,
    "data/empty": 0,
    "data/part/weights-1.bin": 20_000,
    "data/part/weights-2.bin": 20_000,
    "records/summary.md": 500,
    "records/curves.png": 9000,
}


def contents(seed: int = SEED) -> dict[str, bytes]:
    """Files of many sizes, two of them of one size."""
    random = Random(seed)
    return {name: random.randbytes(size) for name, size in SIZES.items()}


def build(key: str, files: dict[str, bytes]) -> Artifact:
    """What a stage does: begin, write, commit."""
    partial = disk.begin(settings().store, "made", key)
    for name, data in files.items():
        path = partial / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as handle:
            handle.write(data)
    return disk.commit(settings().store, "made", key, ABOUT)


def served(key: str, *, verify: bool = False) -> Artifact | None:
    return disk.find(settings().store, "made", key, verify=verify)


def read_all(directory: Path) -> dict[str, bytes]:
    return {
        path.relative_to(directory).as_posix(): path.read_bytes() for path in directory.rglob("*") if path.is_file()
    }


def restore(directory: Path, saved: dict[str, bytes]) -> None:
    shutil.rmtree(directory)
    for name, data in saved.items():
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).write_bytes(data)


def test_what_is_committed_is_found_and_what_is_not_is_not() -> None:
    assert served("k") is None
    partial = disk.begin(settings().store, "made", "k")
    (partial / "data" / "x").write_text("half")
    assert served("k") is None
    made = build("k", contents())
    assert served("k") == made == served("k", verify=True)
    assert not partial.exists()
    assert {name: data for name, data in read_all(made.path).items() if name != MANIFEST} == contents()


# F4 -----------------------------------------------------------------------------------------------------------------


def flip(path: Path, at: int, bit: int) -> None:
    with path.open("r+b") as handle:
        handle.seek(at)
        byte = handle.read(1)[0]
        handle.seek(at)
        handle.write(bytes([byte ^ 1 << bit]))


def swap(one: Path, other: Path) -> None:
    aside = one.with_name("aside")
    one.rename(aside)
    other.rename(one)
    aside.rename(other)


def to_link(path: Path) -> None:
    copy = settings().home / f"moved-{path.stat().st_ino}"
    path.rename(copy)
    path.symlink_to(copy)


def to_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def damages(directory: Path, saved: dict[str, bytes], random: Random) -> Iterator[tuple[str, Callable[[], object]]]:
    """Many kinds of damage to every file, each with what was done."""
    for name, data in saved.items():
        path, size = directory / name, len(data)
        for _ in range(50 if size else 0):
            at, bit = random.randrange(size), random.randrange(8)
            yield f"{name}: bit {bit} of byte {at} flipped", lambda p=path, a=at, b=bit: flip(p, a, b)
        for _ in range(12 if size else 0):
            to = random.randrange(size)
            yield f"{name}: cut to {to}", lambda p=path, t=to: os.truncate(p, t)
        more = random.randbytes(random.randint(1, 9))
        yield f"{name}: grown", lambda p=path, d=data + more: p.write_bytes(d)
        yield f"{name}: zeroed", lambda p=path, s=size: p.write_bytes(b"\0" * max(s, 1))
        yield f"{name}: deleted", path.unlink
        yield f"{name}: a folder", lambda p=path: to_folder(p)
        if name != MANIFEST:  # its text is checked whole at every hit, wherever it lies
            yield f"{name}: a link to the same bytes", lambda p=path: to_link(p)
    for one, other in itertools.combinations(saved, 2):
        yield f"{one} and {other} swapped", lambda a=one, b=other: swap(directory / a, directory / b)
    for place in ("data", "records", "data/part"):
        for extra in ("extra", ".hidden", "rows.parquet.new"):
            yield f"{place}/{extra} added", lambda p=directory / place / extra: p.write_bytes(b"")
        yield f"{place} removed", lambda p=directory / place: shutil.rmtree(p)
        yield f"{place} is a link", lambda p=directory / place: to_link(p)
    yield "a link added", lambda: (directory / "data" / "more").symlink_to("rows.parquet")
    yield "a broken link added", lambda: (directory / "data" / "more").symlink_to("nowhere")


@pytest.mark.timeout(60)
@pytest.mark.faults
def test_no_damage_is_ever_served() -> None:
    made = build("k", contents())
    directory, saved = made.path, read_all(made.path)
    accepted, tried = [], 0
    for what, damage in damages(directory, saved, Random(SEED)):
        damage()
        tried += 1
        with suppress(ValueError):
            accepted.append(f"{what}: {served('k')}")
        restore(directory, saved)
        if tried % 10 == 0:
            assert served("k") == made, f"not whole again after {what}"
    assert accepted == [] and served("k") == made
    assert tried >= 550


def test_every_byte_of_the_manifest_counts() -> None:
    """A flipped case in an exponent or an escape means the same JSON and is still not what was written."""
    made = build("k", contents())
    path, random, accepted = made.path / MANIFEST, Random(SEED), []
    text = path.read_bytes()
    for at in range(len(text)):
        bit = 5 if chr(text[at]).isalpha() else random.randrange(8)
        flip(path, at, bit)
        with suppress(ValueError):
            accepted.append((at, bit, served("k")))
        flip(path, at, bit)
    assert accepted == [] and served("k") == made and len(text) > 1000


def test_a_manifest_that_was_sealed_for_other_bytes_does_not_help() -> None:
    made = build("k", contents())
    manifest = read_manifest(made.path)
    manifest["files"]["data/one"]["sha256"] = "0" * 64
    (made.path / MANIFEST).write_text(seal(manifest), encoding="utf-8")
    with pytest.raises(ValueError, match="one has other bytes"):
        served("k")


def test_artifacts_that_changed_places_are_not_served() -> None:
    """Each is whole in itself, but lies under the other's key or another stage."""
    one, other = build("k1", contents()), build("k2", contents(1))
    swap(one.path, other.path)
    for key in ("k1", "k2"):
        with pytest.raises(ValueError, match="it is made/k"):
            served(key)
    swap(one.path, other.path)
    assert served("k1") == one and served("k2") == other
    shutil.copytree(one.path, settings().store / "train" / "k1")
    with pytest.raises(ValueError, match="it is made/k1"):
        disk.find(settings().store, "train", "k1")


def test_files_of_another_artifact_are_not_served() -> None:
    one, other = build("k1", contents()), build("k2", contents(1))
    for name in [name for name, size in SIZES.items() if size] + [MANIFEST]:
        swap(one.path / name, other.path / name)
        for key in ("k1", "k2"):
            with pytest.raises(ValueError, match=r"has other bytes|it is made"):
                served(key)
        swap(one.path / name, other.path / name)
    assert served("k1") == one


def test_a_file_that_cannot_be_read_is_damage(monkeypatch: pytest.MonkeyPatch) -> None:
    build("k", contents())
    whole = Path.open

    def broken(path: Path, *args: Any, **kwargs: Any) -> Any:
        if path.name == "one":
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return whole(path, *args, **kwargs)

    monkeypatch.setattr(Path, "open", broken)
    with pytest.raises(ValueError, match="one cannot be read"):
        served("k")


def test_something_else_in_an_artifacts_place_is_damage() -> None:
    place = settings().store / "made" / "k"
    place.mkdir(parents=True)
    with pytest.raises(ValueError, match="manifest unreadable"):
        served("k")
    place.rmdir()
    place.write_text("a file")
    with pytest.raises(ValueError, match="manifest unreadable"):
        served("k")


def test_damage_is_set_aside_and_only_the_latest_is_kept() -> None:
    root = settings().store
    for round_ in range(3):
        made = build("k", contents(round_))
        aside = disk.set_aside(root, "made", "k")
        assert served("k") is None and not made.path.exists()
        assert (aside / "data" / "rows.parquet").read_bytes() == contents(round_)["data/rows.parquet"]
    assert [path.name for path in (root / "made").iterdir()] == ["k.damaged"]


def test_manifests_are_those_of_visible_whole_artifacts() -> None:
    root = settings().store
    for number, key in enumerate(("k1", "k2", "k3", "k4")):
        made = build(key, contents(number))
        os.utime(made.path / MANIFEST, ns=(number, number))
    disk.set_aside(root, "made", "k2")
    flip(root / "made" / "k3" / MANIFEST, 40, 0)
    disk.begin(root, "made", "k5")
    (root / "made" / "k6").mkdir()
    assert [each["key"] for each in disk.manifests(root, "made")] == ["k1", "k4"]
    assert [each["key"] for each in disk.newest_manifests(root, "made")] == ["k4", "k1"]


def test_of_many_artifacts_no_more_manifests_are_read_than_are_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(5):
        build(f"k{number}", contents())
    read: list[Path] = []
    monkeypatch.setattr(disk, "read_manifest", lambda folder: (read.append(folder), read_manifest(folder))[1])
    assert len(list(itertools.islice(disk.newest_manifests(settings().store, "made"), 2))) == 2 and len(read) == 2


def test_manifests_are_read_while_other_processes_commit_and_set_aside() -> None:
    """Other keys of the stage come and go between the listing of the folder and the reading of a manifest."""
    root, stop = settings().store, threading.Event()
    kept = build("kept", contents())

    def churn() -> None:
        while not stop.is_set():
            build("other", {"data/x": b"x"})
            disk.set_aside(root, "made", "other")

    thread = threading.Thread(target=churn)
    thread.start()
    try:
        for _ in range(300):
            assert kept.key in [each["key"] for each in disk.manifests(root, "made")]
    finally:
        stop.set()
        thread.join()


# What a killed run left ----------------------------------------------------------------------------------------------


def test_half_written_files_of_a_killed_run_never_enter_the_digest() -> None:
    clean = build("clean", contents()).digest
    partial = disk.begin(settings().store, "made", "k")
    (partial / "data" / "tmp-1234").write_text("half")
    (partial / "records" / "old.md").write_text("half")
    (partial / "manifest.json").write_text("half")
    (partial / "scratch").mkdir()
    (partial / "scratch" / "checkpoint").write_text("step 5")
    assert (disk.begin(settings().store, "made", "k") / "scratch" / "checkpoint").exists()
    made = build("k", contents())
    assert made.digest == clean and served("k") == made
    assert set(read_all(made.path)) == {*SIZES, MANIFEST}


def test_checkpoints_go_only_when_the_result_is_safe(monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that fails while the weights are written out must not cost the checkpoints as well."""
    partial = disk.begin(settings().store, "made", "k")
    checkpoint = partial / "scratch" / "checkpoint"
    checkpoint.parent.mkdir()
    checkpoint.write_text("step 5")
    (partial / "data" / "weights").write_text("w")
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", failing(os.fsync, errno.ENOSPC))
        with pytest.raises(OSError, match="No space left"):
            disk.commit(settings().store, "made", "k", ABOUT)
    assert checkpoint.read_text() == "step 5"
    made = disk.commit(settings().store, "made", "k", ABOUT)
    assert served("k") == made and not (made.path / "scratch").exists()


# F3 -----------------------------------------------------------------------------------------------------------------

Call = tuple[str, int]
"""fsync or rename, and the inode it was of."""


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[Call]:
    """What reaches the operating system, in order."""
    seen: list[Call] = []
    fsync, rename, replace = os.fsync, os.rename, os.replace

    def on_fsync(handle: int) -> None:
        fsync(handle)
        seen.append(("fsync", os.fstat(handle).st_ino))

    def on_rename(old: Any, new: Any, **kwargs: Any) -> None:
        seen.append(("rename", os.stat(old).st_ino))
        rename(old, new, **kwargs)

    def on_replace(old: Any, new: Any, **kwargs: Any) -> None:
        seen.append(("rename", os.stat(old).st_ino))
        replace(old, new, **kwargs)

    monkeypatch.setattr(os, "fsync", on_fsync)
    monkeypatch.setattr(os, "rename", on_rename)
    monkeypatch.setattr(os, "replace", on_replace)
    return seen


def violations(seen: list[Call], final: Path) -> list[str]:
    """Where fsync(file) < fsync(its folder) < rename of the whole < fsync(parent) does not hold."""
    last = {call: at for at, call in enumerate(seen)}
    visible = last.get(("rename", final.stat().st_ino), -1)

    def synced(path: Path) -> int:
        return last.get(("fsync", path.stat().st_ino), -1)

    found = [f"{final} not renamed"] if visible < 0 else []
    for path in [final, *final.rglob("*")]:
        if synced(path) < 0:
            found.append(f"{path} not synced")
        if path != final and not synced(path) < synced(path.parent):
            found.append(f"{path} not before its folder")
        if not synced(path) < visible:
            found.append(f"{path} not before the rename")
    manifest = last.get(("rename", (final / MANIFEST).stat().st_ino), -1)
    if not synced(final / MANIFEST) < manifest < synced(final):
        found.append("manifest renamed out of order")
    if not visible < synced(final.parent):
        found.append("parent not after the rename")
    return found


def test_everything_reaches_the_disk_before_it_is_visible(calls: list[Call]) -> None:
    made = build("k", contents())
    assert violations(calls, made.path) == []
    needed = [*made.path.rglob("*"), made.path, made.path.parent]
    assert sum(kind == "fsync" for kind, _ in calls) == len(needed)


def test_the_order_is_seen_to_fail(calls: list[Call], monkeypatch: pytest.MonkeyPatch) -> None:
    """Each fsync left out, or the rename moved ahead, is a violation; so is a store that never syncs."""
    made = build("k", contents())
    for at, (kind, _) in enumerate(calls):
        if kind == "fsync":
            assert violations(calls[:at] + calls[at + 1 :], made.path), f"call {at}"
    rename = calls.index(("rename", made.path.stat().st_ino))
    for at in range(rename):
        assert violations([*calls[:at], calls[rename], *calls[at:rename], *calls[rename + 1 :]], made.path)
    assert violations([*calls[:rename], *calls[rename + 1 :], calls[rename]], made.path)
    calls.clear()
    monkeypatch.setattr(disk, "_sync", lambda path: None)
    assert len(violations(calls, build("careless", contents()).path)) > len(SIZES)


# F8 -----------------------------------------------------------------------------------------------------------------


def failing(call: Callable[..., Any], number: int) -> Callable[..., Any]:
    def fail(*args: Any, **kwargs: Any) -> Any:
        raise OSError(number, os.strerror(number))

    return fail


class FaultyDisk:
    """A disk whose nth write, fsync or rename fails; a failing write leaves half of its bytes."""

    def __init__(self, patch: pytest.MonkeyPatch, number: int, at: int) -> None:
        self.number, self.at, self.count = number, at, 0
        opened = Path.open

        def open_(path: Path, mode: str = "r", *args: Any, **kwargs: Any) -> Any:
            handle = opened(path, mode, *args, **kwargs)
            if "w" in mode:
                handle.write = self.half(handle.write)
            return handle

        patch.setattr(Path, "open", open_)
        for name in ("fsync", "rename", "replace"):
            patch.setattr(os, name, self.step(getattr(os, name)))

    def due(self) -> bool:
        self.count += 1
        return self.count == self.at

    def step(self, call: Callable[..., Any]) -> Callable[..., Any]:
        return lambda *args, **kwargs: (failing(call, self.number) if self.due() else call)(*args, **kwargs)

    def half(self, write: Callable[[Any], int]) -> Callable[[Any], int]:
        def written(data: Any) -> int:
            if self.due():
                write(data[: len(data) // 2])
                failing(write, self.number)()
            return write(data)

        return written


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO, errno.EACCES])
@pytest.mark.faults
def test_a_disk_that_fails_at_any_point_costs_nothing_that_was_there(number: int) -> None:
    old, clean, points = build("old", contents(1)), build("clean", contents()).digest, 0
    for at in itertools.count(1):
        key, told = f"new{at}", []
        with pytest.MonkeyPatch.context() as patch:
            faulty = FaultyDisk(patch, number, at)
            try:
                build(key, contents())
            except OSError as error:
                told.append((error.errno, error.strerror))
        if faulty.count < at:
            break
        points += 1
        assert told == [(number, os.strerror(number))]
        assert served("old") == old
        assert served(key) in (None, Artifact("made", key, clean))
        if served(key) is None:
            assert build(key, contents()).digest == clean
        assert served(key, verify=True) == Artifact("made", key, clean)
        shutil.rmtree(settings().store / "made" / key)
    assert points == 2 * (len(SIZES) + 1) + 3 + 2 + 2  # write and fsync a file, fsync a folder, two renames, ends


# Large artifacts -----------------------------------------------------------------------------------------------------


@pytest.fixture
def large(monkeypatch: pytest.MonkeyPatch) -> Artifact:
    """An artifact that counts as large."""
    monkeypatch.setattr(disk, "REHASH_BELOW", 0)
    return build("k", contents())


def rot(artifact: Artifact, name: str) -> None:
    """Other bytes below the file system: size, times and inode are as recorded."""
    flip(artifact.path / name, 7, 3)
    manifest = read_manifest(artifact.path)
    manifest["files"] = {
        each: {**entry, "sha256": manifest["files"][each]["sha256"]}
        for each, entry in describe_files(artifact.path).items()
    }
    (artifact.path / MANIFEST).write_text(seal(manifest), encoding="utf-8")


def test_an_unchanged_large_file_is_not_read_again_but_on_verify(large: Artifact) -> None:
    assert served("k") == large == served("k", verify=True)
    rot(large, "data/part/weights-1.bin")
    assert served("k") == large, "the file was read although its marks did not change"
    with pytest.raises(ValueError, match=r"weights-1.bin has other bytes"):
        served("k", verify=True)


def test_a_small_one_is_always_read(large: Artifact, monkeypatch: pytest.MonkeyPatch) -> None:
    rot(large, "data/part/weights-1.bin")
    monkeypatch.setattr(disk, "REHASH_BELOW", sum(SIZES.values()))
    with pytest.raises(ValueError, match=r"weights-1.bin has other bytes"):
        served("k")
    monkeypatch.setattr(disk, "REHASH_BELOW", sum(SIZES.values()) - 1)
    assert served("k") == large


def new_inode(path: Path) -> None:
    shutil.copy2(path, path.with_name("copy"))
    path.with_name("copy").rename(path)


@pytest.mark.parametrize("touch", [os.utime, new_inode, lambda path: path.chmod(0o600)])
def test_other_marks_of_a_large_file_lead_to_a_new_hash(large: Artifact, touch: Callable[[Path], object]) -> None:
    """The same bytes under another time or inode are served; other bytes are not."""
    path = large.path / "data" / "part" / "weights-1.bin"
    touch(path)
    assert served("k") == large
    rot(large, "data/part/weights-1.bin")
    assert served("k") == large
    touch(path)
    with pytest.raises(ValueError, match=r"weights-1.bin has other bytes"):
        served("k")


def test_bytes_changed_in_a_large_file_with_its_time_put_back_are_seen(large: Artifact) -> None:
    for name in SIZES:
        if SIZES[name] > 7:
            path = large.path / name
            stat = path.stat()
            flip(path, 7, 3)
            os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
            assert path.stat().st_mtime_ns == stat.st_mtime_ns
            with pytest.raises(ValueError, match="has other bytes"):
                served("k")
            flip(path, 7, 3)
    assert served("k") == large


def test_commit_refuses_links() -> None:
    partial = disk.begin(settings().store, "made", "k")
    (partial / "data" / "x").symlink_to("/etc/hostname")
    with pytest.raises(StageError, match="plain files only"):
        disk.commit(settings().store, "made", "k", ABOUT)
    assert served("k") is None
