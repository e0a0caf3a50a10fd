"""Split rows and their images -> encoded parts on disk, and the encoding that fits the training images."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow.parquet as pq

from configs.image_encodings import ImageEncode
from configs.image_encodings import Pixels as Constants

from ...artifact import Artifact
from ...data.errors import DataError
from ...data.ledger import dropped_rows
from ...data.reserved import reserved_array
from ...data.sources.image_bytes import read_groups
from ...vision.encoding import ImageEncoding
from ...vision.images import Pixels, Unreadable, decode, place_of, read_bytes
from ...vision.parts import ARRAY, FILES, Integers, threads, write_table
from ..spec import EncodedRows, StageOutput

IMAGENET = Constants(mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))
CLIP = Constants(mean=(0.48145466, 0.4578275, 0.40821073), std=(0.26862954, 0.26130258, 0.27577711))
ARRAY_BYTES = 8 * 2**30
"""Up to so many bytes `encode.keep: auto` decodes once; above them it keeps files."""
BLOCK = 1024
Progress = Callable[[int, int], None]


@dataclass
class ArrayWriter:
    """One part as an array of bytes; rows may come in any order."""

    path: Path
    shape: tuple[int, ...]
    pixels: "np.memmap[Any, np.dtype[np.uint8]]" = field(init=False)

    def __post_init__(self) -> None:
        self.pixels = reserved_array(self.path, self.shape)

    def put(self, rows: Sequence[Sequence[int]], data: Sequence[bytes], pixels: Pixels) -> None:
        """Keep images, each for its rows."""
        self.pixels[np.concatenate(rows)] = np.repeat(pixels, [len(each) for each in rows], axis=0)

    def close(self, kept: npt.NDArray[np.bool_]) -> list[Integers]:
        """Finish with the kept rows alone."""
        self.pixels.flush()
        if not kept.all():
            aside, chosen = self.path.with_suffix(".all"), np.flatnonzero(kept)
            whole = np.load(self.path.rename(aside), mmap_mode="r")
            self.pixels = reserved_array(self.path, (len(chosen), *self.shape[1:]))
            for start in range(0, len(chosen), BLOCK):
                self.pixels[start : start + BLOCK] = whole[chosen[start : start + BLOCK]]
            self.pixels.flush()
            aside.unlink()
        return []


class FileWriter:
    """One part as the bytes of its image files, one behind another."""

    def __init__(self, path: Path, shape: tuple[int, ...]) -> None:
        self.handle, self.end = path.open("wb"), 0
        self.start, self.length = np.zeros(shape[0], np.int64), np.zeros(shape[0], np.int64)

    def put(self, rows: Sequence[Sequence[int]], data: Sequence[bytes], pixels: Pixels) -> None:
        """Keep images, each for its rows."""
        for each, image in zip(rows, data, strict=True):
            self.start[each], self.length[each] = self.end, len(image)
            self.end += self.handle.write(image)

    def close(self, kept: npt.NDArray[np.bool_]) -> list[Integers]:
        """Finish; start and length of the kept rows."""
        self.handle.close()
        return [self.start[kept], self.length[kept]]


class SplitImages(NamedTuple):
    """The images of a split, by content hash, and its labels in the order of class ids."""

    path: Path
    labels: list[str]


@dataclass(frozen=True)
class Written:
    """Where decoded images go, and what counts the pixels of training images [channels, 256]."""

    writer: ArrayWriter | FileWriter
    levels: Integers | None

    def put(self, rows: Sequence[Sequence[int]], data: Sequence[bytes], pixels: Pixels) -> None:
        """Keep images, each for its rows, and count their pixels."""
        self.writer.put(rows, data, pixels)
        if self.levels is not None:
            _count(np.repeat(pixels, [len(each) for each in rows], axis=0), self.levels)


def encode_parts(
    section: ImageEncode,
    tables: Mapping[str, pd.DataFrame],
    images: SplitImages,
    folder: Path,
    progress: Progress,
) -> tuple[ImageEncoding, dict[str, list[str]], pd.DataFrame]:
    """Decode every image once and write each part, as an array or as files, with its table below `folder`.

    Returns the encoding, the ids kept per part, and the dropped rows (id, reason). Raises DataError where images
    differ in size and the recipe gives none.
    """
    encoding = _plain_encoding(section, tables["train"], images)
    shape = (encoding.channels, *encoding.stored)
    total = sum(map(len, tables.values()))
    as_files = section.keep == "files" or (section.keep == "auto" and total * int(np.prod(shape)) > ARRAY_BYTES)
    numbers = {label: number for number, label in enumerate(images.labels)}
    levels, ids, gone, done = np.zeros((shape[0], 256), np.int64), {}, [], 0
    for name, table in tables.items():
        kind, end = (FileWriter, FILES) if as_files else (ArrayWriter, ARRAY)
        writer = kind(folder / f"{name}{end}", (len(table), *shape))
        counted = levels if name == "train" and section.normalise == "train" else None
        into = Written(writer, counted)
        causes = _fill(encoding, table, images.path, into, lambda n: progress(done + n, total))  # noqa: B023
        kept = causes == ""
        places = writer.close(kept)
        ids[name] = table["id"][kept].tolist()
        classes = table["label"][kept].map(numbers).to_numpy(np.int64)
        write_table(ids[name], classes, places, folder / f"{name}.parquet")
        gone += [dropped_rows(table[causes == cause], f"unreadable: {cause}") for cause in sorted({*causes} - {""})]
        done += len(table)
    if not ids["train"]:
        raise DataError("no training image can be read")
    constants = _constants(section, levels)
    empty = dropped_rows(tables["train"][:0], "")
    return replace(encoding, mean=constants.mean, std=constants.std), ids, pd.concat([empty, *gone], ignore_index=True)


def _plain_encoding(section: ImageEncode, train: pd.DataFrame, images: SplitImages) -> ImageEncoding:
    """The encoding without its constants; where the recipe gives no size, of the first readable training image's."""
    make = ImageEncoding(
        "image", tuple(images.labels), section.mode, 0, 0, section.size is not None, section.fit, (), ()
    )
    if section.size is not None:
        return replace(make, height=section.size, width=section.size, resize=section.resize)
    for _, data in read_bytes(images.path, set(train["image"])):
        try:
            _, height, width = decode(data, section.mode, None, section.fit).shape
        except Unreadable:
            continue
        return replace(make, height=height, width=width)
    raise DataError("no training image can be read")


def _fill(
    encoding: ImageEncoding,
    table: pd.DataFrame,
    images: Path,
    into: Written,
    progress: Callable[[int], None],
) -> npt.NDArray[np.str_]:
    """Write one part's images; why each row could not be read, or ""."""
    places, causes, count = place_of(table), np.full(len(table), "", dtype="U40"), 0
    side = encoding.stored[0] if encoding.resized else None

    def attempt(data: bytes) -> Pixels | Unreadable:
        try:
            return decode(data, encoding.mode, side, encoding.fit)
        except Unreadable as error:
            return error

    for names, data in read_groups(images, set(places)):
        rows = [places.pop(name) for name in names]
        decoded = list(threads().map(attempt, data))
        good = [at for at, image in enumerate(decoded) if not isinstance(image, Unreadable)]
        for at, image in enumerate(decoded):
            if isinstance(image, Unreadable):
                causes[rows[at]] = str(image)
            elif image.shape[1:] != encoding.stored:
                raise _other_size(table["id"].iloc[rows[at][0]], image.shape[1:], encoding.stored)
        if good:
            block = np.stack([decoded[at] for at in good])  # type: ignore[misc]
            into.put([rows[at] for at in good], [data[at] for at in good], block)
        count += sum(map(len, rows))
        progress(count)
    if places:
        raise DataError(f"the image {next(iter(places))[:16]}… is missing from images.parquet")
    return causes


def _other_size(row: str, size: tuple[int, ...], wanted: tuple[int, int]) -> DataError:
    return DataError(f"row {row} is {size[1]} x {size[0]} pixels, others {wanted[1]} x {wanted[0]}; set encode.size")


def _count(pixels: Pixels, levels: Integers) -> None:
    for channel in range(len(levels)):
        levels[channel] += np.bincount(pixels[:, channel].ravel(), minlength=256)


def _constants(section: ImageEncode, levels: Integers) -> Constants:
    """Mean and standard deviation per channel; `train` measures them on the training images alone."""
    match section.normalise:
        case Constants() as given:
            return given
        case "imagenet":
            return IMAGENET
        case "clip":
            return CLIP
        case "none":
            return Constants(mean=(0.0,) * len(levels), std=(1.0,) * len(levels))
    values, total = np.arange(256) / 255, levels.sum(1)
    mean = levels @ values / total
    std = np.sqrt(levels @ values**2 / total - mean**2)
    return Constants(mean=tuple(mean.round(6).tolist()), std=tuple(np.maximum(std, 1e-6).round(6).tolist()))


def require_labels(path: Path, rows: pd.DataFrame, labels: list[str]) -> None:
    """Read a part as training reads it, and compare each image's class id with its row's label. Raises DataError."""
    table = pq.read_table(path, columns=["id", "class_id"]).to_pandas()
    due = rows.set_index("id")["label"].loc[table["id"]].map({label: number for number, label in enumerate(labels)})
    odd = table.loc[due.to_numpy() != table["class_id"].to_numpy(), "id"]
    if len(odd):
        raise DataError(
            f"{path.stem}: {len(odd)} images have a class id that is not their label's, such as {odd.iloc[0]}"
        )


def encode_rows(
    out: StageOutput, section: ImageEncode, tables: dict[str, pd.DataFrame], splits: Artifact
) -> EncodedRows:
    """Decode every part's images. Raises DataError."""
    images, labels = splits.file("images.parquet"), json.loads(splits.file("labels.json").read_text(encoding="utf-8"))
    encoding, ids, dropped = encode_parts(
        section, tables, SplitImages(images, labels), out.data, lambda done, of: out.progress(done, of, "decoding")
    )
    encoding.save(out.data)
    for name, table in tables.items():
        require_labels(out.data / f"{name}.parquet", table, labels)
    counts = ", ".join(f"{name} {len(rows):,}" for name, rows in ids.items())
    page = (
        f"# encode (image): {counts}\n\n{encoding.width} x {encoding.height} pixels, mode {encoding.mode}; "
        f"{f'the middle of {encoding.resize} x {encoding.resize}; ' if encoding.resize else ''}"
        f"pixels of 0 to 1 less {encoding.mean}, divided by {encoding.std}.\n\nUnreadable: {len(dropped):,}."
    )
    return EncodedRows(ids, dropped, page)
