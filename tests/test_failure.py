"""A full disk is named whatever library met it, and the handling of a failure never takes its place."""

import errno
import os
import re
import shutil
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from tiny import recipe

from configs.settings import settings
from flows.stage_graph import perform_until
from tasks.artifact import StageError
from tasks.store import disk
from tasks.store.events import Event, listeners
from tasks.store.failure import DiskFull, because_of, full_disk_named, full_disks, no_space


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A file system of 256 KiB."""
    place = tmp_path / "small"
    place.mkdir()
    mount = shutil.which("mount")
    if mount is None or os.geteuid() != 0:
        pytest.skip("mounting a small file system needs root")
    made = subprocess.run([mount, "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(place)], capture_output=True)
    if made.returncode != 0:
        pytest.skip("this machine mounts no tmpfs")
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


def by_sqlite(place: Path) -> None:
    with sqlite3.connect(place / "x.db") as connection:
        connection.execute("create table t (a)")
        for _ in range(100):
            connection.execute("insert into t values (?)", ["x" * 10_000])


def by_mlflow(place: Path) -> None:
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    SqlAlchemyStore(f"sqlite:///{place / 'mlflow.db'}", str(place / "artifacts"))


FREE = re.compile(r"no space left on \S+/small: more is needed, [\d.,]+ (B|KiB|MiB) free in /")
NOISE = np.random.default_rng(0)
WRITERS: dict[str, Callable[[Path], object]] = {
    "plain": lambda place: (place / "x").write_bytes(b"x" * 2**19),
    "safetensors": lambda place: save_file({"a": torch.zeros(2**18)}, place / "x.safetensors"),
    "torch": lambda place: torch.save(torch.zeros(2**18), place / "x.pt"),
    "pyarrow": lambda place: pq.write_table(pa.table({"a": NOISE.random(2**18)}), place / "x.parquet"),
    "pillow": lambda place: Image.fromarray(NOISE.integers(0, 255, (900, 900), np.uint8)).save(place / "x.png"),
    "sqlite": by_sqlite,
    "mlflow": by_mlflow,
}


@pytest.mark.parametrize("library", WRITERS)
def test_a_full_disk_is_named_whatever_library_met_it(
    library: str, small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEMPER_ARTIFACTS", str(small / "store"))
    with pytest.raises(DiskFull) as said, full_disk_named():
        WRITERS[library](small)
    assert FREE.search(str(said.value)), said.value
    assert full_disks() == [] or "no space left" in full_disks()[0]


def test_a_vague_error_is_that_of_a_full_disk_where_what_was_written_does_not_fit(
    small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process may have removed its own files between the failed write and the look; what does fit is a note."""
    monkeypatch.setenv("TEMPER_ARTIFACTS", str(small))
    error = RuntimeError("[enforce fail at inline_container.cc:671] . unexpected pos 24512 vs 24404")
    full = f"no space left on {small}: 1 MiB needed for x, 256.0 KiB free"
    with pytest.raises(DiskFull, match=full), full_disk_named("1 MiB needed for x", 2**20):
        raise error
    with pytest.raises(RuntimeError, match="unexpected pos") as said, full_disk_named("1 KiB needed for x", 2**10):
        raise error
    assert said.value.__notes__ == [
        f"1 KiB needed for x, and 256.0 KiB are free in {small}: another process may have filled that disk for a while"
    ]


def test_a_servers_own_error_is_that_of_a_full_disk_where_one_is_full(
    small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Prefect's server says no more than this where its database cannot grow."""
    import httpx

    monkeypatch.setenv("PREFECT_HOME", str(small / "prefect"))
    request = httpx.Request("POST", "http://127.0.0.1:4299/api/x")
    answer = httpx.Response(500, request=request)
    error = httpx.HTTPStatusError("Server error '500 Internal Server Error'", request=request, response=answer)
    assert no_space(error) is None
    (small / "ballast").write_bytes(b"x" * 256 * 1024)
    said = no_space(error)
    assert (
        said is not None and f"no space left on {small}: more is needed, 0 B free" in said and "by PREFECT_HOME" in said
    )


@pytest.mark.parametrize("size", [40, 90, 160])
def test_a_full_store_ends_a_run_in_a_line_and_leaves_no_data(
    size: int, small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whichever stage meets it, and whatever it had half written by then."""
    (small / "ballast").write_bytes(b"x" * (256 - size) * 1024)
    monkeypatch.setenv("TEMPER_ARTIFACTS", str(small / "store"))
    with pytest.raises(DiskFull, match=rf"no space left on {small}: [^;]*needed[^;]*, [\d.,]+ (B|KiB) free"):
        perform_until(recipe(), "train")
    assert not list((small / "store").glob("*/*.partial/data/*"))
    (small / "ballast").unlink()


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EIO])
def test_what_fails_behind_a_failure_becomes_its_note(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The stage's own error stays the one that is raised, though neither its files nor its report can be handled."""
    from tasks.validate import validate

    def fail(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    raw = perform_until(recipe(), "download")["download"].result
    monkeypatch.setattr(disk, "give_up", fail)
    with pytest.raises((StageError, DiskFull)) as said:
        validate.run_or_load(recipe("validate.min_rows=5000").validate, {"raw": raw})
    assert "5,000" in str(said.value) or "5000" in str(said.value)
    notes = getattr(said.value, "__notes__", [])
    assert notes and notes[0].startswith("what the stage wrote could not be cleared away: OSError")


def test_a_half_written_table_does_not_hide_why_it_is_half_written(monkeypatch: pytest.MonkeyPatch) -> None:
    import tasks.published

    monkeypatch.setattr(tasks.published, "in_task", lambda: True)
    first, records = ValueError("the first"), settings().home / "records"
    records.mkdir()
    (records / "table.json").write_text('[{"a": ')
    with because_of(first, "the report"):
        tasks.published.publish("validate", records)
    assert [note.partition(":")[0] for note in first.__notes__] == ["the report"]


def test_a_listener_that_fails_hides_no_failure(harness: None) -> None:
    def listen(event: Event) -> None:
        if event.kind == "failed":
            raise OSError(errno.ENOSPC, "No space left on device", "/dev/full")

    from prefect import flow

    from tasks.download import download

    @flow(name="one")
    def one() -> None:
        download(recipe("download={kind: file, path: absent.csv}").download)

    with listeners(listen), pytest.raises(Exception, match=r"absent\.csv"):
        one()


def test_other_errors_are_left_alone() -> None:
    for error in (ValueError("row 28"), OSError(errno.EACCES, "Permission denied"), RuntimeError("no space")):
        assert no_space(error) is None
        with pytest.raises(type(error)), full_disk_named():
            raise error
    inner = OSError(errno.ENOSPC, "No space left on device")
    outer = RuntimeError("cannot save")
    outer.__context__ = inner
    assert "no space left on" in str(no_space(outer))
