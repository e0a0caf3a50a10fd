"""Image files as bytes -> one array of bytes per part: rows x channels x height x width."""

import io
import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
from PIL import Image, ImageOps

from ..data.sources.image_bytes import cause_of, formats, read_groups, refuse_measured

Pixels = npt.NDArray[np.uint8]
CHANNELS = {"L": 1, "RGB": 3}


class Unreadable(ValueError):
    """Bytes that are no image; the message says why in a few words."""


def decode(data: bytes, mode: str, size: int | None, fit: str) -> Pixels:
    """Pixels [channels, height, width] of one image file: upright as its EXIF data say, first frame, 16 bits scaled.

    `size` is the side of the square that results: `crop` scales the shorter side and cuts the middle, `squash` scales
    both. Raises Unreadable.
    """
    if not data:
        raise Unreadable("empty")
    try:
        with Image.open(io.BytesIO(data), formats=formats()) as image:
            if image.width * image.height > (Image.MAX_IMAGE_PIXELS or math.inf):
                raise Image.DecompressionBombError
            refuse_measured(image)
            image.load()
            plain = _eight_bits(ImageOps.exif_transpose(image)).convert(mode)
    except Exception as error:  # decoders raise whatever a byte made them stumble over
        raise Unreadable(cause_of(error, data)) from None
    if size is not None and plain.size != (size, size):
        plain = _square(plain, size, fit)
    pixels = np.asarray(plain)
    return pixels[None] if mode == "L" else np.ascontiguousarray(pixels.transpose(2, 0, 1))


def _eight_bits(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I;16") or image.mode == "I":
        return Image.fromarray((np.asarray(image).astype(np.int64) >> 8).clip(0, 255).astype(np.uint8))
    if image.mode in ("P", "PA", "LA", "RGBA") or "transparency" in image.info:
        white = Image.new("RGBA", image.size, "white")
        return Image.alpha_composite(white, image.convert("RGBA"))
    return image


def _square(image: Image.Image, size: int, fit: str) -> Image.Image:
    if fit == "squash":
        return image.resize((size, size), Image.Resampling.BILINEAR)
    return ImageOps.fit(image, (size, size), Image.Resampling.BILINEAR)


def read_bytes(path: Path, wanted: set[str]) -> Iterator[tuple[str, bytes]]:
    """Digest and bytes of the wanted images in an images.parquet, in its order, without holding them all."""
    for names, images in read_groups(path, wanted):
        yield from zip(names, images, strict=True)


def place_of(rows: pd.DataFrame) -> dict[str, list[int]]:
    """Positions of the rows that show each image."""
    places: dict[str, list[int]] = {}
    for position, name in enumerate(rows["image"]):
        places.setdefault(name, []).append(position)
    return places
