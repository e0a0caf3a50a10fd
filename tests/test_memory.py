"""Memory that a training freed goes back to the system."""

import ctypes
from pathlib import Path

import pytest

from tasks.store.memory import release_memory

if not hasattr(ctypes.CDLL(None), "malloc_trim"):
    pytest.skip("this C library is not glibc", allow_module_level=True)


def resident() -> int:
    """MiB that this process holds."""
    return int(Path("/proc/self/statm").read_text().split()[1]) // 256


def test_what_was_freed_in_small_pieces_is_returned() -> None:
    pieces = [bytes(50_000) for _ in range(8000)]  # below the size that glibc maps by itself
    kept, ring = pieces[::50], [[0]]
    ring[0].append(ring)  # type: ignore[arg-type]
    full = resident()
    del pieces
    before = resident()
    release_memory()
    assert full - before < 100 < before - resident() and len(kept) == 160
