"""Arrays of pixels with arrays of labels (.npz, or .npy files in a folder) -> pictures with labels and splits.

A name says what an array is: `x`, `images`, `data` or `pixels` hold pixels, `y`, `labels` or `targets` labels; what
else is in it gives the part, as in `x_train` and `y_train`, or `test_images` and `test_labels`. Pickles are not opened.
"""

import re
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from configs.settings import settings

from ..errors import DataError
from .part_names import part_named

PIXELS = ("x", "images", "image", "data", "pixels", "imgs", "arr_0")
LABELS = ("y", "labels", "label", "targets", "target", "arr_1")
NAMES = "x_train and y_train, x_test and y_test; or images and labels"
Arrays = Mapping[str, npt.NDArray[np.generic]]


def is_arrays(place: Path) -> bool:
    """Whether a place holds arrays of pixels: an .npz file, or a folder with an .npy file that is called so."""
    if place.is_dir():
        return any(_part(file.stem, PIXELS) is not None for file in place.glob("*.npy"))
    return place.suffix.lower() == ".npz" and place.is_file()


def array_files(place: Path) -> list[Path]:
    """The files that are read of it."""
    return [place] if place.is_file() else sorted(place.glob("*.npy"))


def read_pixel_arrays(place: Path) -> dict[str, tuple[npt.NDArray[np.uint8], npt.NDArray[np.str_]]]:
    """Part ("": none) to pictures [count, height, width] or [count, height, width, 3] as bytes, and their labels.

    Raises DataError for what is damaged or a pickle, and for arrays that are no such pairs.
    """
    arrays = _load(place)
    parts: dict[str, tuple[npt.NDArray[np.uint8], npt.NDArray[np.str_]]] = {}
    for name, pixels in arrays.items():
        if (part := _part(name, PIXELS)) is None:
            continue
        partners = [other for other in arrays if _part(other, LABELS) == part]
        if len(partners) != 1 or part in parts:
            raise DataError(
                f"{place}: {len(partners)} arrays hold the labels of {name!r} among {', '.join(arrays)}; "
                f"name arrays in pairs: {NAMES}"
            )
        parts[part] = (
            _pictures(pixels, f"{place}: {name}"),
            _labels(arrays[partners[0]], len(pixels), f"{place}: {partners[0]}"),
        )
    if not parts:
        raise DataError(
            f"{place}: no array is called as pixels are among {', '.join(arrays) or 'none'}; name arrays "
            f"in pairs: {NAMES}"
        )
    return parts


def read_pictures(place: Path) -> dict[str, npt.NDArray[np.uint8]]:
    """Name of each array of pixels to its pictures, with labels next to them or without; a lone array is one.

    `place` may be one .npy file too. Raises DataError as `read_pixel_arrays` does.
    """
    arrays = _load(place)
    names = [name for name in arrays if _part(name, PIXELS) is not None] or (list(arrays) if len(arrays) == 1 else [])
    if not names:
        raise DataError(
            f"{place}: no array is called as pixels are among {', '.join(arrays) or 'none'}; name it images"
        )
    return {name: _pictures(arrays[name], f"{place}: {name}") for name in names}


def _part(name: str, kinds: tuple[str, ...]) -> str | None:
    """The part of an array of one of these kinds ("": none, all rows are together); None for another kind."""
    plain = name.lower()
    if plain in kinds:
        return ""
    words = [word for word in re.split(r"[^a-z0-9]+", plain) if word]
    rest = [word for word in words if word not in kinds]
    if len(words) == 2 and len(rest) == 1:
        return part_named(rest[0])
    return part_named(plain[1:]) if plain[:1] in kinds else None


def _load(place: Path) -> dict[str, npt.NDArray[np.generic]]:
    """Arrays by name. Raises DataError for damage, pickles, and more bytes than the limit of sources."""
    files = array_files(place)
    try:
        if place.is_file() and place.suffix.lower() != ".npy":
            with zipfile.ZipFile(place) as archive:
                _check_size(place, sum(entry.file_size for entry in archive.infolist()))
            with np.load(place, allow_pickle=False) as arrays:
                return {name: arrays[name] for name in arrays.files}
        return {file.stem: np.load(file, mmap_mode="r", allow_pickle=False) for file in files}
    except DataError:
        raise
    except (
        ValueError,
        OSError,
        EOFError,
        zipfile.BadZipFile,
        zlib.error,
        KeyError,
        NotImplementedError,
        SyntaxError,
        OverflowError,
        MemoryError,
        RuntimeError,
        TypeError,
    ) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0][:200]
        raise DataError(
            f"{place}: not arrays that can be read ({reason}); save bytes and labels with numpy.savez, without objects"
        ) from None


def _check_size(place: Path, size: int) -> None:
    if size > settings().largest_source:
        raise DataError(f"{place}: unpacks to {size:,} bytes, more than TEMPER_LARGEST_SOURCE sets; raise it")


def _pictures(pixels: npt.NDArray[np.generic], where: str) -> npt.NDArray[np.uint8]:
    """Raises DataError for other shapes and types."""
    if pixels.ndim == 4 and pixels.shape[1] in (1, 3) and pixels.shape[3] not in (1, 3):
        pixels = pixels.transpose(0, 2, 3, 1)
    if pixels.ndim == 4 and pixels.shape[3] == 1:
        pixels = pixels[..., 0]
    if pixels.ndim not in (3, 4) or (pixels.ndim == 4 and pixels.shape[3] != 3) or 0 in pixels.shape:
        raise DataError(
            f"{where} has the shape {pixels.shape}; pictures are [count, height, width], grey, or [count, "
            "height, width, 3]"
        )
    if pixels.dtype != np.uint8:
        raise DataError(
            f"{where} holds {pixels.dtype}, of which nothing says what is white; save bytes of 0 to 255, "
            "shares as (255 * x).round().astype('uint8')"
        )
    return np.asarray(pixels, dtype=np.uint8)


def _labels(labels: npt.NDArray[Any], count: int, where: str) -> npt.NDArray[np.str_]:
    """One name a picture; of one-hot rows the place of the one. Raises DataError for all else."""
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    elif labels.ndim == 2 and labels.dtype.kind in "iufb" and _one_hot(labels):
        labels = labels.argmax(axis=1)
    if labels.shape != (count,) or labels.dtype.kind not in "iubUS":
        raise DataError(
            f"{where} has the shape {labels.shape} of {labels.dtype}, not one whole number or name for "
            f"each of {count:,} pictures"
        )
    return np.char.decode(labels, "utf-8", "backslashreplace") if labels.dtype.kind == "S" else labels.astype("str")


def _one_hot(labels: npt.NDArray[Any]) -> bool:
    return bool(((labels == 0) | (labels == 1)).all() and (labels.sum(axis=1) == 1).all())
