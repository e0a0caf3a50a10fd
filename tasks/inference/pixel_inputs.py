"""Arrays of pixels (.npz, .npy, a folder of .npy files) -> what a registered model of images is asked."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from ..artifact import canonical, digest_file, digest_text
from ..data.sources.image_sets import png
from ..data.sources.pixel_arrays import array_files, is_arrays, read_pictures


@dataclass(frozen=True)
class Pictures:
    """The pictures of arrays, in their order; `rows`: the array and the place of each in it, from 0."""

    path: Path
    rows: pd.DataFrame
    arrays: dict[str, npt.NDArray[np.uint8]]
    batch: int = 64
    content = "image"
    forgiving = True

    @property
    def where(self) -> str:
        """The input as a person named it."""
        return str(self.path)

    def identity(self) -> dict[str, object]:
        """The checksums of the files."""
        digests = [[file.name, digest_file(file)] for file in array_files(self.path)]
        return {"input": digest_text(canonical(digests)), "batch": self.batch}

    def given(self, start: int, stop: int) -> list[Any]:
        """Each picture as the bytes of a PNG file, as training stores it."""
        asked = self.rows.iloc[start:stop]
        return [png(self.arrays[name][number]) for name, number in zip(asked["array"], asked["number"], strict=True)]

    def ask(self, given: list[Any]) -> Any:
        """A table."""
        return pd.DataFrame({"image": given})


def holds_pictures(path: Path) -> bool:
    """Whether a place is one .npy or .npz file, or a folder with arrays that are called as pixels are."""
    return is_arrays(path) or (path.is_file() and path.suffix.lower() == ".npy")


def open_pictures(path: Path) -> Pictures:
    """The pictures of all arrays of pixels; labels next to them are not read. Raises DataError for other arrays."""
    arrays = read_pictures(path)
    rows = pd.concat(
        [pd.DataFrame({"array": name, "number": np.arange(len(pixels))}) for name, pixels in arrays.items()],
        ignore_index=True,
    )
    return Pictures(path, rows, arrays)
