"""Image data sets that torchvision knows -> rows with their own splits; every image kept as a PNG file's bytes."""

import gzip
import hashlib
import struct
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from configs.image_sources import TorchvisionSource
from configs.settings import settings

from ..errors import DataError
from ..files import check_file
from .image_store import ImageStore
from .provenance import Intake

IDX = ("MNIST", "FashionMNIST", "KMNIST")
"""Sets in four files, images and labels of training and test, in MNIST's own format."""
IDX_FILES = {
    "train": ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
    "test": ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"),
}
MNIST_MD5 = {
    "train-images-idx3-ubyte": "6bbc9ace898e44ae57da46a324031adb",
    "train-labels-idx1-ubyte": "a25bea736e30d166cdddb491f175f624",
    "t10k-images-idx3-ubyte": "2646ac647ad5339dbf082846283269ea",
    "t10k-labels-idx1-ubyte": "27ae3e4e09519cfbb04c329615203637",
}
"""Published sums of the unpacked files; the packed ones differ from copy to copy."""
TELL_EVERY = 1000
"""Images between two signs of progress."""
ATTEMPTS = 4
FIRST_WAIT = 0.5
"""Seconds before the second attempt; doubled before each further one."""


def read_image_set(source: TorchvisionSource, intake: Intake) -> pd.DataFrame:
    """Rows (image, file, label, split) of a set, from its folder or downloaded into the scratch folder.

    Labels are the names of the classes, or the digits themselves. Raises DataError for absent or altered files.
    """
    if source.path is not None and source.name in IDX:
        folder = settings().source(source.path)
        parts = {split: _idx_part(folder, source.name, split, intake) for split in IDX_FILES}
    else:
        folder = settings().source(source.path) if source.path else intake.scratch / "torchvision"
        parts = {split: read_arrays(_open(source, folder, split)) for split in IDX_FILES}
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            intake.used(path, path.relative_to(folder).as_posix())
    frame = store_pictures(parts, intake)
    labels = np.concatenate([labels for _, labels in parts.values()])
    splits = np.repeat(list(parts), [len(labels) for _, labels in parts.values()])
    return frame.assign(label=labels, split=splits).astype({"label": "str", "split": "str"})


def read_digits(path: Path, intake: Intake) -> pd.DataFrame:
    """Rows (image, file, label, split) of scikit-learn's digits: 64 grey values of 0 to 16 and the digit a line."""
    table = np.loadtxt(path, delimiter=",", dtype=np.int64)
    images = (table[:, :64].reshape(-1, 8, 8) * 255 // 16).astype(np.uint8)
    labels = table[:, 64].astype("str")
    return (
        store_pictures({"digits": (images, labels)}, intake).assign(label=labels, split=None).astype({"label": "str"})
    )


def store_pictures(parts: dict[str, tuple[np.ndarray, np.ndarray]], intake: Intake) -> pd.DataFrame:
    """Keep pictures of bytes, by part, as PNG files; rows (image, file) in their order."""
    total = sum(len(labels) for _, labels in parts.values())
    rows: list[tuple[str, str]] = []
    with ImageStore(intake) as store:
        for split, (images, _) in parts.items():
            for number, image in enumerate(images):
                rows.append((store.add(png(image)), f"{split}/{number:05d}.png"))
                if len(rows) % TELL_EVERY == 0 or len(rows) == total:
                    intake.progress(len(rows), total, "writing images")
        store.write()
    return pd.DataFrame(rows, columns=["image", "file"], dtype="str")


def png(image: np.ndarray) -> bytes:
    """A PNG file of a grey (height, width) or colour (height, width, 3) image of bytes: one image, one file."""
    height, width = image.shape[:2]
    lines = np.zeros((height, 1 + image[0].size), dtype=np.uint8)  # each line begins with its filter: none
    lines[:, 1:] = image.reshape(height, -1)
    header = struct.pack(">IIBBBBB", width, height, 8, 0 if image.ndim == 2 else 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(lines.tobytes(), 6)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in chunks
    )


def read_arrays(dataset: Any) -> tuple[np.ndarray, np.ndarray]:
    """Images (count, height, width[, 3]) as bytes and the names of their labels, of a torchvision data set."""
    images = np.asarray(dataset.data)
    targets = np.asarray(dataset.labels if hasattr(dataset, "labels") else dataset.targets)
    if images.ndim == 4 and images.shape[1] == 3 and images.shape[3] != 3:
        images = images.transpose(0, 2, 3, 1)
    return images, _class_names(dataset, targets)


def _class_names(dataset: Any, targets: np.ndarray) -> np.ndarray:
    """Digits stay digits: MNIST calls its classes "0 - zero"."""
    names = list(getattr(dataset, "classes", ()))
    if not names or any(name[:1].isdigit() for name in names):
        return targets.astype("str")
    named: np.ndarray = np.asarray(names, dtype="str")[targets]
    return named


def _open(source: TorchvisionSource, folder: Path, split: str) -> Any:
    """The data set object, downloaded with torchvision's mirrors and checksums unless the folder was given."""
    import torchvision

    kind = getattr(torchvision.datasets, source.name)
    part = {"split": split} if source.name == "SVHN" else {"train": split == "train"}
    given = source.path is not None
    folder.mkdir(parents=True, exist_ok=True) if not given else None
    for attempt in range(1 if given else ATTEMPTS):
        try:
            return kind(str(folder), download=not given, **part)
        except (RuntimeError, OSError) as error:  # absent, altered, or no way to the server
            reason = (str(error).strip().splitlines() or [type(error).__name__])[-1]
            if given or attempt == ATTEMPTS - 1:
                where = str(folder) if given else f"torchvision's {source.name}"
                raise DataError(f"{where}: {reason}") from None
            time.sleep(FIRST_WAIT * 2**attempt)
    raise AssertionError("unreachable")


def _idx_part(folder: Path, name: str, split: str, intake: Intake) -> tuple[np.ndarray, np.ndarray]:
    images, labels = (read_idx(idx_file(folder, file), name, intake) for file in IDX_FILES[split])
    if images.ndim != 3 or labels.ndim != 1 or len(images) != len(labels):
        raise DataError(f"{folder}: {split} has images {images.shape} and labels {labels.shape}; they belong together")
    if name == "MNIST":
        return images, labels.astype("str")
    from torchvision import datasets

    return images, _class_names(getattr(datasets, name), labels)


def idx_file(folder: Path, name: str) -> Path:
    """The file, unpacked or gzipped. Raises DataError where neither is there."""
    plain, packed = folder / name, folder / f"{name}.gz"
    if plain.is_file():
        return plain
    check_file(packed)
    return packed


def read_idx(path: Path, name: str, intake: Intake) -> np.ndarray:
    """Read one idx file, gzipped or not, into an array of bytes. Raises DataError for other bytes than published."""
    intake.used(path)
    try:
        data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path}: damaged ({error}); fetch it again") from None
    known = next(_published(path, name), None)
    if known is None:
        intake.note(f"{path.name}: no published checksum was there to compare it with")
    elif hashlib.md5(data if known[0] else path.read_bytes(), usedforsecurity=False).hexdigest() != known[1]:
        raise DataError(f"{path}: other bytes than published (MD5 {known[1]}); fetch it again")
    rank = data[3] if data[:3] == b"\0\0\x08" else 0
    shape = struct.unpack(f">{rank}I", data[4 : 4 + 4 * rank]) if len(data) >= 4 + 4 * rank else ()
    if not rank or len(data) != 4 + 4 * rank + int(np.prod(shape, dtype=object)):
        raise DataError(f"{path}: not an idx file of bytes, or cut off; fetch it again")
    return np.frombuffer(data, np.uint8, offset=4 + 4 * rank).reshape(shape)


def _published(path: Path, name: str) -> Iterator[tuple[bool, str]]:
    """Whether the sum is of the unpacked bytes, and the sum."""
    if name == "MNIST":
        yield True, MNIST_MD5[path.name.removesuffix(".gz")]
    elif path.suffix == ".gz":
        from torchvision import datasets

        yield from ((False, md5) for file, md5 in getattr(datasets, name).resources if file == path.name)
