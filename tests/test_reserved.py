"""A full disk under a memory map: said before the first byte is written, and nothing is left there."""

import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from tiny import ROOT

from tasks.data.reserved import reserved_array
from tasks.store.failure import DiskFull

WRITE = """
import sys
from pathlib import Path
import numpy as np
from tasks.kinds.image_classification.encode import ArrayWriter
from tasks.store.failure import DiskFull
kept = np.ones(1000, bool)
kept[: int(sys.argv[2])] = False
try:
    writer = ArrayWriter(Path(sys.argv[1]) / "train.npy", (1000, 3, 32, 32))
    writer.put([list(range(1000))], [], np.zeros((1, 3, 32, 32), np.uint8))
    writer.close(kept)
except DiskFull as error:
    print(error)
"""


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A file system of 4 MiB."""
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", tmp_path], capture_output=True)
    if mounted.returncode:
        pytest.skip("a small file system can be mounted by root alone")
    yield tmp_path
    subprocess.run(["umount", tmp_path], check=True)


@pytest.mark.skipif(not hasattr(os, "posix_fallocate"), reason="this system cannot reserve space")
@pytest.mark.parametrize(("full", "dropped"), [(2, 0), (0, 10)], ids=["the array", "its copy without dropped rows"])
def test_a_full_disk_is_an_error_and_no_signal(small: Path, full: int, dropped: int) -> None:
    (small / "other").write_bytes(b"x" * (full * 2**20))
    done = subprocess.run([sys.executable, "-c", WRITE, small, str(dropped)], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, f"ended by {done.returncode}: {done.stderr}"
    assert f"no space left on {small}: 2.9 MiB needed for train.npy, " in done.stdout
    assert not (small / "train.npy").exists()


def test_what_may_not_be_as_large_is_said_too(tmp_path: Path) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2**20, before[1]))
    try:
        with pytest.raises(
            DiskFull, match=r"no space left on .*: 2.0 MiB needed for big.npy, .* free in .*; make room"
        ):
            reserved_array(tmp_path / "big.npy", (2 * 2**20,))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert not (tmp_path / "big.npy").exists()
    made = reserved_array(tmp_path / "fits.npy", (5, 3))
    made[:] = 7
    made.flush()
    assert (np.load(tmp_path / "fits.npy") == 7).all() and (tmp_path / "fits.npy").stat().st_blocks > 0
