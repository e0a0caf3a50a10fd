"""Finished batches of predictions in a folder next to the output: each whole or not there, checked when it is read."""

import fcntl
import json
import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

import pyarrow as pa
import pyarrow.parquet as pq

from ..artifact import digest_file
from ..data.errors import DataError
from ..store.disk import write_synced

FORMAT = 1
"""Changes when the meaning of a part does."""
IDENTITY = "identity.json"
PART = re.compile(r"part-(\d{8})-([0-9a-f]{16})\.parquet")
OURS = re.compile(rf"{PART.pattern}|whole\.\w+")
MEANING = {
    "model": "another model",
    "version": "another version of the model",
    "digest": "another model",
    "libraries": "other versions of the libraries",
    "input": "the input has changed",
    "column": "another column",
    "batch": "another batch size",
    "rows": "the input has changed",
}
"""Why parts do not count, by what differs."""


class Finished:
    """The parts of one prediction, one per batch; held by one process at a time."""

    def __init__(self, folder: Path, identity: dict[str, object], schema: pa.Schema, rows: int, batch: int) -> None:
        self.folder, self.schema, self.rows, self.batch = folder, schema, rows, batch
        self.identity = {"format": FORMAT, "rows": rows, "columns": schema.names, **identity}
        self.finished: dict[int, Path] = {}
        self.handle = -1

    def __enter__(self) -> Self:
        """Take the folder. Raises DataError where another process has it, or it holds what is not ours."""
        while True:
            self.folder.mkdir(exist_ok=True)
            self.handle = os.open(self.folder, os.O_RDONLY)
            try:
                fcntl.flock(self.handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(self.handle)
                raise DataError(f"{self.folder}: another process is writing these predictions; wait for it") from None
            with suppress(FileNotFoundError):
                if os.stat(self.folder).st_ino == os.fstat(self.handle).st_ino:
                    return self
            os.close(self.handle)  # its holder finished and removed it meanwhile

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        os.close(self.handle)

    def open(self, say: Callable[[str], None]) -> int:
        """Find what earlier calls left, say it, and return how many rows are predicted already."""
        before = self._before()
        if before is None or before != self.identity:
            self._clear()
            if before is not None:
                why = sorted(
                    {
                        MEANING.get(name, "another format")
                        for name in {*before, *self.identity}
                        if before.get(name) != self.identity.get(name)
                    }
                )
                say(f"starts again: what lay in {self.folder} is of an interrupted call with {' and '.join(why)}")
            write_synced(self.folder / IDENTITY, json.dumps(self.identity, ensure_ascii=False))
            return 0
        damaged = self._find()
        for number in damaged:
            start, stop = self._bounds(number)
            say(f"rows {start + 1:,} to {stop:,} are made again: their part is damaged")
        kept = sum(stop - start for start, stop in map(self._bounds, self.finished))
        todo = next(self.missing(), None)
        if kept:
            status = f"goes on from row {todo[1] + 1:,} of {self.rows:,}" if todo else "only the file is to be written"
            say(f"{status}: {kept:,} rows were predicted before")
        return kept

    def _before(self) -> dict[str, object] | None:
        """The identity of what lies here; None where nothing does. Raises DataError where it is not ours."""
        files = [path for path in self.folder.iterdir() if not path.name.endswith(".new")]
        if not files:
            return None
        odd = [path.name for path in files if path.name != IDENTITY and not OURS.fullmatch(path.name)]
        if odd:
            raise DataError(f"{self.folder}: {odd[0]} is not of a prediction; move this folder or name another output")
        try:
            identity: dict[str, object] = json.loads((self.folder / IDENTITY).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return identity if isinstance(identity, dict) else {}

    def _clear(self) -> None:
        for path in self.folder.iterdir():
            path.unlink()

    def _find(self) -> list[int]:
        """Take up intact parts; remove the others and return their numbers."""
        damaged = []
        named = ((path, PART.fullmatch(path.name)) for path in sorted(self.folder.iterdir()))
        for path, number, sha256 in ((path, int(fits[1]), fits[2]) for path, fits in named if fits):
            start, stop = self._bounds(number)
            if digest_file(path).startswith(sha256) and pq.read_metadata(path).num_rows == stop - start:
                self.finished[number] = path
            else:
                damaged.append(number)
                path.unlink()
        return damaged

    def _bounds(self, number: int) -> tuple[int, int]:
        return number * self.batch, min((number + 1) * self.batch, self.rows)

    def missing(self) -> Iterator[tuple[int, int, int]]:
        """Number, first row and end of the batches that are still to be done."""
        for number in range(-(-self.rows // self.batch)):
            if number not in self.finished:
                yield number, *self._bounds(number)

    def keep(self, number: int, predictions: pa.Table) -> None:
        """Put a batch's predictions on the disk; the name carries their checksum."""
        aside = self.folder / "part.new"
        pq.write_table(predictions, aside)
        sync(aside)
        path = self.folder / f"part-{number:08d}-{digest_file(aside)[:16]}.parquet"
        aside.rename(path)
        self.finished[number] = path

    def parts(self) -> Iterator[pa.Table]:
        """All predictions in order, a batch at a time."""
        for number in sorted(self.finished):
            yield pq.read_table(self.finished[number], schema=self.schema)

    def deliver(self, whole: Path, output: Path) -> None:
        """Move the finished file to its place, then remove what was kept for going on."""
        sync(whole)
        whole.rename(output)
        sync(output.absolute().parent)
        shutil.rmtree(self.folder)


def sync(path: Path) -> None:
    """Bring a file or folder to the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
