"""images.parquet: the bytes of each image once, under their sha256; written in the order of these, and streamed."""

import hashlib
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from .provenance import Intake

SCHEMA = pa.schema([("image", pa.string()), ("bytes", pa.binary())])
GROUP_ROWS = 256
GROUP_BYTES = 64 * 2**20
"""A row group, kept in memory as a whole, ends at so many rows or bytes."""


class ImageStore:
    """Takes images in any order into a spool on the disk, then writes them sorted; memory holds digests only.

    A context: the spool goes with it, whatever happened.
    """

    def __init__(self, intake: Intake) -> None:
        self.intake = intake
        self.target = intake.images or intake.scratch / "images.parquet"
        self.spool = intake.scratch / "images.spool"
        self.spool.parent.mkdir(parents=True, exist_ok=True)
        self.handle = self.spool.open("w+b")
        self.places: dict[str, tuple[int, int]] = {}
        self.end = 0

    def __enter__(self) -> "ImageStore":
        return self

    def __exit__(self, *_: object) -> None:
        self.handle.close()
        self.spool.unlink()

    def add(self, data: bytes) -> str:
        """Keep an image; returns its sha256."""
        digest = hashlib.sha256(data).hexdigest()
        if digest not in self.places:
            self.places[digest] = (self.end, len(data))
            self.end += self.handle.write(data)
        return digest

    def write(self, wanted: set[str] | None = None) -> Path:
        """Write all that was added, or of it the wanted images, to the target."""
        digests: list[str] = []
        images: list[bytes] = []
        size = 0
        options: dict[str, Any] = {"compression": "none", "use_dictionary": False, "write_statistics": ["image"]}
        with pq.ParquetWriter(self.target, SCHEMA, **options) as writer:
            for digest in sorted(self.places if wanted is None else wanted):
                start, length = self.places[digest]
                if digests and (len(digests) == GROUP_ROWS or size + length > GROUP_BYTES):
                    writer.write_table(pa.table([digests, images], schema=SCHEMA), row_group_size=GROUP_ROWS)
                    digests, images, size = [], [], 0
                self.handle.seek(start)
                digests.append(digest)
                images.append(self.handle.read(length))
                size += length
            if digests:
                writer.write_table(pa.table([digests, images], schema=SCHEMA), row_group_size=GROUP_ROWS)
        return self.target
