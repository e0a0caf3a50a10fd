"""Mutated tables: `run`, `init` and `predict` read them or refuse them with a DataError, never another exception."""

import bz2
import gzip
import io
import lzma
import random
import tarfile
import warnings
import zipfile
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.feather as feather
import pyarrow.parquet as pq
import pytest
from source_rows import load_rows

from configs.columns import Columns
from configs.load import RecipeError
from configs.sources import ClassFilesSource, FileSource
from tasks.autodetect.table import look
from tasks.autodetect.unknown_files import read_unknown
from tasks.data.errors import DataError
from tasks.inference.inputs import open_table

ROWS = [
    ("caf\u00e9 \u201ctr\u00e8s\u201d froid, dit-il", "bad", 1.5),
    ('say "hi" \u597d', "good", 2.0),
    ("two\nlines", "bad", -3.25),
    ("plain words of no weight", "good", 0.0),
] * 3
TOKENS = (
    b'"',
    b'""',
    b"\\",
    b'\\"',
    b",",
    b";",
    b"\t",
    b"|",
    b"\r",
    b"\n",
    b"\r\n",
    b"\0",
    b"\xff",
    b"\xef\xbb\xbf",
    b"\xff\xfe",
    b"sep=;\n",
    b"\\ud800",
    b"NaN",
    b"1e999",
    b"-0",
    b"9" * 400,
    b"[" * 3000,
    b'{"a":',
    b"}",
    b"]",
    b"null",
    b"true",
    b"\xe2\x80\xa8",
    b"\xed\xa0\x80",
    b"\\N",
    b"#",
    b" ",
    b"\x1a",
    b"PK\x03\x04",
)


def frame() -> pd.DataFrame:
    return pd.DataFrame(ROWS, columns=["text", "label", "number"])


def csv(**how: Any) -> bytes:
    return str(frame().to_csv(index=False, **how)).encode()


def json(**how: Any) -> bytes:
    return str(frame().to_json(**how)).encode()


def table() -> pa.Table:
    count = len(ROWS)
    return pa.table(
        {
            "text": pa.array([row[0] for row in ROWS]).dictionary_encode(),
            "label": [row[1] for row in ROWS],
            "raw": [b"\xff\x00"] * count,
            "when": pa.array([datetime(2026, 1, 1, tzinfo=UTC)] * count, pa.timestamp("ns", "Asia/Tokyo")),
            "day": [date(2026, 1, 1)] * count,
            "money": [Decimal("1.10")] * count,
            "list": [["a", None]] * count,
            "object": [{"a": 1, "b": [None]}] * count,
            "nothing": pa.nulls(count),
            "big": pa.array([2**64 - 1] * count, pa.uint64()),
        }
    )


def parquet(**how: Any) -> bytes:
    pq.write_table(table(), file := io.BytesIO(), **how)
    return file.getvalue()


def stream() -> bytes:
    with pa.ipc.new_stream(file := io.BytesIO(), table().schema) as writer:
        writer.write_table(table(), max_chunksize=5)
    return file.getvalue()


def feathered(**how: Any) -> bytes:
    feather.write_feather(table(), file := io.BytesIO(), **how)
    return file.getvalue()


def zipped() -> bytes:
    with zipfile.ZipFile(file := io.BytesIO(), "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("LICENSE", "MIT")
        archive.writestr("in/a.csv", csv())
    return file.getvalue()


def tarred(mode: str) -> bytes:
    with tarfile.open(fileobj=(file := io.BytesIO()), mode=mode) as archive:
        entry = tarfile.TarInfo("a.csv")
        entry.size = len(csv())
        archive.addfile(entry, io.BytesIO(csv()))
    return file.getvalue()


LINES = b"".join(b"%s text number %d\n" % ((b"ham", b"spam")[n % 2], n) for n in range(20))
SEEDS: list[tuple[str, Callable[[], bytes], dict[str, Any]]] = [
    ("a.csv", csv, {}),
    ("a.csv", csv, {"encoding": "detect"}),
    ("a.csv", lambda: csv(quoting=1, lineterminator="\r\n"), {}),
    ("a.csv", lambda: b"sep=;\n" + csv(sep=";"), {}),
    ("a.csv", lambda: csv(sep="|"), {"separator": "|"}),
    ("a.csv", lambda: csv(escapechar="\\", doublequote=False), {"escape": "\\"}),
    ("a.csv", lambda: csv(header=False), {"header": ("text", "label", "number")}),
    ("a.csv", lambda: csv().decode().encode("utf-16"), {"encoding": "utf-16"}),
    ("a.csv", lambda: csv().decode().encode("gb18030"), {"encoding": "gb18030"}),
    ("a.csv", lambda: csv().decode().encode("utf-7"), {"encoding": "utf-7"}),
    ("a.csv", lambda: csv().replace(b"\n", b"\r"), {}),
    ("a.csv", lambda: csv().replace(b"\n", b",,,\n"), {}),
    ("a.tsv", lambda: csv(sep="\t"), {}),
    ("a.tsv", lambda: csv(sep="\t"), {"quoting": False}),
    ("a.tsv", lambda: csv(sep="\t"), {"quoting": False, "escape": "\\"}),
    ("a.jsonl", lambda: json(orient="records", lines=True), {}),
    ("a.jsonl", lambda: json(orient="records", lines=True, force_ascii=False), {"encoding": "detect"}),
    ("a.json", lambda: json(orient="records"), {}),
    ("a.json", lambda: json(orient="records", indent=1), {}),
    ("a.json", lambda: b'{"version": 1, "data": ' + json(orient="records") + b"}", {}),
    ("a.json", lambda: json(orient="columns"), {}),
    ("a.txt", lambda: LINES, {"format": "lines", "pattern": r"(?P<label>\w+) (?P<text>.+)"}),
    ("rows", lambda: csv(sep=";"), {"format": "csv", "separator": ";"}),
    ("a.parquet", parquet, {}),
    ("a.parquet", lambda: parquet(compression="zstd", version="1.0", data_page_version="2.0"), {}),
    ("a.parquet", lambda: parquet(compression="none", use_dictionary=False, store_schema=False), {}),
    ("a.arrow", stream, {}),
    ("a.arrow", lambda: feathered(compression="uncompressed"), {}),
    ("a.feather", lambda: feathered(compression="lz4"), {}),
    ("a.csv.gz", lambda: gzip.compress(csv()), {}),
    ("a.csv.xz", lambda: lzma.compress(csv()), {}),
    ("a.jsonl.bz2", lambda: bz2.compress(json(orient="records", lines=True)), {}),
    ("a.zip", zipped, {}),
    ("a.tar", lambda: tarred("w"), {}),
    ("a.tgz", lambda: tarred("w:gz"), {}),
]


def mutated(data: bytes, chance: random.Random) -> bytes:
    """The bytes with some flipped, cut, doubled, or with what formats take for marks among them."""
    out = bytearray(data)
    for _ in range(chance.choice((1, 1, 2, 8))):
        place, size = chance.randrange(len(out) + 1), chance.choice((1, 1, 4, 40))
        match chance.randrange(7):
            case 0:
                out[place : place + size] = chance.randbytes(size)
            case 1:
                out[place : place + size] = chance.choice((b"\0", b"\xff", b"\x7f", b"\x80")) * size
            case 2:
                del out[place : place + size]
            case 3:
                out[place:place] = out[max(0, place - size) : place]
            case 4 | 5:
                out[place:place] = chance.choice(TOKENS)
            case 6:
                out = out[: chance.randrange(len(out) + 1)] if chance.random() < 0.3 else out
    return bytes(out)


def tried(read: Callable[[], Any]) -> bool:
    """Whether it was read; DataError and RecipeError are refusals, all else is a fault."""
    try:
        read()
    except (DataError, RecipeError):
        return False
    return True


def initialised(path: Path, *, wholly: bool) -> None:
    table, _, _ = read_unknown(path)
    if wholly:  # cleaning and splitting take most of the time
        look(table, path.name)


def fuzz(tmp_path: Path, rounds: int, seed: int) -> list[int]:
    """How many of the mutated tables `run`, `init` and `predict` read; the first round has the seeds as they are."""
    chance, read = random.Random(seed), [0, 0, 0]
    seeds = [(name, make(), how) for name, make, how in SEEDS]
    for number in range(rounds):
        name, data, how = seeds[number % len(seeds)]
        path = tmp_path / "data" / name
        path.write_bytes(data if number < len(seeds) else mutated(data, chance))
        columns = Columns(keep=tuple(chance.sample(["number", "raw", "object", "when"], chance.choice((0, 0, 0, 1)))))
        source = FileSource(kind="file", path=name, columns=columns, **how)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            done = [
                tried(lambda s=source: load_rows(s, tmp_path / "s")),
                tried(lambda p=path, w=number % 8 == 0: initialised(p, wholly=w)),
                tried(lambda p=path, h=how: open_table(p, "text", h)),
            ]
        read = [count + one for count, one in zip(read, done, strict=True)]
    return read


def test_mutated_tables_are_read_or_refused(tmp_path: Path) -> None:
    read = fuzz(tmp_path, 120, seed=1)
    assert all(count > 30 for count in read)


@pytest.mark.long
def test_ten_thousand_mutated_tables_are_read_or_refused(tmp_path: Path) -> None:
    read = fuzz(tmp_path, 10_000, seed=2)
    assert all(count > 1_000 for count in read)


def test_mutated_class_files_are_read_or_refused(tmp_path: Path) -> None:
    chance, read = random.Random(3), 0
    for number in range(80):
        for name in ("a.txt", "b.txt"):
            (tmp_path / "data" / name).write_bytes(mutated(LINES, chance) if number else LINES)
        encoding = chance.choice(("utf-8", "detect", "utf-16", "cp1252"))
        source = ClassFilesSource(kind="class_files", files={"a": "a.txt", "b": "b.txt"}, encoding=encoding)
        read += tried(lambda s=source: load_rows(s, tmp_path / "s"))
    assert read > 20
