"""Split rows and their images -> encoded parts on disk, and the encoding that fits the training images."""

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from configs.schema import ImageEncode, Pixels

from ..data.files import DataError
from ..data.ledger import dropped_rows
from .encoding import ImageEncoding
from .images import CHANNELS, Unreadable, decode, place_of, read_bytes
from .parts import write_table

IMAGENET = Pixels(mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))
UNREADABLE = "unreadable image"
Progress = Callable[[int, int], None]


def encode_parts(
    section: ImageEncode, tables: Mapping[str, pd.DataFrame], images: Path, labels: list[str], folder: Path,
    progress: Progress,
) -> tuple[ImageEncoding, dict[str, list[str]], pd.DataFrame]:  # fmt: skip
    """Decode every image once into `<part>.npy` below `folder`, with `<part>.parquet` beside it.

    Returns the encoding, the ids kept per part, and the dropped rows (id, reason). Raises DataError where images
    differ in size and the recipe gives none.
    """
    shape = _shape(section, tables["train"], images)
    ids, gone, done, total = {}, [], 0, sum(map(len, tables.values()))
    for name, table in tables.items():
        bad = _fill(section, table, images, folder / f"{name}.npy", shape, lambda n: progress(done + n, total))  # noqa: B023
        kept = table[~bad]
        if bad.any():
            pixels = np.load(folder / f"{name}.npy")
            np.save(folder / f"{name}.npy", pixels[~bad])
        ids[name] = kept["id"].tolist()
        classes = np.array([labels.index(label) for label in kept["label"]], np.int64)
        write_table(ids[name], classes, folder / f"{name}.parquet")
        gone.append(dropped_rows(table[bad], UNREADABLE))
        done += len(table)
    constants = _constants(section, np.load(folder / "train.npy", mmap_mode="r"))
    encoding = ImageEncoding(
        "image", tuple(labels), section.mode, shape[0], shape[1], section.size is not None, section.fit,
        constants.mean, constants.std,
    )  # fmt: skip
    return encoding, ids, pd.concat(gone, ignore_index=True)


def _shape(section: ImageEncode, train: pd.DataFrame, images: Path) -> tuple[int, int]:
    """Height and width of what the model sees: the recipe's, or the first readable training image's."""
    if section.size is not None:
        return section.size, section.size
    for _, data in read_bytes(images, set(train["image"])):
        try:
            return decode(data, section.mode, None, section.fit).shape[1:]
        except Unreadable:
            continue
    raise DataError("no training image can be read")


def _fill(
    section: ImageEncode, table: pd.DataFrame, images: Path, path: Path, shape: tuple[int, int],
    progress: Callable[[int], None],
) -> npt.NDArray[np.bool_]:  # fmt: skip
    """Decode one part's images into an array file; which rows could not be read."""
    pixels = np.lib.format.open_memmap(path, "w+", np.uint8, (len(table), CHANNELS[section.mode], *shape))
    places, bad = place_of(table), np.zeros(len(table), bool)
    for count, (name, data) in enumerate(read_bytes(images, set(places)), 1):
        rows = places.pop(name)
        try:
            decoded = decode(data, section.mode, section.size, section.fit)
        except Unreadable:
            bad[rows] = True
            continue
        if decoded.shape[1:] != shape:
            high, wide = decoded.shape[1:]
            raise DataError(
                f"row {table['id'].iloc[rows[0]]} is {wide} x {high} pixels, others {shape[1]} x {shape[0]}; "
                "set encode.size"
            )
        pixels[rows] = decoded
        if count % 256 == 0:
            progress(count)
    if places:
        raise DataError(f"the image {next(iter(places))[:16]}… is missing from images.parquet")
    pixels.flush()
    return bad


def _constants(section: ImageEncode, train: npt.NDArray[np.uint8]) -> Pixels:
    """Mean and standard deviation per channel; `train` measures them on the training images alone."""
    channels = CHANNELS[section.mode]
    match section.normalise:
        case Pixels() as given:
            if {len(given.mean), len(given.std)} != {channels}:
                raise DataError(f"encode.normalise needs {channels} value(s) for mode {section.mode}")
            return given
        case "imagenet":
            if channels != 3:
                raise DataError("encode.normalise imagenet needs mode RGB")
            return IMAGENET
        case "none":
            return Pixels(mean=(0.0,) * channels, std=(1.0,) * channels)
    counts = np.zeros((channels, 256), np.int64)
    for start in range(0, len(train), 4096):
        for channel in range(channels):
            counts[channel] += np.bincount(train[start : start + 4096, channel].ravel(), minlength=256)
    levels, total = np.arange(256) / 255, counts.sum(1)
    mean = counts @ levels / total
    std = np.sqrt(counts @ levels**2 / total - mean**2)
    return Pixels(mean=tuple(mean.round(6).tolist()), std=tuple(np.maximum(std, 1e-6).round(6).tolist()))
