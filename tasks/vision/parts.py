"""Encoded images on disk: per part one array of bytes (memory-mapped when read) and a table of ids and classes."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from .images import Pixels

SCHEMA = pa.schema([("id", pa.string()), ("class_id", pa.int32())])


@dataclass(frozen=True)
class Part:
    """ids, class_ids [rows], pixels uint8 [rows, channels, height, width]."""

    ids: list[str]
    class_ids: npt.NDArray[np.int64]
    pixels: Pixels

    def __len__(self) -> int:
        return len(self.ids)


def write_table(ids: list[str], class_ids: npt.NDArray[np.int64], path: Path) -> None:
    """Write the table of a part; its pixels lie beside it as .npy."""
    columns = [pa.array(ids, pa.string()), pa.array(class_ids, pa.int32())]
    pq.write_table(pa.Table.from_arrays(columns, schema=SCHEMA), path, compression="zstd")


def read_part(path: Path) -> Part:
    """Read the table at `path` and map the pixels beside it."""
    table = pq.read_table(path)
    pixels = np.load(path.with_suffix(".npy"), mmap_mode="r")
    return Part(table.column("id").to_pylist(), table.column("class_id").to_numpy().astype(np.int64), pixels)
