"""Bytes of image files, as cleaning, encoding and prediction read them: where they lie, formats, what is wrong."""

import re
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path

from PIL import Image, UnidentifiedImageError

FORMATS = ("JPEG", "MPO", "PNG", "GIF", "BMP", "WEBP", "TIFF", "PPM", "AVIF", "JPEG2000", "ICO", "HEIF")
"""What is tried on the bytes, whatever the file is called; others of Pillow's would start programs or read fonts."""


UNREAD = {
    re.compile(rb"....ftyp(hei[cxms]|hev[cms]|mif1|msf1)", re.DOTALL): "HEIC",
    re.compile(rb"....ftyp(avif|avis)", re.DOTALL): "AVIF",
    re.compile(rb"\xff\x0a|....JXL ", re.DOTALL): "JPEG XL",
    re.compile(rb"8BPS"): "PSD",
    re.compile(rb"\s{0,99}<(\?xml[^>]{0,200}>\s{0,99}<)?svg"): "SVG",
    re.compile(rb"%PDF"): "PDF",
}
"""First bytes of pictures that are not read, or not by every installation."""


_READ_AS = {"HEIC": "HEIF", "AVIF": "AVIF"}
"""Those of UNREAD that some installations read, with the format's name in Pillow."""


class Measured(ValueError):
    """Pixels that are measured numbers, of which nothing says which one is white."""


@cache
def formats() -> tuple[str, ...]:
    """Those of FORMATS that this Pillow was built with, and HEIF where the extra `heic` is installed."""
    Image.init()
    with suppress(ImportError):
        import pillow_heif

        pillow_heif.register_heif_opener()
    return tuple(name for name in FORMATS if name in Image.OPEN)


def refuse_measured(image: Image.Image) -> None:
    """Raise Measured for whole or floating numbers of 32 bits, which TIFF can hold; cut to bytes they would be black.

    Of the 16 bits of PPM and PNG Pillow makes 32 too.
    """
    if image.mode == "F" or (image.mode == "I" and image.format not in ("PPM", "PNG")):
        raise Measured


def cause_of(error: Exception, data: bytes = b"") -> str:
    """At most 40 characters on what is wrong with an image, from what its decoder raised and its bytes."""
    if isinstance(error, Image.DecompressionBombError | Image.DecompressionBombWarning):
        return "too many pixels"
    if isinstance(error, Measured):
        return "pixels without a known white (32 bits)"
    if isinstance(error, UnidentifiedImageError):
        kind = next((name for mark, name in UNREAD.items() if mark.match(data)), None)
        if _READ_AS.get(str(kind)) in formats():
            return f"damaged {kind}"
        if kind == "HEIC":
            return "HEIC: `pip install pillow-heif` reads it"
        return "not an image" if kind is None else f"{kind}, which is not read: save as PNG"
    if isinstance(error, EOFError) or "truncated" in str(error).lower():
        return "truncated"
    return "damaged" if isinstance(error, OSError | SyntaxError | ValueError) else f"damaged ({type(error).__name__})"


def read_groups(path: Path, digests: set[str]) -> Iterator[tuple[list[str], list[bytes]]]:
    """Digests and bytes of the wanted images of an images.parquet, in its order, one row group at a time."""
    import pyarrow.parquet as pq  # not before it is needed: a served model reads no table of images

    file = pq.ParquetFile(path)
    for number in range(file.num_row_groups):
        group = file.read_row_group(number)
        names = group["image"].to_pylist()
        here = [place for place, name in enumerate(names) if name in digests]
        if here:
            yield [names[place] for place in here], group["bytes"].take(here).to_pylist()
