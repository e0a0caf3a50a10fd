"""Steps about images: rows in, the reason per row that is dropped out; images.parquet is read once, group by group."""

import io
import math
import os
import warnings
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from configs import cleaning as steps
from configs.settings import settings

from ..drops import Drops, drop_where
from ..errors import DataError
from ..optional import package

if TYPE_CHECKING:
    from PIL.Image import Image


@dataclass(frozen=True)
class Seen:
    """What is known of one image: why it cannot be read (else None), mode, shortest side in pixels, difference hash."""

    cause: str | None
    mode: str | None = None
    side: int = 0
    hash: int = 0


def inspect(path: Path, wanted: pd.Series, chosen: tuple[object, ...]) -> pd.DataFrame:
    """Inspect the wanted images of an images.parquet as far as the chosen steps need; one line per sha256.

    Columns cause, mode, side, hash. Raises DataError where an image is not in the file.
    """
    kinds = {type(step) for step in chosen}
    look = partial(
        _look,
        whole=bool(kinds & {steps.Unreadable, steps.PerceptualDuplicates}),
        hashed=steps.PerceptualDuplicates in kinds,
    )
    digests = set(wanted.dropna())
    with warnings.catch_warnings(), ThreadPoolExecutor(settings().threads or os.cpu_count()) as threads:
        from PIL import Image

        from ..sources.image_bytes import read_groups

        warnings.simplefilter("ignore")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        seen = {
            name: inspected
            for names, images in read_groups(path, digests)
            for name, inspected in zip(names, threads.map(look, images), strict=True)
        }
    if len(seen) < len(digests):
        raise DataError(f"{path}: {len(digests) - len(seen)} images are missing, such as {min(digests - set(seen))}")
    columns = ["cause", "mode", "side", "hash"]
    lines = [[getattr(inspected, column) for column in columns] for inspected in seen.values()]
    kinds_of = {"cause": "str", "mode": "str", "side": "int64", "hash": "uint64"}
    return pd.DataFrame(lines, index=pd.Index(seen, dtype="str"), columns=columns).astype(kinds_of)


def _look(data: bytes, *, whole: bool, hashed: bool) -> Seen:
    """Open an image and, where `whole`, decode every pixel of every frame; a PNG's checksums count too."""
    from PIL import Image

    from ..sources.image_bytes import cause_of, formats, refuse_measured

    if not data:
        return Seen("empty")
    try:
        if whole:
            with Image.open(io.BytesIO(data), formats=formats()) as image:
                image.verify()
        with Image.open(io.BytesIO(data), formats=formats()) as image:
            if whole:
                refuse_measured(image)
                _decode(image)
            seen = Seen(None, image.mode, min(image.size))
    except Exception as error:  # decoders raise whatever a byte made them stumble over
        return Seen(cause_of(error, data))
    return replace(seen, hash=_hash(image)) if hashed else seen


def _hash(image: "Image") -> int:
    """The difference hash of a decoded image: 64 bits, each whether a pixel is brighter than its left neighbour."""
    bits = package("imagehash", "perceptual_duplicates").dhash(image).hash
    return int.from_bytes(np.packbits(bits).tobytes(), "big")


def _decode(image: "Image") -> None:
    """Decode all frames, the first one last. Raises DecompressionBombError where they are too many pixels together."""
    from PIL.Image import MAX_IMAGE_PIXELS, DecompressionBombError

    frames: int = getattr(image, "n_frames", 1)
    if frames * image.width * image.height > (MAX_IMAGE_PIXELS or math.inf):
        raise DecompressionBombError
    for frame in reversed(range(frames)):
        image.seek(frame)
        image.load()


def unreadable(rows: pd.DataFrame, step: object, seen: pd.DataFrame) -> Drops:
    """Images that cannot be decoded; the reason names the cause."""
    return Drops(_unreadable(rows, seen))


def _unreadable(rows: pd.DataFrame, seen: pd.DataFrame) -> pd.Series:
    return ("unreadable: " + rows["image"].map(seen["cause"])).astype("str")


def mode(rows: pd.DataFrame, step: steps.Mode, seen: pd.DataFrame) -> Drops:
    """Images of other pixel modes, and those that have none because they cannot be opened."""
    modes = rows["image"].map(seen["mode"])
    reasons = ("mode: " + modes).astype("str").where(modes.notna() & ~modes.isin(step.keep))
    return Drops(_unreadable(rows, seen).fillna(reasons))


def size(rows: pd.DataFrame, step: steps.Size, seen: pd.DataFrame) -> Drops:
    """Images with a short side, and those that have none because they cannot be opened."""
    small = drop_where(rows["image"].map(seen["side"]) < step.min_side, "too small").reasons
    return Drops(_unreadable(rows, seen).fillna(small))
