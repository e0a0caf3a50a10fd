"""Arrays that a stage keeps in its scratch folder while it works, so that a killed run does not compute them again."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt


def read_kept(path: Path, shape: tuple[int, ...]) -> Any:
    """What was kept, where it is whole and of this shape; else None."""
    try:
        values: npt.NDArray[Any] = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError):  # not there, or torn by a kill: computed again
        return None
    return values if values.shape == shape else None


def keep(path: Path, values: npt.NDArray[Any]) -> None:
    """Write an array so that a kill leaves all of it or nothing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_suffix(".new")
    with aside.open("wb") as handle:
        np.save(handle, values)
        handle.flush()
        os.fsync(handle.fileno())
    aside.rename(path)
