"""Mutated images, archives, arrays and tables of images: rows or a refusal, never another exception."""

import io
import random
import tarfile
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from configs.cleaning import Unreadable
from configs.columns import Columns
from configs.image_sources import ImagesSource
from configs.sources import FileSource, Source
from tasks import pins
from tasks.data.cleaning.image_checks import inspect
from tasks.data.errors import DataError
from tasks.data.sources.image_bytes import formats
from tasks.data.sources.image_store import ImageStore
from tasks.data.sources.provenance import Intake
from tasks.data.sources.read import read_source
from tasks.vision.images import Unreadable as NoImage
from tasks.vision.images import decode

KINDS = ("JPEG", "PNG", "GIF", "BMP", "WEBP", "TIFF", "PPM", "AVIF", "JPEG2000", "ICO", "HEIF")
TABLE = FileSource(kind="file", path="f.parquet", columns=Columns(image="image", label="label"))
LIST = FileSource(kind="file", path="f.csv", columns=Columns(image="image", label="label"))


def image(kind: str, mode: str = "RGB") -> bytes:
    pixels = np.random.default_rng(0).integers(0, 256, (24, 20, 3), dtype=np.uint8)
    picture = Image.fromarray(pixels).convert(mode)
    how = {"exif": b"Exif\0\0MM\0*\0\0\0\x08\0\1\1\x12\0\3\0\0\0\1\0\6\0\0\0\0\0\0"} if kind in ("JPEG", "WEBP") else {}
    picture.save(file := io.BytesIO(), kind, **how)
    return file.getvalue()


def images() -> list[bytes]:
    chosen = [kind for kind in KINDS if kind in formats()]
    return [*map(image, chosen), image("PNG", "P"), image("GIF", "P"), image("TIFF", "CMYK"), image("PNG", "LA")]


def members() -> dict[str, bytes]:
    return {f"{part}/{label}/{n}.png": image("PNG") for part in ("train", "test") for label in ("a", "é") for n in "12"}


def zipped() -> bytes:
    with zipfile.ZipFile(file := io.BytesIO(), "w") as archive:
        for number, (name, data) in enumerate(members().items()):
            how = zipfile.ZIP_DEFLATED if number % 2 else zipfile.ZIP_STORED
            archive.writestr(zipfile.ZipInfo(name), data, how)
    return file.getvalue()


def tarred(mode: str) -> bytes:
    with tarfile.open(fileobj=(file := io.BytesIO()), mode=mode, format=tarfile.PAX_FORMAT) as archive:
        for name, data in members().items():
            entry = tarfile.TarInfo("long " * 30 + name if "1" in name else name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return file.getvalue()


def arrays() -> bytes:
    pixels = np.zeros((4, 5, 6), np.uint8)
    np.savez(file := io.BytesIO(), x_train=pixels, y_train=[0, 1, 2, 3], x_test=pixels, y_test=np.array(["a"] * 4))
    return file.getvalue()


def parquet() -> bytes:
    values = [{"bytes": image("PNG"), "path": "a.png"}] * 2 + [None, {"bytes": b"", "path": "b"}]
    pd.DataFrame({"image": values, "label": ["a", "b", "a", "b"]}).to_parquet(file := io.BytesIO())
    return file.getvalue()


def mutated(data: bytes, chance: random.Random) -> bytes:
    """The bytes with some flipped, cut, doubled or replaced by extreme ones."""
    out = bytearray(data)
    for _ in range(chance.choice((1, 1, 2, 8))):
        place, size = chance.randrange(len(out) + 1), chance.choice((1, 1, 4, 40))
        match chance.randrange(5):
            case 0:
                out[place : place + size] = chance.randbytes(size)
            case 1:
                out[place : place + size] = chance.choice((b"\0", b"\xff", b"\x7f", b"\x80")) * size
            case 2:
                del out[place : place + size]
            case 3:
                out[place:place] = out[max(0, place - size) : place]
            case 4:
                out = out[: chance.randrange(len(out) + 1)] if chance.random() < 0.3 else out
    return bytes(out)


SOURCES: dict[str, tuple[str, Callable[[], bytes], Source]] = {
    "zip": ("f.zip", zipped, ImagesSource(kind="images", path="f.zip")),
    "tar": ("f.tar", lambda: tarred("w"), ImagesSource(kind="images", path="f.tar", split_folders=True)),
    "tar.gz": ("f.tgz", lambda: tarred("w:gz"), ImagesSource(kind="images", path="f.tgz")),
    "npz": ("f.npz", arrays, ImagesSource(kind="images", path="f.npz")),
    "parquet": ("f.parquet", parquet, TABLE),
    "csv": ("f.csv", lambda: b"image,label\nf.csv,a\n../data/f.csv,b\n/etc/hostname,\n\xc3\xa9.png,a\n", LIST),
}


def fuzz_sources(tmp_path: Path, rounds: int, seed: int) -> dict[str, int]:
    """How many mutated sources were read; the rest raised DataError."""
    chance, read = random.Random(seed), dict.fromkeys(SOURCES, 0)
    for kind, (name, make, source) in SOURCES.items():
        data, refused = make(), 0
        for number in range(rounds):
            (tmp_path / "data" / name).write_bytes(data if number == 0 else mutated(data, chance))
            try:
                pins.pin(source, ask=False)
                rows = read_source(source, Intake(tmp_path / "s"))
                assert len(rows) and set(rows) >= {"image", "file", "label", "split"}
                read[kind] += 1
            except DataError:
                refused += 1
        assert read[kind] + refused == rounds and read[kind]
    return read


def fuzz_images(tmp_path: Path, rounds: int, seed: int) -> int:
    """How many mutated images were decoded; the rest are unreadable for a reason that fits the ledger."""
    chance, decoded, seeds = random.Random(seed), 0, images()
    store = ImageStore(Intake(tmp_path / "s", tmp_path / "images.parquet"))
    digests, reasons = [], set()
    with store, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of Pillow, about what it fixes
        for number in range(rounds):
            data = seeds[number] if number < len(seeds) else mutated(chance.choice(seeds), chance)
            digests.append(store.add(data))
            try:
                assert decode(data, chance.choice(("RGB", "L")), chance.choice((8, None)), "crop").dtype == np.uint8
                decoded += 1
            except NoImage as error:
                reasons.add(str(error))
        store.write()
    seen = inspect(tmp_path / "images.parquet", pd.Series(digests), (Unreadable(kind="unreadable"),))
    assert len(seen) == len(set(digests)) and seen["cause"][digests[: len(seeds)]].isna().all()
    assert all(0 < len(reason) <= 40 for reason in reasons)
    return decoded


def test_mutated_sources_are_read_or_refused(tmp_path: Path) -> None:
    read = fuzz_sources(tmp_path, 30, 0)
    assert all(1 <= count <= 30 for count in read.values()), read


def test_mutated_images_are_decoded_or_unreadable(tmp_path: Path) -> None:
    assert 50 < fuzz_images(tmp_path, 500, 0) < 500


@pytest.mark.long
@pytest.mark.parametrize("seed", range(1, 5))
def test_thousands_of_mutated_sources_and_images(tmp_path: Path, seed: int) -> None:
    fuzz_sources(tmp_path, 400, seed)
    fuzz_images(tmp_path, 3000, seed)
