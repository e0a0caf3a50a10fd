"""A disk that fills in any stage or in a server's database: one line that names needed and free, nothing half-written
is left, and the next run goes on."""

import os
import re
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tiny import ROOT, STAGES, TINY, recipe

from configs.load import load_recipe
from configs.schema import Recipe
from flows.stage_graph import perform_until
from tasks.store.failure import DiskFull

KIB = 1024
SAID = re.compile(r"no space left on (?P<disk>.+?): (?P<needed>.*?needed.*?), (?P<free>[\d.,]+ (B|KiB|MiB)) free in /")
PIXELS = ["train.epochs=1", "train.eval_steps=10", "train.model.channels=[4]", "train.model.dense=[8]"]


def digits() -> Recipe:
    return load_recipe(ROOT / "configs" / "digits_demo.yaml", PIXELS)


@pytest.fixture
def mounted(tmp_path: Path) -> Iterator[Callable[[int], Path]]:
    """A function that mounts a file system of so many KiB."""
    places: list[Path] = []
    mount = shutil.which("mount")
    if mount is None or os.geteuid() != 0:
        pytest.skip("mounting a small file system needs root")

    def small(size: int) -> Path:
        place = tmp_path / f"disk{len(places)}"
        place.mkdir()
        if subprocess.run([mount, "-t", "tmpfs", "-o", f"size={size}k", "tmpfs", place]).returncode:
            pytest.skip("this machine mounts no tmpfs")
        places.append(place)
        return place

    yield small
    for place in places:
        subprocess.run(["umount", "-l", place], check=True)


def filled(disk: Path, left: int) -> Path:
    """A file that leaves so many KiB."""
    ballast = disk / "ballast"
    ballast.write_bytes(b"x" * (shutil.disk_usage(disk).free - left * KIB))
    return ballast


@pytest.mark.faults
@pytest.mark.parametrize("loaded", [recipe(), digits()], ids=["texts", "images"])
def test_each_stage_names_the_full_disk_and_goes_on_with_room(
    loaded: Recipe, mounted: Callable[[int], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = mounted(8 * KIB)
    monkeypatch.setenv("TEMPER_ARTIFACTS", str(disk / "store"))
    lines = {}
    for stage in STAGES[:-1]:
        ballast = filled(disk, 64 if stage in ("encode", "train") else 8)
        with pytest.raises(DiskFull) as said:
            perform_until(loaded, stage)
        lines[stage] = SAID.match(str(said.value))
        assert lines[stage], said.value
        notes = getattr(said.value, "__notes__", [])
        assert not [note for note in notes if "cleared away" in note], "what it had written could be removed"
        left = [path for path in (disk / "store").rglob("*") if ".partial" in str(path) and path.is_file()]
        assert not [path for path in left if "scratch" not in path.parts or "aside" in path.parts]
        ballast.unlink()
        perform_until(loaded, stage)
    train = re.fullmatch(r"about (?P<size>[\d.]+) KiB needed for checkpoint-\d+", lines["train"]["needed"])  # type: ignore[index]
    assert train and float(train["size"]) > 32
    if loaded.encode.kind == "image":
        pixels = re.fullmatch(r"([\d.]+) KiB needed for train.npy", lines["encode"]["needed"])  # type: ignore[index]
        assert pixels and float(pixels[1]) > float(lines["encode"]["free"].split()[0])  # type: ignore[index]


@pytest.mark.faults
@pytest.mark.parametrize(("database", "size"), [("prefect", 400), pytest.param("mlruns", 400, marks=pytest.mark.long)])
def test_a_full_disk_under_a_servers_database_ends_the_command_in_a_line(
    database: str, size: int, home: Path, mounted: Callable[[int], Path]
) -> None:
    place = mounted(size)
    prefect = place if database == "prefect" else home / "prefect"
    if database == "mlruns":
        (home / "mlruns").symlink_to(place)
    done = subprocess.run(
        [sys.executable, "-m", "flows", "run", "configs/reviews_demo.yaml", *TINY],
        cwd=ROOT,
        env={**os.environ, "PREFECT_HOME": str(prefect), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 1 and "Traceback" not in done.stderr, done.stderr[-3000:]
    line = SAID.search(" ".join(done.stderr.split()))
    assert line and Path(line["disk"]).resolve() == place.resolve(), done.stderr
    if database == "mlruns":
        with sqlite3.connect(prefect / "prefect.db") as known:
            assert known.execute("select state_type from flow_run").fetchall() == [("FAILED",)]
