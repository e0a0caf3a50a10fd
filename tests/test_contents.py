"""A file that is called otherwise than what it holds: the refusal names a mend that works, and `init` reads it."""

import bz2
import gzip
import io
import lzma
import pickle
import re
import tarfile
import zipfile
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.feather as feather
import pyarrow.parquet as pq
import pytest
import yaml
from source_rows import load_rows

from configs.sources import FileSource
from tasks.autodetect.unknown_files import read_unknown
from tasks.data.errors import DataError
from tasks.data.sources.contents import text_format
from tasks.inference.inputs import open_table

FRAME = pd.DataFrame(
    {"text": [f"a cold room on floor {n}" for n in range(12)], "label": ["good", "bad"] * 6}, dtype="str"
)
NAMES = ("rows.csv", "rows.tsv", "rows.jsonl", "rows.parquet", "rows.arrow", "rows.dat")


def _arrow(stream: bool) -> bytes:
    table, sink = pa.table(FRAME.to_dict("list")), io.BytesIO()
    if stream:
        with pa.ipc.new_stream(sink, table.schema) as writer:
            writer.write_table(table)
    else:
        feather.write_feather(table, sink)
    return sink.getvalue()


def _parquet() -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.table(FRAME.to_dict("list")), sink)
    return sink.getvalue()


def _packed(form: str, data: bytes) -> bytes:
    sink = io.BytesIO()
    if form == "zip":
        with zipfile.ZipFile(sink, "w") as archive:
            archive.writestr("inside.csv", data)
    else:
        with tarfile.open(fileobj=sink, mode="w") as archive:
            member = tarfile.TarInfo("inside.csv")
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return sink.getvalue()


CSV = FRAME.to_csv(index=False).encode()
LINES = FRAME.to_json(orient="records", lines=True).encode()
CONTENTS = {
    "csv": CSV,
    "tsv": FRAME.to_csv(index=False, sep="\t").encode(),
    "lines": LINES,
    "array": FRAME.to_json(orient="records", indent=1).encode(),
    "object": b'{"version": 1,\n "data": ' + FRAME.to_json(orient="records").encode() + b"}",
    "parquet": _parquet(),
    "arrow": _arrow(stream=False),
    "stream": _arrow(stream=True),
    "gzip": gzip.compress(CSV),
    "xz": lzma.compress(CSV),
    "bzip2": bz2.compress(CSV),
    "zip": _packed("zip", CSV),
    "tar": _packed("tar", CSV),
}


def mended(path: Path, how: dict[str, str | None], error: str) -> tuple[Path, dict[str, str | None]]:
    """The file and the recipe after what the refusal says to do, taken at its word."""
    if separator := re.search(r"set `separator: (.+?)` and, unless the name says it, `format: csv`", error):
        return path, how | {"separator": yaml.safe_load(separator[1]), "format": "csv"}
    if setting := re.search(r"set `format: (\w+)`", error):
        return path, how | {"format": setting[1]}
    ending = re.search(r"so that its name ends in (\.\w+)", error)
    assert ending is not None, error
    return path.rename(path.with_name(path.name + ending[1])), how


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("content", CONTENTS)
def test_what_the_refusal_says_makes_the_file_readable(tmp_path: Path, content: str, name: str) -> None:
    path, how = tmp_path / name, dict[str, str | None]()
    path.write_bytes(CONTENTS[content])
    if name == "rows.dat":  # of text a person says which: no ending does
        own = {"tsv": "tsv", **dict.fromkeys(("lines", "array", "object"), "jsonl")}
        how = {"format": own.get(content, "csv")}
    for _ in range(3):
        try:
            rows = load_rows(FileSource(kind="file", path=str(path), **how), tmp_path)  # type: ignore[arg-type]
            break
        except DataError as error:
            path, how = mended(path, how, str(error))
    assert rows[["text", "label"]].equals(FRAME)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("content", ["csv", "tsv", "lines", "array", "object", "parquet", "arrow", "stream"])
def test_init_reads_a_table_whatever_its_name_says(tmp_path: Path, content: str, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(CONTENTS[content])
    table, source, notes = read_unknown(path)
    assert table.astype("str").equals(FRAME)
    assert load_rows(source, tmp_path)[["text", "label"]].equals(FRAME)
    if content == "parquet":
        assert (path.suffix == ".parquet") != any("the content looks like parquet" in note for note in notes)


FOREIGN = {
    "workbook": (_packed("zip", CSV).replace(b"inside.csv", b"xl/bookxml"), "Excel .* save its table as CSV"),
    "xls": (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), r"\.xls workbook; save its table as CSV"),
    "zstd": (b"(\xb5/\xfd" + b"abc" * 9, "compressed by zstd; unpack it with `zstd -d`"),
    "7z": (b"7z\xbc\xaf'\x1c" + bytes(40), "a 7z archive; unpack it"),
    "rar": (b"Rar!\x1a\x07\0" + bytes(40), "a RAR archive; unpack it"),
    "sqlite": (b"SQLite format 3\0" + bytes(90), "an SQLite database; .*sqlite3 -header -csv"),
    "pickle": (pickle.dumps(FRAME), "a pickle, .* write its table with pandas' `to_parquet`"),
    "lfs": (b"version https://git-lfs.github.com/spec/v1\noid sha256:4d\nsize 1\n", "fetch .* `git lfs pull`"),
    "page": (b"\n<!DOCTYPE html>\n<html><body>Please, sign in</body></html>\n", "a page of HTML, .* download the file"),
}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("content", FOREIGN)
def test_what_is_no_table_is_called_what_it_is_by_run_init_and_predict(tmp_path: Path, content: str, name: str) -> None:
    data, message = FOREIGN[content]
    path = tmp_path / name
    path.write_bytes(data)
    with pytest.raises(DataError, match=message):
        load_rows(FileSource(kind="file", path=str(path), encoding="utf-8"), tmp_path)
    with pytest.raises(DataError, match=message):
        read_unknown(path)
    with pytest.raises(DataError, match=message):
        open_table(path, None)


def test_rows_that_begin_like_another_format_are_rows(tmp_path: Path) -> None:
    """Without a line of names, or as texts of a pattern, they are what a person says that they are."""
    (tmp_path / "pages.csv").write_text("<html>a</html>,x\n<html>b</html>,y\n")
    pages = FileSource(kind="file", path=str(tmp_path / "pages.csv"), header=("text", "label"))
    assert load_rows(pages, tmp_path)["label"].tolist() == ["x", "y"]
    (tmp_path / "calls.tsv").write_text('{"a": 1}\tx\n{"b": [2]}\ty\n')
    calls = FileSource(kind="file", path=str(tmp_path / "calls.tsv"), header=("text", "label"), quoting=False)
    assert load_rows(calls, tmp_path)["text"].tolist() == ['{"a": 1}', '{"b": [2]}']
    (tmp_path / "log.txt").write_text('{"a": 1}\n{"b": 2}\n')
    lines = FileSource(kind="file", path=str(tmp_path / "log.txt"), format="lines", pattern="(?P<text>.+)(?P<label>})")
    assert len(load_rows(lines, tmp_path)) == 2


def test_json_is_told_by_a_whole_value_and_not_by_its_first_sign(tmp_path: Path) -> None:
    path = tmp_path / "x"
    for text, form in (
        ('{"a": 1}\n', "jsonl"),
        ('{"rows": [\n', "jsonl"),
        ("{\n", "jsonl"),
        (" [ \n{", "jsonl"),
        ('{"a": "' + "b" * 70_000, "jsonl"),
        ("{braces}\tx\n", "tsv"),
        ("[note],x\n", "csv"),
        ('{"a"} said,x\n', "csv"),
    ):
        path.write_text(text)
        assert text_format(path) == form, text
