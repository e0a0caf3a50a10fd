"""Arrays that are written through a memory map: their space is reserved, since a full disk would end the process."""

import os
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from ..store.failure import full_disk_named
from ..store.sizes import in_bytes


def reserved_array(path: Path, shape: tuple[int, ...]) -> "np.memmap[Any, np.dtype[np.uint8]]":
    """A new .npy file of bytes, mapped to be written, whose every byte has its place on the disk.

    Raises DiskFull, and leaves no file, where there is not the space. Systems without posix_fallocate (macOS) reserve
    nothing.
    """
    allocate = getattr(os, "posix_fallocate", None)
    try:
        with full_disk_named(f"{in_bytes(prod(shape))} needed for {path.name}"):
            array: np.memmap[Any, np.dtype[np.uint8]] = np.lib.format.open_memmap(path, "w+", np.uint8, shape)
            if allocate is not None:
                with path.open("r+b") as handle:
                    allocate(handle.fileno(), 0, path.stat().st_size)
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return array
