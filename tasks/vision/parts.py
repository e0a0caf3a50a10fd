"""Encoded images on disk: per part a table of ids and classes, next to it one array of bytes, or the files' bytes."""

import os
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from configs.settings import settings

from .encoding import ImageEncoding
from .images import Pixels

ARRAY, FILES = ".npy", ".bin"
"""Ends of the names of what lies next to a table."""
SCHEMA = pa.schema([("id", pa.string()), ("class_id", pa.int32())])
PLACES = pa.schema([*SCHEMA, ("start", pa.int64()), ("length", pa.int64())])
"""Of a part whose images are kept as files: where each one's bytes are."""
Integers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class FilePixels:
    """Images that are decoded whenever they are asked for, by several threads; indexed as the array they stand for."""

    encoding: ImageEncoding
    data: npt.NDArray[np.uint8]
    start: Integers
    length: Integers

    @property
    def shape(self) -> tuple[int, ...]:
        """rows, channels, height, width."""
        return (len(self.start), self.encoding.channels, *self.encoding.stored)

    def __len__(self) -> int:
        return len(self.start)

    def __getitem__(self, rows: int | slice | Sequence[int]) -> Pixels:
        chosen = np.arange(len(self))[rows]
        if np.ndim(chosen) == 0:
            return self._decode(int(chosen))
        chosen_pixels = np.empty((len(chosen), *self.shape[1:]), np.uint8)
        for place, pixels in enumerate(threads().map(self._decode, chosen.tolist())):
            chosen_pixels[place] = pixels
        return chosen_pixels

    def _decode(self, row: int) -> Pixels:
        start = self.start[row]
        return self.encoding.pixels(self.data[start : start + self.length[row]].tobytes())


@dataclass(frozen=True)
class Part:
    """ids, class_ids [rows], pixels uint8 [rows, channels, height, width]; of a student's training rows its teachers'
    logits [rows, teachers, classes]."""

    ids: list[str]
    class_ids: Integers
    pixels: Pixels | FilePixels
    teachers: npt.NDArray[np.float32] | None = None

    def __len__(self) -> int:
        return len(self.ids)


@cache
def threads() -> ThreadPoolExecutor:
    """Those that decode images; Pillow lets others work meanwhile."""
    return ThreadPoolExecutor(settings().threads or os.cpu_count(), "decoding")


def write_table(ids: list[str], class_ids: Integers, places: Iterable[Integers], path: Path) -> None:
    """Write the table of a part; `places`: start and length of each image's bytes where it is kept as a file."""
    columns = [pa.array(ids, pa.string()), pa.array(class_ids, pa.int32()), *map(pa.array, places)]
    schema = SCHEMA if len(columns) == len(SCHEMA) else PLACES
    pq.write_table(pa.Table.from_arrays(columns, schema=schema), path, compression="zstd")


def read_part(path: Path, encoding: ImageEncoding) -> Part:
    """Read the table at `path` and map what lies next to it."""
    table = pq.read_table(path)
    numbers = {name: table.column(name).to_numpy().astype(np.int64) for name in table.column_names if name != "id"}
    if "start" not in numbers:
        pixels: Pixels | FilePixels = np.load(path.with_suffix(ARRAY), mmap_mode="r")
    else:
        data = path.with_suffix(FILES)
        mapped = np.memmap(data, np.uint8, "r") if data.stat().st_size else np.empty(0, np.uint8)
        pixels = FilePixels(encoding, mapped, numbers["start"], numbers["length"])
    return Part(table.column("id").to_pylist(), numbers["class_id"], pixels)
