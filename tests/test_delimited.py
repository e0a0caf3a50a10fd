"""Tables as people have them: no character of a row changes, and every refusal names the options that read it."""

import csv
import io
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from source_rows import load_rows

from configs.sources import ClassFilesSource, Columns, FileSource
from tasks.autodetect.unknown_files import read_unknown
from tasks.data.errors import DataError
from tasks.data.sources import delimited
from tasks.data.sources.tables import read_table


def source(path: Path, **how: Any) -> FileSource:
    return FileSource(kind="file", path=str(path), **how)


def read(path: Path, content: str | bytes, notes: list[str] | None = None, **how: Any) -> list[list[str | None]]:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    frame = read_table(path, source(path, **how), notes=notes)
    return frame.astype(object).where(frame.notna(), None).to_numpy().tolist()


FIELD = st.text(st.sampled_from("ab \"',;\t|\\\r\n\u2028\x85\x0bé好"), min_size=1, max_size=8)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.lists(st.tuples(FIELD, FIELD), min_size=1, max_size=5),
    separator=st.sampled_from(",;\t|"),
    escape=st.sampled_from([None, "\\"]),
    end=st.sampled_from(["\n", "\r\n"]),
)
def test_what_is_read_and_written_back_in_the_same_dialect_has_the_same_bytes(
    tmp_path: Path, rows: list[tuple[str, str]], separator: str, escape: str | None, end: str
) -> None:
    def write(table: list[Any]) -> str:
        if escape is None:
            out = io.StringIO()
            csv.writer(out, delimiter=separator, lineterminator=end, quoting=csv.QUOTE_ALL).writerows(table)
            return out.getvalue()
        escaped = [[re.sub(r'(["\\])', r"\\\1", field) for field in row] for row in table]
        return "".join(separator.join(f'"{field}"' for field in row) + end for row in escaped)

    written = write([("text", "label"), *rows])
    found = read(tmp_path / "a.csv", written, separator=separator, escape=escape)
    assert found == [list(row) for row in rows]
    assert write([("text", "label"), *found]) == written


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(st.tuples(FIELD, FIELD), min_size=1, max_size=5), quoting=st.booleans())
def test_unquoted_fields_keep_every_character(tmp_path: Path, rows: list[tuple[str, str]], quoting: bool) -> None:
    """With quotes as marks either the bytes come back or the file is refused; without, only line ends divide."""
    plain = [[re.sub(r"[\t\n]|\r$|^\s+$", "x", field) for field in row] for row in rows]
    written = "".join("\t".join(row) + "\n" for row in [["text", "label"], *plain])
    try:
        found = read(tmp_path / "a.tsv", written, quoting=quoting)
    except DataError:
        assert quoting and '"' in written
        return
    back = "".join("\t".join(value or "" for value in row) + "\n" for row in [["text", "label"], *found])
    assert back == written or (quoting and '"' in written and _grouped(written) == found)


def _grouped(written: str) -> list[list[str | None]]:
    """The same rows by Python's own reader, for which a carriage return is no line end within a line."""
    lines = csv.reader(io.StringIO(written.replace("\r", "\ud800"), newline="\n"), delimiter="\t", strict=True)
    rows = [[field.replace("\ud800", "\r") or None for field in row] for row in lines]
    return [row + [None] * (2 - len(row)) for row in rows[1:] if row]


@pytest.mark.parametrize(
    ("name", "content", "how", "rows"),
    [
        ("excel.csv", '\ufeffsep=;\r\ntext;label\r\n"a; b";good\r\n', {}, [["a; b", "good"]]),
        ("excel.csv", "sep=;\ntext;label\na;good\n", {"separator": ";"}, [["a", "good"]]),
        ("excel.csv", '"sep=|"\na|good\n', {"header": ("text", "label")}, [["a", "good"]]),
        ("empties.csv", "text,label\na,b,,,\nc,d\ne,f,,\n", {}, [["a", "b"], ["c", "d"], ["e", "f"]]),
        ("short.csv", "text,label\na\n,b\n", {}, [["a", None], [None, "b"]]),
        ("cr.csv", "text,label\na\rb,good\n", {}, [["a\rb", "good"]]),
        ("cr.csv", 'text,label\r\n"a\rb\r\nc",good\r\nd,bad\r\n', {}, [["a\rb\r\nc", "good"], ["d", "bad"]]),
        ("mac.csv", "text,label\ra,good\rb,bad\r", {}, [["a", "good"], ["b", "bad"]]),
        ("inch.csv", 'text,label\na 5" pipe,good\n', {}, [['a 5" pipe', "good"]]),
        (
            "mysql.csv",
            'text,label\n"she said \\"fine\\", \\\\o/",good\n',
            {"escape": "\\"},
            [['she said "fine", \\o/', "good"]],
        ),
        ("mysql.csv", 'text,label\n"C:\\new",\\N\n"\\N",x\n', {"escape": "\\"}, [["C:\\new", None], ["\\N", "x"]]),
        (
            "mysql.tsv",
            "text\tlabel\none\\\ntwo\\\tthree\tgood\n",
            {"escape": "\\", "quoting": False},
            [["one\ntwo\tthree", "good"]],
        ),
        (
            "rows.json",
            '[\n {"text": "a", "label": "b"},\n {"text": "c", "label": "d"}\n]',
            {},
            [["a", "b"], ["c", "d"]],
        ),
        ("rows.jsonl", '[{"text": "a", "label": "b"}]', {}, [["a", "b"]]),
        ("rows.json", '{"version": 2, "data": [{"text": "a", "label": "b"}]}', {}, [["a", "b"]]),
        ("rows.json", '{\n "data": [\n{"text": "a", "label": "b"}]}', {}, [["a", "b"]]),
        ("row.json", '{\n "text": "a",\n "label": "b"\n}', {}, [["a", "b"]]),
        (
            "trec.txt",
            "DESC:x how did it  go\n\nNUM:y \u2028 two\n",
            {"format": "lines", "pattern": r"(?P<label>[A-Z]+):\S+ (?P<text>.+)"},
            [["DESC", "how did it  go"], ["NUM", "\u2028 two"]],
        ),
    ],
)
def test_what_people_have_is_read(tmp_path: Path, name: str, content: str, how: dict[str, Any], rows: list) -> None:
    assert read(tmp_path / name, content, **how) == rows


@pytest.mark.parametrize(
    ("name", "content", "how", "fix"),
    [
        ("a.csv", 'text,label\n"she said \\"fine\\", and left",good\n"x",bad\n', {}, {"escape": "\\"}),
        ("a.tsv", 'text\tlabel\n"warm" is a word\tgood\n', {}, {"quoting": False}),
        ("a.tsv", 'text\tlabel\n"warm is a word\tgood\n', {}, {"quoting": False}),
        ("a.csv", 'text;label\n"warm; a word";good\n', {}, {"separator": ";"}),
        ("a.csv", 'text|label\n"warm| a \\"word\\""|good\n', {}, {"separator": "|", "escape": "\\"}),
        ("a.csv", 'text,label\n"a, b",good\n', {"quoting": False}, {"quoting": True}),
    ],
)
def test_a_refusal_names_options_with_which_the_file_is_read(
    tmp_path: Path, name: str, content: str, how: dict[str, Any], fix: dict[str, Any]
) -> None:
    with pytest.raises(DataError, match=rf"{name}:2: .*set `") as caught:
        read(tmp_path / name, content, **how)
    for key, value in fix.items():
        assert f"`{key}: {str(value).lower() if isinstance(value, bool) else repr(value)[:2]}" in str(caught.value)
    assert all(None not in row for row in read(tmp_path / name, content, **{**how, **fix}))


def test_what_is_odd_in_a_file_that_is_read_is_reported(tmp_path: Path) -> None:
    notes: list[str] = []
    read(tmp_path / "a.csv", 'sep=;\ntext;label\na\rb;good\nc;bad;;\nd\n"e\nf";"g\nh"\n', notes)
    said = "\n".join(notes)
    for part in (
        "a.csv: the first line, sep=;, declares",
        "1 carriage returns inside lines are kept",
        "1 lines have fewer fields than the 2 columns",
    ):
        assert part in said
    notes = []
    read(tmp_path / "b.tsv", 'label\ttext\nham\t"Hi\nspam\tbuy"\n', notes)
    assert "1 rows span several lines by their quotes, but every line would be a row" in notes[0]
    assert len(read(tmp_path / "b.tsv", 'label\ttext\nham\t"Hi\nspam\tbuy"\n', quoting=False)) == 2


def test_ragged_lines_are_counted_in_one_remark(tmp_path: Path) -> None:
    notes: list[str] = []
    rows = read(tmp_path / "a.csv", "a,b,c\n1,2,3\n1,2\n1\n1,2\n", notes)
    assert [row.count(None) for row in rows] == [0, 1, 2, 1]
    assert notes == ["a.csv: 3 lines have fewer fields than the 3 columns; what lacks is missing (first a.csv:3)"]


def test_a_million_rows_are_stored_block_by_block(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delimited, "AT_ONCE", 3)
    rows = read(tmp_path / "a.csv", "text,label\n" + "".join(f"t{n},\n" for n in range(7)))
    assert rows == [[f"t{n}", None] for n in range(7)]


def test_a_carriage_return_ends_no_line_of_class_files(tmp_path: Path) -> None:
    (tmp_path / "good.txt").write_bytes(b"one\rtwo\nthree\r\n\nfour")
    (tmp_path / "bad.txt").write_bytes(b"old\rmac\r")
    files = {"good": str(tmp_path / "good.txt"), "bad": str(tmp_path / "bad.txt")}
    rows = load_rows(ClassFilesSource(kind="class_files", files=files), tmp_path)
    assert rows["text"].fillna("").tolist() == ["one\rtwo", "three", "", "four", "old", "mac"]


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"pattern": "(?P<text>.+)"}, "set `format: lines`"),
        ({"pattern": "(", "format": "lines"}, "no regular expression"),
        ({"pattern": ".+", "format": "lines"}, "named groups"),
        ({"escape": "n"}, "pattern"),
        ({"escape": ";", "separator": ";"}, "two characters"),
    ],
)
def test_options_that_cannot_be_meant_are_refused(how: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        FileSource(kind="file", path="a.txt", columns=Columns(), **how)


def test_lines_that_do_not_fit_are_refused_with_their_place(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"a\.txt:2: the line 'two' does not fit `pattern`"):
        read(tmp_path / "a.txt", "1 one\ntwo\n", format="lines", pattern=r"(?P<label>\d) (?P<text>.+)")
    with pytest.raises(DataError, match=r"needs a `pattern` of named groups, such as"):
        read(tmp_path / "a.txt", "1 one\n", format="lines")


@pytest.mark.parametrize(
    ("name", "content", "read_as"),
    [
        ("a.csv", "\ufeffsep=;\r\ntext;label\r\n" + "one, two;good\r\n" * 4, {"separator": None}),
        ("a.csv", "text;label\n" + "one, two, three;good\nfour, five, six;bad\n" * 4, {"separator": ";"}),
        ("a.csv", "text, raw;label\n" + "one, two;good\nfour;bad\n" * 4, {"separator": ";"}),
        ("a.tsv", 'text\tlabel\n"one" of two\tgood\n', {"quoting": False}),
        ("a.tsv", "text,label\none,good\n", {"format": "csv"}),
        ("a.csv", 'text,label\n"the \\"one\\", of two",good\n', {"escape": "\\"}),
        ("a.json", '[{"text": "one", "label": "good"}]', {"format": None}),
        ("rows", '[\n{"text": "one", "label": "good"}]', {"format": "jsonl"}),
        (
            "a.txt",
            "".join(f"{'ab'[n % 2]} text number {n}\n" for n in range(20)),
            {"format": "lines", "pattern": r"(?P<label>\S+)\s(?P<text>.+)"},
        ),
        (
            "a.txt",
            "".join(f"__label__{'ab'[n % 2]} text number {n}\n" for n in range(20)),
            {"format": "lines", "pattern": r"__label__(?P<label>\S+)\s(?P<text>.+)"},
        ),
    ],
)
def test_init_finds_the_options(tmp_path: Path, name: str, content: str, read_as: dict[str, Any]) -> None:
    (tmp_path / name).write_text(content)
    table, found, _ = read_unknown(tmp_path / name)
    assert {key: getattr(found, key) for key in read_as} == read_as
    assert sorted(table.columns)[0] == "label" and len(table.columns) == 2
    assert read_table(tmp_path / name, found).equals(table)


@pytest.mark.parametrize("name", ["a.txt", "a.tsv", "a.conll"])
def test_a_word_and_its_tag_per_line_are_read_as_conll(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_text("-DOCSTART-\t-X-\tO\n\n" + "Anna\tNN\tB-PER\nsleeps\tVB\tO\n.\t.\tO\n\n" * 5)
    table, found, _ = read_unknown(path)
    assert found.format == (None if name == "a.conll" else "conll")
    assert table["tokens"].tolist() == [["Anna", "sleeps", "."]] * 5 and table["tags"][0] == ["B-PER", "O", "O"]
    assert read_table(path, found).equals(table)
