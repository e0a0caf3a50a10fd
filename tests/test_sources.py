"""Local sources -> rows: every format, every way in which a file can be wrong, and the ids of rows."""

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hub_server import sha256

from configs.models import LocalTokenizer
from configs.sources import ClassFilesSource, Columns, EmbeddedSource, FileSource
from tasks.data.files import DataError
from tasks.data.rows import with_ids
from tasks.data.sources import load_rows
from tasks.store import pins

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
    assert len(rows) > 100 and rows[["text", "label"]].notna().all(axis=None)


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


def test_integer_labels_get_their_names_even_from_columns_with_gaps(folder: Path) -> None:
    named: dict = {"columns": {"label_names": ("bad", "good")}}
    expected = [["a", "good", None], ["b", "bad", None], ["c", None, None]]
    assert read(folder, "a.csv", "text,label\na,1\nb,0\nc,\n", **named) == expected
    lines = '{"text": "a", "label": 1}\n{"text": "b", "label": 0}\n{"text": "c"}\n'
    assert read(folder, "a.jsonl", lines, **named) == expected
    for labels in ([1.0, 0.0, np.nan], pd.array([1, 0, None], "Int8"), ["1", "0", None], ["good", "bad", None]):
        pd.DataFrame({"text": ["a", "b", "c"], "label": labels}).to_parquet(folder / "a.parquet")
        assert read(folder, "a.parquet", None, **named) == expected
    assert [row[1] for row in read(folder, "b.jsonl", lines)] == ["1", "0", None]
    assert [row[1] for row in read(folder, "c.jsonl", lines.replace("1}", "0.5}"))] == ["0.5", "0.0", None]
    huge = '{"text": "a", "label": 1e300}\n{"text": "b", "label": -1e19}\n{"text": "c"}\n'
    assert [row[1] for row in read(folder, "d.jsonl", huge)] == ["1e+300", "-1e+19", None]


def test_given_splits(folder: Path) -> None:
    content = "text,label,part\na,x,Train\nb,x,dev\nc,x, val \nd,x,TEST\ne,x,\n"
    rows = read(folder, "a.csv", content, columns={"split": "part"})
    assert [row[2] for row in rows] == ["train", "validation", "validation", "test", None]
    with pytest.raises(DataError, match=r"split names \['holdout'\] are unknown; use train, validation and test"):
        read(folder, "a.csv", content.replace("dev", "holdout"), columns={"split": "part"})


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
        ("a.csv", 'text,label\n"a\nb",c,d\n', {}, r"a\.csv:3: more fields than the 2 columns"),
        ("a.csv", "text,label\na,b,\nc,d,\ne,f,g\n", {}, r"a\.csv:4: more fields than the 2 columns"),
        ("a.csv", "a,b,c\n", {"header": ("text", "label")}, r"a\.csv:1: more fields than the 2 columns"),
        ("a.csv", "text,label\na,b\nc,d,e\n", {}, "line 3, saw 3; mend the line"),
        ("a.tsv", 'text\tlabel\na\tb\n"c\td\n', {}, r"EOF inside string.*`quoting: false`"),
        ("a.csv", "text,label\na,b\n", {"columns": {"text": "txt"}}, r"no column 'txt' .* did you mean 'text'\?"),
        ("a.csv", "text;label\na;b\n", {}, r"no column 'text' for `columns\.text`; the columns are \['text;label'\]"),
        ("a.csv", "text,label,text\na,b,c\n", {}, "two columns are called 'text'"),
        ("a.csv", "a,b\n", {"header": ("text", "text")}, "two columns are called 'text'"),
        ("a.jsonl", '{"text": "a"}\n{oops\n', {}, r"a\.jsonl:2: not JSON \(.*\); one object per line"),
        ("a.json", '[\n{"text": "a"}]', {}, r"a\.json:1: not JSON"),
        ("a.json", '[{"text": "a"}]', {}, r"a\.json:1: a list; one object per line"),
        ("a.jsonl", '{"text": "\\ud83d\\ude00"}\n{"text": "\\uD83D"}', {}, r"a\.jsonl:2: half of a surrogate pair"),
        ("a.xls", "text,label\na,b\n", {}, r"a\.xls: unknown ending; set `format` to one of csv"),
    ],
)
def test_a_file_that_is_wrong_is_named_with_place_and_mend(
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
    pd.DataFrame({"text": ["a film", "no film"], "label": [1, None]}).to_parquet(folder / "a.parquet")
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
