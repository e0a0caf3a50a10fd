"""Local sources -> rows: every format, every way in which a file can be wrong, and the ids of rows."""

import re
import unicodedata
import warnings
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hub_server import Hub, sha256
from pydantic import ValidationError
from source_rows import load_rows

from configs.models import LocalTokenizer
from configs.sources import ClassFilesSource, Columns, EmbeddedSource, FileSource, HubSource, UrlSource
from tasks import pins
from tasks.data.checks.typed import typed_rows
from tasks.data.errors import DataError
from tasks.data.rows import with_ids, write_rows
from tasks.data.sources.hub_rows import record_hub
from tasks.data.sources.provenance import Intake
from tasks.data.sources.read import read_source
from tasks.download import download
from tasks.store.events import Event, listeners

WHOLE = [["a film", "good", None], ["no film", "bad", None]]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where relative paths of sources start (conftest)."""
    return tmp_path / "data"


def read(folder: Path, name: str, content: str | bytes | None, **how: Any) -> list[list[str | None]]:
    """Rows of one file as lists; missing is None."""
    if content is not None:
        (folder / name).write_bytes(content.encode() if isinstance(content, str) else content)
    columns = Columns(**how.pop("columns", {}))
    return plain(load_rows(FileSource(kind="file", path=name, columns=columns, **how), folder))


def plain(rows: pd.DataFrame) -> list[list[str | None]]:
    assert list(rows.columns) == ["text", "label", "split"]
    assert {str(dtype) for dtype in rows.dtypes} == {"str"}
    return rows.astype(object).where(rows.notna(), None).to_numpy().tolist()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", "text,label\na film,good\nno film,bad\n"),
        ("a.csv", "other,label,text\n1,good,a film\n2,bad,no film"),
        ("a.csv", '"text","label"\n"a film",good\n"no film","bad"\n'),
        ("a.csv", "text,label\r\na film,good\r\nno film,bad\r\n"),
        ("a.csv", "\ufefftext,label\r\n\r\na film,good\r\n   \r\nno film,bad"),
        ("a.csv", "\n\ntext,label,\na film,good,\nno film,bad,\n"),
        ("a.CSV", "text,label\na film,good\nno film,bad\n"),
        ("a.tsv", "text\tlabel\na film\tgood\nno film\tbad\n"),
        ("a.jsonl", '{"text": "a film", "label": "good"}\n\n{"label": "bad", "text": "no film", "x": [1]}'),
        ("a.ndjson", '\ufeff{"text": "a film", "label": "good"}\r\n{"text": "no film", "label": "bad"}\r\n'),
        ("a.json", '{"text": "a film", "label": "good"}\n{"text": "no film", "label": "bad"}\n'),
    ],
)
def test_text_formats(folder: Path, name: str, content: str) -> None:
    assert read(folder, name, content) == WHOLE


def test_parquet(folder: Path) -> None:
    table = pd.DataFrame({"label": pd.Categorical(["good", "bad"]), "text": ["a film", "no film"], "n": [1.5, 2]})
    table.to_parquet(folder / "a.parquet")
    assert read(folder, "a.parquet", None) == WHOLE
    (folder / "a.parquet").rename(folder / "noend")
    assert read(folder, "noend", None, format="parquet") == WHOLE
    with pytest.raises(DataError, match=r"a\.parquet: not a Parquet file"):
        read(folder, "a.parquet", "text,label\n")


@pytest.mark.parametrize(
    ("name", "how", "message"),
    [
        ("a.parquet", {"encoding": "latin-1"}, "encoding is not read of parquet files"),
        ("a.parquet", {"header": ("text", "label")}, "header is not read of parquet files"),
        ("a.jsonl", {"quoting": False}, "quoting is not read of jsonl files"),
        ("a.*", {"quoting": False}, "quoting is not read of jsonl and parquet files"),
        ("a.*", {"encoding": "latin-1"}, None),
    ],
)
def test_options_that_nothing_would_read_are_refused(folder: Path, name: str, how: Any, message: str | None) -> None:
    pd.DataFrame({"text": ["a"], "label": ["b"]}).to_parquet(folder / "a.parquet")
    (folder / "a.jsonl").write_text('{"text": "c", "label": "d"}\n', encoding="utf-8")
    if message is None:
        assert len(load_rows(FileSource(kind="file", path=name, **how), folder)) == 2
        return
    with pytest.raises(DataError, match=message):
        load_rows(FileSource(kind="file", path=name, **how), folder)


def test_class_files(folder: Path) -> None:
    (folder / "good.txt").write_bytes("\ufeffa film\r\n\r\nNA\r\n".encode())
    (folder / "bad.txt").write_bytes(b"no film\nnull")
    source = ClassFilesSource(kind="class_files", files={"good": "good.txt", "bad": "bad.txt"})
    expected = [["a film", "good"], [None, "good"], ["NA", "good"], ["no film", "bad"], ["null", "bad"]]
    assert plain(load_rows(source, folder)) == [[*row, None] for row in expected]
    (folder / "bad.txt").write_bytes(b"fine\ncaf\xe9\n")
    with pytest.raises(DataError, match=r"bad\.txt:2: byte 0xe9 is not utf-8"):
        load_rows(source, folder)
    latin = ClassFilesSource(kind="class_files", files={"bad": "bad.txt"}, encoding="cp1252")
    assert plain(load_rows(latin, folder))[1][0] == "café"
    with pytest.raises(DataError, match=r"baad\.txt: no such file; did you mean bad\.txt\?"):
        load_rows(ClassFilesSource(kind="class_files", files={"x": "baad.txt"}), folder)


def test_embedded(folder: Path) -> None:
    rows = load_rows(EmbeddedSource(kind="embedded"), folder)
    assert len(rows) == 670 and rows[["text", "label"]].notna().all(axis=None)
    more = load_rows(EmbeddedSource(kind="embedded", name="all_reviews"), folder)
    assert len(more) == 1819 and more["text"].is_unique and set(more["label"]) == {"neg", "pos"}
    pd.testing.assert_frame_equal(more.head(670), rows)


def test_sms_style_files_without_header_and_quoting(folder: Path) -> None:
    content = 'ham\t"Hello" he said\nspam\tWIN "now\nham\tI\'m, ok "\n'
    rows = read(folder, "sms", content, format="tsv", header=("label", "text"), quoting=False)
    assert rows == [['"Hello" he said', "ham", None], ['WIN "now', "spam", None], ["I'm, ok \"", "ham", None]]
    assert read(folder, "a.csv", "good,a film\nbad,no film\n", header=("label", "text")) == WHOLE


def test_only_an_empty_field_is_missing(folder: Path) -> None:
    words = ["NA", "null", "None", "nan", "N/A", "-", "NULL", "#N/A", "True", "007", "1e3", " x "]
    content = "text,label\n" + "".join(f"{word},{word}\n" for word in words) + '"",\n,""\nshort\n'
    missing = [[None, None, None], [None, None, None], ["short", None, None]]
    assert read(folder, "a.csv", content) == [[word, word, None] for word in words] + missing
    lines = '{"text": "NA", "label": ""}\n{"text": null, "label": "null"}\n{"label": "x"}\n'
    assert read(folder, "a.jsonl", lines) == [["NA", "", None], [None, "null", None], [None, "x", None]]


def test_integer_labels_get_their_names_even_from_columns_with_masks(folder: Path) -> None:
    named: dict = {"columns": {"label_names": ("bad", "good")}}
    expected = [["a", "good", None], ["b", "bad", None], ["c", None, None]]
    assert read(folder, "a.csv", "text,label\na,1\nb,0\nc,\n", **named) == expected
    lines = '{"text": "a", "label": 1}\n{"text": "b", "label": 0}\n{"text": "c"}\n'
    assert read(folder, "a.jsonl", lines, **named) == expected
    for labels in ([1.0, 0.0, np.nan], pd.array([1, 0, None], "Int8"), ["1", "0", None], ["good", "bad", None]):
        pd.DataFrame({"text": ["a", "b", "c"], "label": labels}).to_parquet(folder / "a.parquet")
        assert read(folder, "a.parquet", None, **named) == expected
    assert [row[1] for row in read(folder, "b.jsonl", lines)] == ["1", "0", None]
    assert [row[1] for row in read(folder, "c.jsonl", lines.replace("1}", "0.5}"))] == ["0.5", "0", None]
    huge = '{"text": "a", "label": 1e300}\n{"text": "b", "label": -1e19}\n{"text": "c"}\n'
    assert [row[1] for row in read(folder, "d.jsonl", huge)] == ["1e300", "-1e19", None]


def test_given_splits(folder: Path) -> None:
    content = "text,label,part\na,x,Train\nb,x,dev\nc,x, val \nd,x,TEST\ne,x,\n"
    rows = read(folder, "a.csv", content, columns={"split": "part"})
    assert [row[2] for row in rows] == ["train", "validation", "validation", "test", None]
    with pytest.raises(DataError, match=r"split names \['elsewhere'\] are unknown; use train, validation and test"):
        read(folder, "a.csv", content.replace("dev", "elsewhere"), columns={"split": "part"})


@pytest.mark.parametrize(
    ("name", "content", "how", "message"),
    [
        ("a.csv", "", {}, r"a\.csv: the file is empty; it must hold rows"),
        ("a.csv", "\n\n", {}, r"a\.csv: no columns found"),
        ("a.csv", "text,label\n", {}, "the source holds no rows"),
        ("a.jsonl", "\n", {}, r"no column 'text'"),
        ("a.csv", b"text,label\na,b\nc,caf\xe9\n", {}, r"a\.csv:3: byte 0xe9 is not utf-8; save .* set `encoding`"),
        ("a.jsonl", b'{"text": "\xff"}\n', {}, r"a\.jsonl:1: byte 0xff is not utf-8"),
        ("a.csv", "text,label\na,b\n", {"encoding": "utf-9"}, r"a\.csv: unknown encoding 'utf-9'"),
        ("a.csv", "text,label\na,b,c\nd,e\n", {}, r"a\.csv:2: more fields than the 2 columns"),
        ("a.csv", 'text,label\n"a\nb",c,d\n', {}, r"a\.csv:2: more fields than the 2 columns"),
        ("a.csv", "text,label\na,b,\nc,d,\ne,f,g\n", {}, r"a\.csv:4: more fields than the 2 columns"),
        ("a.csv", "a,b,c\n", {"header": ("text", "label")}, r"a\.csv:1: more fields than the 2 columns"),
        ("a.csv", "text,label\na,b\nc,d,e\n", {}, r"a\.csv:3: more fields than the 2 columns; fix the line"),
        ("a.tsv", 'text\tlabel\na\tb\n"c\td\n', {}, r"a\.tsv:3: a quote that opens .* `quoting: false`"),
        ("a.csv", "text,label\na,b\n", {"columns": {"text": "txt"}}, r"no column 'txt' .* did you mean 'text'\?"),
        ("a.csv", "text;label\na;b\n", {}, r"no column 'text' for `columns\.text`; the columns are \['text;label'\]"),
        ("a.csv", "text,label,text\na,b,c\n", {}, "two columns are called 'text'"),
        ("a.csv", "a,b\n", {"header": ("text", "text")}, "two columns are called 'text'"),
        ("a.jsonl", '{"text": "a"}\n{oops\n', {}, r"a\.jsonl:2: not JSON \(.*\); write one object per"),
        ("a.json", '[\n{"text": "a"},\n{oops]', {}, r"a\.json:3: not JSON .*; write one object per line, or one array"),
        ("a.json", '[{"text": "a"}, 7]', {}, r"a\.json: element 2 of the array is a int; write one object per line"),
        ("a.json", '{"text": {"0": "a"}}', {}, r"a\.json: one object of columns \(text\) and not of rows; write"),
        ("a.json", '{"train": [{}], "test": [{}]}', {}, r"several keys hold arrays .* `split_files: true`"),
        ("a.json", "[" * 100_000, {}, r"a\.json: objects inside objects, too deep"),
        ("a.jsonl", '{"text": "\\ud83d\\ude00"}\n{"text": "\\uD83D"}', {}, r"a\.jsonl:2: half of a surrogate pair"),
        ("a.xls", "text,label\na,b\n", {}, r"a\.xls: unknown ending; set `format` to one of csv"),
    ],
)
def test_a_file_that_is_wrong_is_named_with_place_and_fix(
    folder: Path, name: str, content: str | bytes, how: dict, message: str
) -> None:
    with pytest.raises(DataError, match=message):
        read(folder, name, content, **how)


def test_wide_rows_are_refused_where_warnings_are_not_errors(folder: Path) -> None:
    """Outside of tests pandas' "this leads to a loss of data" is only a warning."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(DataError, match="more fields"):
            read(folder, "a.csv", "text,label\nHello, world,good\nBye, world,bad\n")


def test_a_column_that_nobody_reads_may_be_there_twice(folder: Path) -> None:
    assert read(folder, "a.csv", "score,text,label,score\n1,a film,good,2\n3,no film,bad,4\n") == WHOLE


def test_whole_characters_outside_of_the_first_plane_are_text(folder: Path) -> None:
    assert read(folder, "a.jsonl", '{"text": "\\ud83d\\ude00 \\\\ud83d", "label": "x"}')[0][0] == "😀 \\ud83d"


def test_a_missing_file_is_named_with_the_nearest_one(folder: Path) -> None:
    (folder / "reviews.csv").write_text("text,label\na,b\n")
    with pytest.raises(DataError, match=r"review\.csv: no such file; did you mean reviews\.csv\?"):
        read(folder, "review.csv", None)
    with pytest.raises(DataError, match=r"no such file; relative paths start at the setting TEMPER_DATA"):
        read(folder, "elsewhere/zz.parquet", None)


def test_ids_stay_when_rows_are_added_and_equal_rows_are_counted() -> None:
    rows = pd.DataFrame(
        {"text": ["a", "b", "a", None, "", "a"], "label": ["x", "x", "x", "x", "x", None], "split": None}, dtype="str"
    )
    ids = with_ids(rows)["id"].tolist()
    assert [name[-2:] for name in ids] == ["-0", "-0", "-1", "-0", "-0", "-0"]
    assert ids[0][:-2] == ids[2][:-2] and len({name[:-2] for name in ids}) == 5
    assert with_ids(rows[:3])["id"].tolist() == ids[:3]
    more = pd.concat([rows, rows[::-1]], ignore_index=True)
    assert with_ids(more)["id"].tolist()[:6] == ids and with_ids(more)["id"].is_unique
    assert with_ids(rows.assign(split="test"))["id"].tolist() == ids
    assert ids[0].startswith(sha256(b"a\x1fx\x1fTrueTrue")[:16])


def test_one_content_has_one_id_in_every_format(folder: Path) -> None:
    (folder / "a.csv").write_text("label,text\n1,a film\n,no film\n")
    (folder / "a.jsonl").write_text('{"text": "a film", "label": 1}\n{"text": "no film"}\n')
    pd.DataFrame({"text": ["a film", "no film"], "label": pd.array([1, None], "Int64")}).to_parquet(
        folder / "a.parquet"
    )
    found = [load_rows(FileSource(kind="file", path=name), folder) for name in ("a.csv", "a.jsonl", "a.parquet")]
    assert len({tuple(with_ids(rows)["id"]) for rows in found}) == 1


def test_a_local_file_is_pinned_to_its_bytes(folder: Path) -> None:
    (folder / "a.csv").write_text("text,label\na,b\n")
    source = FileSource(kind="file", path="a.csv")
    section, first = pins.pin(source, ask=False)
    assert section == source and first["sha256"] == sha256(b"text,label\na,b\n") and "path" not in first
    (folder / "a.csv").write_text("text,label\na,c\n")
    assert pins.pin(source, ask=False)[1]["sha256"] == sha256(b"text,label\na,c\n")
    (folder / "b.csv").write_text("text,label\na,b\n")
    assert pins.pin(FileSource(kind="file", path="b.csv"), ask=False)[1] == first
    with pytest.raises(DataError, match=r"did you mean"):
        pins.pin(FileSource(kind="file", path="aa.csv"), ask=False)


def test_a_local_folder_is_pinned_to_its_files_be_they_empty(folder: Path) -> None:
    (folder / "words").mkdir()
    (folder / "words" / "vocab.txt").write_text("[PAD]\n")
    (folder / "words" / "added_tokens.json").write_text("")
    files = pins.pin(LocalTokenizer(kind="files", path="words"), ask=False)[1]["files"]
    assert files == {"added_tokens.json": sha256(b""), "vocab.txt": sha256(b"[PAD]\n")}
    with pytest.raises(DataError, match="no such folder"):
        pins.pin(LocalTokenizer(kind="files", path="wrods"), ask=False)


def test_an_integer_label_beyond_the_names_is_refused(tmp_path: Path) -> None:
    (tmp_path / "data" / "rows.csv").write_text("text,label\na,0\nb,2\n", encoding="utf-8")
    source = FileSource(kind="file", path="rows.csv", columns=Columns(label_names=("neg", "pos")))
    with pytest.raises(DataError, match=r"row 2 has the label '2'.*neg, pos"):
        load_rows(source, tmp_path)


def found(folder: Path, name: str, content: str | bytes, **how: Any) -> tuple[pd.DataFrame, list[str]]:
    """Rows of one file with all their columns, and the notes for the summary."""
    (folder / name).write_bytes(content.encode() if isinstance(content, str) else content)
    intake = Intake(folder.parent / "scratch")
    rows = read_source(FileSource(kind="file", path=name, columns=Columns(**how.pop("columns", {})), **how), intake)
    write_rows(with_ids(rows), folder.parent / "rows.parquet")  # every kept type has its place there
    return rows, intake.notes


def test_arrow_files_and_streams(folder: Path) -> None:
    import pyarrow as pa

    table = pa.table({"text": ["a film", "no film"], "label": ["good", "bad"]})
    with pa.OSFile(str(folder / "a.arrow"), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    with pa.OSFile(str(folder / "b.arrow"), "wb") as sink, pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    pa.feather.write_feather(table, str(folder / "c.feather"))
    for name in ("a.arrow", "b.arrow", "c.feather"):
        assert read(folder, name, None) == WHOLE
    with pytest.raises(DataError, match=r"d\.arrow: not an Arrow file"):
        read(folder, "d.arrow", "text,label\n")
    (folder / "e.arrow").write_bytes((folder / "a.arrow").read_bytes()[:-20])
    with pytest.raises(DataError, match=r"e\.arrow: not an Arrow file"):
        read(folder, "e.arrow", None)


@pytest.fixture
def several(folder: Path) -> Path:
    for number, word in ((2, "two"), (10, "ten"), (1, "one")):
        (folder / f"part{number}.csv").write_text(f"text,label\n{word},x\n")
    return folder


def several_texts(paths: Any, folder: Path) -> list[str]:
    return load_rows(FileSource(kind="file", path=paths), folder)["text"].tolist()


@pytest.mark.parametrize("name", ["a.parquet", "a.feather"])
def test_a_pandas_frame_is_read_as_its_owner_sees_it(folder: Path, name: str) -> None:
    """With an index that is a column in all but name, and one that is left from a choice of rows."""
    frame = pd.DataFrame({"text": ["a film", "no film", "x"], "label": pd.Categorical(["good", "bad", "bad"])})
    save = {"a.parquet": pd.DataFrame.to_parquet, "a.feather": pd.DataFrame.to_feather}[name]
    for kept in (frame[:2], frame[:2].set_index("text"), frame[:2].set_axis([7, 7])):
        if name == "a.parquet" or isinstance(kept.index, pd.RangeIndex):
            save(kept, folder / name)
        rows = load_rows(FileSource(kind="file", path=name), folder)
        assert plain(rows) == [["a film", "good", None], ["no film", "bad", None]]
        assert rows.index.tolist() == [0, 1]


def test_several_files_are_read_in_the_order_of_names_or_of_the_list(several: Path) -> None:
    assert several_texts("part*.csv", several) == ["one", "ten", "two"]
    assert several_texts(("part2.csv", "part1.csv"), several) == ["two", "one"]
    assert several_texts(("part2.csv", "part1*.csv"), several) == ["two", "one", "ten"]
    assert several_texts(f"{several}/part[12].csv", several) == ["one", "two"]
    (several / "below").mkdir()
    (several / "part1.csv").rename(several / "below" / "part1.csv")
    assert several_texts("**/*.csv", several) == ["one", "ten", "two"]
    (several / "a[1].csv").write_text("text,label\nmagic,x\n")
    assert several_texts("a[1].csv", several) == ["magic"]
    for paths, message in [
        ("none*.csv", r"none\*\.csv: no file fits this pattern"),
        (("part2.csv", "part3.csv"), r"part3\.csv: no such file; did you mean part2\.csv\?"),
        (("part2.csv", "part*.csv"), r"part2\.csv: named twice; its rows would count double"),
    ]:
        with pytest.raises(DataError, match=message):
            several_texts(paths, several)
    with pytest.raises(ValidationError, match="at least 1 item"):
        FileSource(kind="file", path=())


def test_files_of_other_columns_are_named_with_what_differs(several: Path) -> None:
    (several / "part3.csv").write_text("label,text\nx,three\n")
    assert several_texts("part*.csv", several) == ["one", "ten", "two", "three"]
    (several / "part3.csv").write_text("texts,label,more\nthree,x,1\n")
    with pytest.raises(
        DataError, match=r"part3\.csv lacks \['text'\] and has also \['texts', 'more'\], unlike .*part1"
    ):
        several_texts("part*.csv", several)


def test_several_files_are_pinned_in_their_order(several: Path) -> None:
    def pinned(*paths: str) -> Any:
        return pins.pin(FileSource(kind="file", path=paths[0] if len(paths) == 1 else paths), ask=False)[1]

    one, two = sha256(b"text,label\none,x\n"), sha256(b"text,label\ntwo,x\n")
    assert pinned("part1.csv")["sha256"] == pinned("part[1].csv")["sha256"] == one
    assert pinned("part1.csv", "part2.csv")["files"] == [[".csv", one], [".csv", two]]
    assert pinned("part[12].csv") == pinned("part1.csv", "part2.csv") != pinned("part2.csv", "part1.csv")
    before = pinned("part*.csv")
    (several / "part3.csv").write_text("text,label\nthree,x\n")
    assert pinned("part*.csv") != before


def test_the_pin_of_an_address_holds_neither_place_nor_token() -> None:
    source = UrlSource(kind="url", url="https://a.example/x.csv?sign=7", sha256="0" * 64, token="MY_TOKEN")
    assert pins.pin(source, ask=False)[1] == {"kind": "url", "sha256": "0" * 64, "format": ".csv"}


def test_groups_moments_and_kept_columns(folder: Path) -> None:
    content = (
        "text,label,who,when,n,share,yes,code,note,none\n"
        'a,x,1,2024-05-01T10:00:00+02:00,1,0.5,true,007,"a, b",\n'
        "b,y,2,2024-05-01,,2,False,7,,\n"
        "c,y,,,-3,1e3,,08,é,\n"
    )
    columns = {"group": "who", "time": "when", "keep": ("n", "share", "yes", "code", "note", "none")}
    rows, notes = found(folder, "a.csv", content, columns=columns)
    assert rows["group"].tolist()[:2] == ["1", "2"] and rows["group"].isna().tolist() == [False, False, True]
    assert rows["time"].astype("str").tolist()[:2] == ["2024-05-01 08:00:00", "2024-05-01 00:00:00"]
    assert str(rows["time"].dtype) == "datetime64[us]" and rows["time"].isna().tolist() == [False, False, True]
    assert {str(rows[name].dtype) for name in columns["keep"]} == {"str"}
    assert rows["code"].tolist() == ["007", "7", "08"] and rows["share"].tolist() == ["0.5", "2", "1e3"]
    assert {name: str(kind) for name, kind in typed_rows(rows).dtypes.items() if name in columns["keep"]} == {
        "n": "Int64",
        "share": "Float64",
        "yes": "boolean",
        "code": "str",
        "note": "str",
        "none": "str",
    }
    assert notes == ["kept columns: n, share, yes, code, note, none"]
    for role, name in (("group", "whom"), ("time", "then"), ("keep", ("notes",))):
        with pytest.raises(DataError, match=rf"no column .* for `columns\.{role}`; .* did you mean"):
            found(folder, "a.csv", content, columns={role: name})


def test_kept_columns_are_as_written_and_are_checked_as_what_they_spell(folder: Path) -> None:
    lines = (
        '{"text": "a", "label": 1, "n": 1, "x": 0.5, "b": true, "zip": "12", "deep": {"z": [1, "é"], "a": null}}\n'
        '{"text": "b", "label": 2, "n": null, "x": 2, "b": false, "zip": "34", "deep": null, "odd": [1]}\n'
    )
    keep = ("n", "x", "b", "zip", "deep", "odd")
    rows, _ = found(folder, "a.jsonl", lines, columns={"keep": keep})
    assert rows[list(keep)].iloc[0, :4].tolist() == ["1", "0.5", "true", "12"] and rows["x"][1] == "2"
    assert [str(kind) for kind in typed_rows(rows)[list(keep)].dtypes] == [
        "Int64",
        "Float64",
        "boolean",
        "Int64",
        "str",
        "str",
    ]
    assert rows["deep"][0] == '{"z": [1, "é"], "a": null}' and pd.isna(rows["deep"][1]) and rows["odd"][1] == "[1]"
    table = pd.DataFrame(
        {
            "text": ["a", "b"],
            "label": ["x", "y"],
            "small": np.array([1, 2], "int8"),
            "when": pd.to_datetime(["2024-05-01 10:00", "2024-05-02 00:00"]).tz_localize("Europe/Berlin"),
            "list": [[1, 2], None],
            "kind": pd.Categorical(["p", "q"]),
            "big": [str(2**70), "x"],
        }
    )
    table.to_parquet(folder / "a.parquet")
    keep = ("small", "when", "list", "kind", "big")
    rows, _ = found(folder, "a.parquet", (folder / "a.parquet").read_bytes(), columns={"keep": keep})
    assert rows["when"].tolist() == ["2024-05-01 10:00:00+02:00", "2024-05-02 00:00:00+02:00"]
    typed = typed_rows(rows)
    assert [str(kind) for kind in typed[list(keep)].dtypes] == ["Int64", "datetime64[us]", "str", "str", "str"]
    assert typed["when"].astype("str").tolist() == ["2024-05-01 08:00:00", "2024-05-01 22:00:00"]
    assert rows["list"][0] == "[1, 2]" and rows["big"][0] == str(2**70)


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"keep": ("id",)}, "keep names 'id', as Temper calls a column of its own"),
        ({"keep": ("a", "a")}, "keep names a column twice"),
        ({"time_format": "%Y"}, "time_format is read only with `time`"),
        ({"time": "t", "time_format": "yyyy"}, "time_format 'yyyy' is none"),
        ({"time": "t", "time_format": "%Q"}, "time_format '%Q' is none"),
    ],
)
def test_columns_that_contradict_themselves(how: dict, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Columns(**how)


@pytest.mark.parametrize(
    ("values", "form", "expected"),
    [
        (["24-02-2015 11:35", "02-03-2015 00:01"], "%d-%m-%Y %H:%M", ["2015-02-24 11:35:00", "2015-03-02 00:01:00"]),
        (["02/03/2015", "?"], "%m/%d/%Y", ["2015-02-03 00:00:00", None]),
        (["1424780100", "x"], "s", ["2015-02-24 12:15:00", None]),
        (["1424780100123"], "ms", ["2015-02-24 12:15:00.123000"]),
        (["2015", "2015-02", "20150224"], None, ["2015-01-01 00:00:00", "2015-02-01 00:00:00", "2015-02-24 00:00:00"]),
        (["2015-02-24T11:35:00.123456Z", "unknown", " "], None, ["2015-02-24 11:35:00.123456", None, None]),
        (["Tue Feb 24 11:35:52 +0000 2015", "24 Feb 2015"], None, ["2015-02-24 11:35:52", "2015-02-24 00:00:00"]),
        (["Tue, 24 Feb 2015 11:35:52 +0100"], None, ["2015-02-24 10:35:52"]),
        (["1815-06-18", "9999-12-31"], None, ["1815-06-18 00:00:00", "9999-12-31 00:00:00"]),
    ],
)
def test_moments(folder: Path, values: list[str], form: str | None, expected: list[str | None]) -> None:
    content = "text,label,t\n" + "".join(f'a,x,"{value}"\n' for value in values)
    rows, notes = found(folder, "a.csv", content, columns={"time": "t", "time_format": form})
    moments = [pd.Timestamp(moment) if moment else pd.NaT for moment in expected]
    assert all(a == b or (a is pd.NaT and b is pd.NaT) for a, b in zip(rows["time"], moments, strict=True))
    unread = sum(moment is None and value.strip() != "" for moment, value in zip(expected, values, strict=True))
    assert len(notes) == (unread > 0) and all(note.startswith(f"{unread} values of 't' are no time") for note in notes)


def test_what_the_reading_found_out_is_said(tmp_path: Path) -> None:
    (tmp_path / "data" / "a.csv").write_text("text,label,t\na,x,2015-02-24\nb,y,soon\n", encoding="utf-8")
    told: list[Event] = []
    with listeners(told.append):
        download.run_or_load(FileSource(kind="file", path="a.csv", columns=Columns(time="t")), {})
    (note,) = (event.text for event in told if event.kind == "note")
    assert note == "1 values of 't' are no time, such as 'soon'; read as missing"


@pytest.mark.parametrize(
    ("value", "form"),
    [
        ("24-02-2015 11:35", None),
        ("02/03/2015", None),
        ("2.3.15", None),
        ("1424780100", None),
        ("1/2/2015 3 PM", None),
        ("2015-02-24", "%d-%m-%Y"),
        ("x", "s"),
    ],
)
def test_day_and_month_are_never_guessed(folder: Path, value: str, form: str | None) -> None:
    content = f"text,label,t\na,x,\nb,x,{value}\n"
    fix = "correct" if form else "set"
    with pytest.raises(DataError, match=rf"a\.csv: column 't', row 2: '{value}' .*{fix} `columns\.time_format`"):
        found(folder, "a.csv", content, columns={"time": "t", "time_format": form})


def test_a_column_with_a_space_behind_its_name_is_suggested(folder: Path) -> None:
    with pytest.raises(DataError, match=r"no column 'text' .*\['text ', 'label'\]; did you mean 'text '\?"):
        read(folder, "a.csv", "text ,label\na,b\n")
    assert read(folder, "a.csv", "text ,label\na,b\n", columns={"text": "text "}) == [["a", "b", None]]


ODD = {
    "NUL": "a\0b",
    "emoji": "😀👩\u200d👩\u200d👧",
    "Hebrew": "שלום עולם",
    "Arabic with marks": "مرحبا \u202bb\u202c",
    "1 MB": "x" * 2**20,
    "1 MB of words": "né " * 2**18,
    "other line ends": "a\u2028b\u0085c",
    "combining": "e\u0301",
    "escape": "\x1b[31m",
}


@pytest.mark.parametrize("text", ODD.values(), ids=ODD)
@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.jsonl", "a.parquet"])
def test_odd_texts_come_through_whole(folder: Path, name: str, text: str) -> None:
    table = pd.DataFrame({"text": [text, "after"], "label": ["x", "y"]})
    if name.endswith("parquet"):
        table.to_parquet(folder / name)
    elif name.endswith("jsonl"):
        table.to_json(folder / name, orient="records", lines=True, force_ascii=False)
    else:
        table.to_csv(folder / name, index=False, sep="\t" if name.endswith("tsv") else ",")
    assert read(folder, name, None) == [[text, "x", None], ["after", "y", None]]


def test_a_line_with_too_many_fields_is_found_behind_a_long_one(folder: Path) -> None:
    with pytest.raises(DataError, match=r"a\.csv:3: more fields than the 2 columns"):
        read(folder, "a.csv", f"text,label\n{'x' * 200_000},y,\na,b,c\n")


POEM = "text,label\n{},x\n" + "plain,y\n" * 9
ENCODED = {
    "cp1252": "café crème, naïve coöperation: un très bon hôtel où l’on dîne",
    "cp1251": "Очень хороший фильм, но отель плохой и дорогой",
    "gb18030": "这家酒店的房间很干净，服务也很好，下次还会来的",
    "utf-16": "这家酒店 café",
    "utf-8-sig": "这家酒店 café",
}


SHOWN = {
    name: f", so that it reads {word!r}; where that is wrong set `encoding`"
    for name, word in {
        "cp1252": "café",
        "cp1251": "Очень",
        "gb18030": "这家酒店的房间很干净，服务也很好，下次还会来的,x",
    }.items()
}
LANGUAGES = {
    "fr": ("cp1252", "Le café était très bon et la façade naïve de l’hôtel nous a plu. Ça coûte 30 € à l’élève."),
    "fr-mac": ("mac_roman", "Le café était très bon et la façade naïve de l’hôtel nous a plu. Où êtes-vous ?"),
    "de": ("cp1252", "Das Zimmer war schön, das Frühstück großartig. Wir können es empfehlen; die Straße ist laut."),
    "es": ("cp1252", "El niño comió en el jardín mañana. ¿Dónde está la habitación? ¡Qué bueno! El corazón."),
    "pt": ("cp1252", "A informação não está disponível; você poderá vê-la amanhã. As lições são difíceis, João."),
    "it": ("cp1252", "Perché la città è così bella? Più tardi andrò a vederla; il caffè però è caro, e già pagato."),
    "nl": ("cp1252", "De coördinatie was één geheel, de ideeën geïnspireerd; België en Italië, reünie in de zoölogie."),
    "da": ("cp1252", "Værelset var hyggeligt, og maden på øen smagte godt. Små børn går gerne derhen på lørdag."),
    "sv": ("cp1252", "Det var ett mycket trevligt hotell på Södermalm, några små fel. Människor är väldigt snälla."),
    "is": ("cp1252", "Það var mjög gott hótel í Reykjavík; góð þjónusta, æðislegur morgunmatur og hrein herbergi."),
    "en": ("cp1252", "The naïve café façade had “smart quotes” – a dash, too… the résumé’s fine, isn’t it? Costs £30."),
    "pl": ("cp1250", "Książka była świetna, ale łóżko skrzypiało. Gdzie jest żółta łódź? Źle się stało, państwo."),
    "pl-iso": ("iso8859_2", "Książka była świetna, ale łóżko skrzypiało. Gdzie jest żółta łódź? Źle się stało."),
    "cs": ("cp1250", "Příliš žluťoučký kůň úpěl ďábelské ódy. Pokoj byl čistý, snídaně výborná, těšíme se."),
    "hu": ("cp1250", "A szoba tiszta volt. Köszönjük szépen, örömmel jövünk, fűtés működött, hűvös őszi idő volt."),
    "hr": (
        "cp1250",
        "Soba je bila čista, doručak odličan, osoblje ljubazno. Doći ćemo opet iduće godine, već sljedeći put.",
    ),
    "ro": ("cp1250", "Camera a fost curată, micul dejun bun. Mulţumim, vom mai veni şi în toamnă, oraşul e frumos."),
    "tr": ("cp1254", "Oda çok güzeldi, kahvaltı şahaneydi. Işıklar söndü, ağaçlar yeşildi. Teşekkür ederiz."),
    "lt": ("cp1257", "Kambarys buvo švarus, pusryčiai skanūs. Ačiū už viską, grįšime kitą vasarą, žadėjome dėl jūros."),
    "lv": (
        "cp1257",
        "Istaba bija tīra, brokastis garšīgas. Paldies, mēs atgriezīsimies nākamgad, ļoti patika pie jūras.",
    ),
    "vi": (
        "cp1258",
        unicodedata.normalize("NFD", "Tôi sẽ quay lại, nhân viên rất tốt; phòng sạch")
        .replace("o\u0302", "ô")
        .replace("a\u0302", "â")
        .replace("e\u0302", "ê"),
    ),
    "ru": ("cp1251", "Очень хороший отель, завтрак вкусный, номер чистый. Спасибо, приедем ещё раз."),
    "el": ("cp1253", "Το δωμάτιο ήταν πολύ καθαρό και το πρωινό νόστιμο. Ευχαριστούμε πολύ."),
    "en-16": ("utf-16-le", "Only plain letters, and no mark in front."),
    "fr-16": ("utf-16-be", "Le café était très bon, sans marque devant."),
}


@pytest.mark.parametrize("lines", [1, 5, 60])
@pytest.mark.parametrize("language", LANGUAGES)
def test_the_letters_of_a_language_tell_its_encoding(folder: Path, language: str, lines: int) -> None:
    encoding, text = LANGUAGES[language]
    text = text.replace(",", "")
    data = "text,label\n" + "".join(f"{text} {number},x\n" for number in range(lines))
    rows, _ = found(folder, "a.csv", data.encode(encoding), encoding="detect")
    assert rows["text"].tolist() == [f"{text} {number}" for number in range(lines)]


@pytest.mark.parametrize("encoding", ENCODED)
def test_an_encoding_is_named_as_a_guess_and_used_only_where_that_is_asked(folder: Path, encoding: str) -> None:
    text = ENCODED[encoding].replace(",", "")
    data, known = POEM.format(text).encode(encoding), encoding.removesuffix("-sig")
    if encoding != "utf-8-sig":
        line = 1 if encoding == "utf-16" else 2
        with pytest.raises(DataError, match=rf"a\.csv:{line}: byte 0x.. is not utf-8; .*\(it looks like {known}\)"):
            found(folder, "a.csv", data)
        assert found(folder, "a.csv", data, encoding=encoding)[1] == []
    rows, notes = found(folder, "a.csv", data, encoding="detect")
    assert rows["text"][0] == text and len(rows) == 10
    assert notes == [f"a.csv: encoding detected as {known}" + SHOWN.get(known, "")]


def test_one_accent_is_taken_for_western_and_bytes_without_sense_for_nothing(folder: Path) -> None:
    rows, notes = found(folder, "a.csv", b"text,label\ncaf\xe9,x\n" + b"plain,y\n" * 9, encoding="detect")
    assert rows["text"][0] == "café"
    fix = "where that is wrong set `encoding`"
    assert notes == [f"a.csv: encoding detected as cp1252, so that it reads 'café,x'; {fix}"]
    with pytest.raises(DataError, match=r"a\.csv: no encoding fits every byte"):
        found(folder, "a.csv", b"\xff\xfe\x00", encoding="detect")
    (folder / "good.txt").write_bytes("très bon\n".encode("cp1252"))
    intake = Intake(folder.parent / "scratch")
    rows = read_source(ClassFilesSource(kind="class_files", files={"good": "good.txt"}, encoding="detect"), intake)
    assert rows["text"].tolist() == ["très bon"] and intake.notes == [
        f"good.txt: encoding detected as cp1252, so that it reads 'très'; {fix}"
    ]


def test_a_wrong_byte_far_behind_is_found_on_its_line(folder: Path) -> None:
    lines = [b"text,label", *[b"caf\xc3\xa9 %d,x" % number for number in range(200_000)]]
    lines[150_000] = b"caf\xe9,x"
    with pytest.raises(DataError, match=r"a\.csv:150001: byte 0xe9 is not utf-8"):
        found(folder, "a.csv", b"\n".join(lines))
    with pytest.raises(DataError, match=r"a\.csv:1: every other byte is NUL.*\(it looks like utf-16-le\)"):
        found(folder, "a.csv", "text,label\nplain,x\n".encode("utf-16-le"))
    for name in ("base64", "rot13", "utf-99"):
        with pytest.raises(DataError, match=rf"unknown encoding '{name}'; use a name such as utf-8"):
            found(folder, "a.csv", b"text,label\nplain,x\n", encoding=name)
    with pytest.raises(DataError, match=r"a\.csv:2: byte 0xc3 is not utf-8"):
        found(folder, "a.csv", b"text,label\nend\xc3")


def test_provenance_names_files_by_their_place_below_the_data_folder(folder: Path, tmp_path: Path) -> None:
    for place, name in ((folder / "deep", "deep/a.csv"), (tmp_path / "away", "a.csv")):
        place.mkdir()
        (place / "a.csv").write_text("text,label\na,x\n")
        intake = Intake(tmp_path / "scratch")
        read_source(FileSource(kind="file", path=str(place / "a.csv")), intake)
        about = intake.provenance("file", 1)
        assert about["where"] == name and str(tmp_path) not in str(about)
        assert about["files"] == [{"name": name, "bytes": 15, "sha256": sha256(b"text,label\na,x\n")}]
        assert about["bytes"] == 15 and about["licence"] is None and about["when"].endswith("Z")


@pytest.mark.parametrize(
    ("card", "licence"),
    [
        ("---\nlicense: apache-2.0\n---\n# Rows\n", "apache-2.0"),
        ("---\nlicense: [mit, cc-by-4.0]\n---\n", "mit, cc-by-4.0"),
        ("# no front matter\n", None),
        (None, None),
    ],
)
def test_a_hub_data_set_is_recorded_with_the_licence_of_its_card(
    tmp_path: Path, card: str | None, licence: str | None
) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "train.csv").write_text("text,label\n")
    if card is not None:
        (tmp_path / "README.md").write_text(card)
    intake = Intake(tmp_path)
    record_hub(HubSource(kind="hub", repo="owner/rows", revision="a" * 40), tmp_path, intake)
    assert intake.where == f"owner/rows@{'a' * 40}" and intake.files[-1]["name"] == "sub/train.csv"
    assert intake.licence == ({"file": "README.md", "says": licence} if licence else None)
    (tmp_path / "README.md").write_text("---\nlicense: [mit\n---\n")
    with pytest.raises(DataError, match=r"its README\.md begins with what is not YAML"):
        record_hub(HubSource(kind="hub", repo="owner/rows", revision="a" * 40), tmp_path, intake)


def test_the_public_tables(datasets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEMPER_DATA", str(datasets))
    columns = Columns(label="airline_sentiment", group="airline", time="tweet_created", time_format="%d-%m-%Y %H:%M")
    rows = load_rows(FileSource(kind="file", path="airline-tweets/Tweets.csv", columns=columns), tmp_path)
    assert rows["label"].value_counts().to_dict() == {"negative": 9178, "neutral": 3099, "positive": 2363}
    assert rows["group"].value_counts()["Virgin America"] == 504 and rows["text"].str.contains("\n").sum() == 138
    assert str(rows["time"].min()) == "2015-02-16 23:36:00" and rows.drop(columns="split").notna().all(axis=None)
    columns = Columns(text="review", label_names=("negative", "positive"))
    rows = load_rows(FileSource(kind="file", path="chnsenticorp-htl/*.csv", columns=columns), tmp_path)
    assert rows["label"].value_counts().to_dict() == {"positive": 5322, "negative": 2444}
    assert rows["text"].isna().sum() == 1
    how: Any = {"format": "tsv", "header": ("label", "text"), "quoting": False}
    rows = load_rows(FileSource(kind="file", path="sms-spam/SMSSpamCollection", **how), tmp_path)
    assert rows["label"].value_counts().to_dict() == {"ham": 4827, "spam": 747}
    assert rows.duplicated().sum() == 403


# Several files, whose names may tell the split; other separators ------------------------------------------------------

PARTS = {"train-00.csv": "a film", "train_01.csv": "b film", "my.dev.csv": "c film", "test/data.csv": "d film"}


def test_a_folder_is_no_file(folder: Path, tmp_path: Path) -> None:
    (folder / "many").mkdir()
    with pytest.raises(
        DataError, match=r"many: a folder, not a file; name a file in it, or all of them as many/\*\.csv"
    ):
        load_rows(FileSource(kind="file", path="many"), tmp_path)
    (folder / "none.csv").write_text("text,label\n")
    with pytest.raises(DataError, match=r"^none\.csv: the source holds no rows"):
        load_rows(FileSource(kind="file", path="none.csv"), tmp_path)


def test_names_of_files_tell_the_split(folder: Path, tmp_path: Path) -> None:
    (folder / "test").mkdir()
    for name, text in PARTS.items():
        (folder / name).write_text(f"text,label\n{text},good\n")
    source = FileSource(kind="file", path=("*.csv", "test/*.csv"), split_files=True)
    rows = load_rows(source, tmp_path)
    told = dict(zip(rows["text"], rows["split"], strict=True))
    assert told == {"a film": "train", "b film": "train", "c film": "validation", "d film": "test"}
    before = pins.pin(source, ask=False)[1]
    (folder / "my.dev.csv").rename(folder / "my.test.csv")
    assert pins.pin(source, ask=False)[1] != before, "another name is another split"
    with zipfile.ZipFile(folder / "x.zip", "w") as archive:
        for name, text in PARTS.items():
            archive.writestr(name, f"text,label\n{text},good\n")
    packed = FileSource(kind="file", path="x.zip", member=("*.csv",), split_files=True)
    assert dict(zip(*(load_rows(packed, tmp_path)[name] for name in ("text", "split")), strict=True)) == told
    for name, said in (("other.csv", "gives no split"), ("train_test.csv", "gives test and train split")):
        (folder / name).write_text("text,label\na,b\n")
        with pytest.raises(DataError, match=rf"{name}: the name {said}, but `split_files` asks"):
            load_rows(FileSource(kind="file", path=name, split_files=True), tmp_path)
    with pytest.raises(ValidationError, match=r"split_files and columns\.split exclude each other"):
        FileSource(kind="file", path="a.csv", split_files=True, columns=Columns(split="part"))


def test_several_addresses_are_one_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEMPER_ALLOW_PRIVATE_SOURCES", "true")
    monkeypatch.setenv("NO_PROXY", "*")
    hub = Hub()
    try:
        hub.files = {"/train.csv": b"text,label\na film,good\n", "/test.csv": b"text,label\nb film,bad\n"}
        urls, sums = tuple(hub.url + name for name in hub.files), tuple(map(sha256, hub.files.values()))
        intake = Intake(tmp_path)
        rows = read_source(UrlSource(kind="url", url=urls, sha256=sums, split_files=True), intake)
        assert rows[["text", "split"]].to_numpy().tolist() == [["a film", "train"], ["b film", "test"]]
        assert intake.where == ", ".join(urls) and [file["sha256"] for file in intake.files] == list(sums)
    finally:
        hub.stop()
    keys = [pins.pin(UrlSource(kind="url", url=urls[:n], sha256=sums[:n]), ask=False)[1] for n in (1, 2)]
    assert keys[0] != keys[1] and "127.0.0.1" not in str(keys)
    for wrong in ((urls, sums[:1]), (urls[:1] * 2, sums), (urls[0], sums)):
        with pytest.raises(ValidationError, match="url and sha256 go together"):
            UrlSource(kind="url", url=wrong[0], sha256=wrong[1])
    with pytest.raises(ValidationError, match="url holds a name or password"):
        UrlSource(kind="url", url=("https://a.org/a.csv", "https://b:c@a.org/a.csv"), sha256=sums)


@pytest.mark.parametrize("mark", [";", "|", "\t"])
def test_other_separators(folder: Path, tmp_path: Path, mark: str) -> None:
    shown = "\\t" if mark == "\t" else mark
    (folder / "a.csv").write_text(f'text{mark}label\n"one{mark} two, three"{mark}x\nfour{mark}y\n')
    with pytest.raises(DataError, match=rf"a quote closes inside .* set `separator: ['\"]{re.escape(shown)}['\"]`"):
        load_rows(FileSource(kind="file", path="a.csv"), tmp_path)
    rows = load_rows(FileSource(kind="file", path="a.csv", separator=mark), tmp_path)
    assert rows["text"].tolist() == [f"one{mark} two, three", "four"]
    (folder / "a.jsonl").write_text('{"text": "a", "label": "b"}\n')
    with pytest.raises(DataError, match=r"download\.separator is not read of jsonl files"):
        load_rows(FileSource(kind="file", path="a.jsonl", separator=mark), tmp_path)
    with pytest.raises(ValidationError, match="separator"):
        FileSource(kind="file", path="a.csv", separator=";;")
