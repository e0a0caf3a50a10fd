"""Encoded rows on disk: one Parquet file per part of the split."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from .segments import Encoded

SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("class_id", pa.int32()),
        ("input_ids", pa.list_(pa.int32())),
        ("labels", pa.list_(pa.int32())),
        ("cut", pa.int32()),
    ]
)
VALUE = "value"
"""Further column of parts whose rows have numbers."""
SETS = "label_ids"
"""Further column of parts whose rows have any number of labels: the ids of these."""
TYPES = "token_types"
"""Further column of parts whose rows are pairs of texts."""


@dataclass(frozen=True)
class Part:
    """Encoded rows with their ids and class ids (int64 [rows]), or in place of these with numbers to predict (float64
    [rows])."""

    ids: list[str]
    class_ids: npt.NDArray[np.int64]
    encoded: Encoded
    values: npt.NDArray[np.float64] | None = None
    sets: tuple[tuple[int, ...], ...] | None = None
    """Of each row the ids of its labels, ascending, where it may have any number of them."""
    teachers: npt.NDArray[np.float32] | None = None
    """Logits of a student's teachers [rows, teachers, classes], of training rows."""

    def __len__(self) -> int:
        return len(self.ids)


def write_part(part: Part, path: Path) -> None:
    """Write one part."""
    offsets = pa.array(part.encoded.offsets, pa.int32())
    columns = [
        pa.array(part.ids, pa.string()),
        pa.array(part.class_ids, pa.int32()),
        pa.ListArray.from_arrays(offsets, pa.array(part.encoded.ids, pa.int32())),
        pa.ListArray.from_arrays(offsets, pa.array(part.encoded.labels, pa.int32())),
        pa.array(part.encoded.cut, pa.int32()),
    ]
    table = pa.Table.from_arrays(columns, schema=SCHEMA)
    if part.values is not None:
        table = table.append_column(VALUE, pa.array(part.values, pa.float64()))
    if part.sets is not None:
        table = table.append_column(
            SETS, pa.array([list(row_labels) for row_labels in part.sets], pa.list_(pa.int32()))
        )
    if part.encoded.types is not None:
        types = pa.ListArray.from_arrays(offsets, pa.array(part.encoded.types, pa.int32()))
        table = table.append_column(TYPES, types)
    pq.write_table(table, path, compression="zstd")


def read_part(path: Path) -> Part:
    """Read one part."""
    table = pq.read_table(path).combine_chunks()
    lists = table.column("input_ids").combine_chunks()
    types = table.column(TYPES).combine_chunks().flatten().to_numpy() if TYPES in table.column_names else None
    encoded = Encoded(
        ids=lists.flatten().to_numpy().astype(np.int32),
        labels=table.column("labels").combine_chunks().flatten().to_numpy().astype(np.int32),
        offsets=np.concatenate([[0], np.cumsum(lists.value_lengths().to_numpy())]).astype(np.int64),
        cut=table.column("cut").to_numpy().astype(np.int32),
        types=None if types is None else types.astype(np.int32),
    )
    classes = table.column("class_id").to_numpy().astype(np.int64)
    values = table.column(VALUE).to_numpy().astype(np.float64) if VALUE in table.column_names else None
    sets = tuple(map(tuple, table.column(SETS).to_pylist())) if SETS in table.column_names else None
    return Part(table.column("id").to_pylist(), classes, encoded, values, sets)
