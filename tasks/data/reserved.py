"""Arrays that are written through a memory map: their space is reserved, since a full disk would end the process."""

import errno
import os
import shutil
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from ..store.sizes import in_bytes
from .errors import DataError

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""A full file system, a user's quota, the largest file that is allowed."""


def reserved_array(path: Path, shape: tuple[int, ...]) -> "np.memmap[Any, np.dtype[np.uint8]]":
    """A new .npy file of bytes, mapped to be written, whose every byte has its place on the disk.

    Raises DataError, and leaves no file, where there is not the space. Systems without posix_fallocate (macOS) reserve
    nothing.
    """
    allocate = getattr(os, "posix_fallocate", None)
    try:
        array: np.memmap[Any, np.dtype[np.uint8]] = np.lib.format.open_memmap(path, "w+", np.uint8, shape)
        if allocate is not None:
            with path.open("r+b") as handle:
                allocate(handle.fileno(), 0, path.stat().st_size)
    except OSError as error:
        if error.errno not in FULL:
            raise
        path.unlink(missing_ok=True)
        free = shutil.disk_usage(path.parent).free
        raise DataError(
            f"{path.parent}: no space left: {in_bytes(prod(shape))} needed for {path.name}, {in_bytes(free)} "
            "free; free space, or move the cache with TEMPER_ARTIFACTS"
        ) from None
    return array
