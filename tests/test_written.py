"""What a row says does not depend on the other rows, in every format; the same values have the same row ids."""

import ast
import gzip
import json
import zipfile
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.feather as feather
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from source_rows import load_rows

from configs.sources import Columns, FileSource
from configs.splitting import HashSplit
from tasks.data.errors import DataError
from tasks.data.rows import with_ids
from tasks.data.sources.columns import take_columns
from tasks.data.sources.written import Number, as_written, frame_of, join_frames

ROOT = Path(__file__).resolve().parents[1]
FIELDS = ("text", "label", "group", "kept", "time")
COLUMNS = Columns(group="group", keep=("kept",), time="time")
QUICK = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\x00\r"), min_size=1, max_size=8).filter(str.strip)
WORDS = st.one_of(
    st.sampled_from(["007", "1.0", "1", "1e5", "100000", "1,5", "NA", "null", "True", "true", "2024-01-02", "-0"]),
    st.integers(-(2**70), 2**70).map(str),
    TEXTS,
)
MOMENTS = st.one_of(
    st.none(),
    st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30)).map(str),
    st.sampled_from(["2024-01-01 00:00:00.123456789", "3000-01-01", "1500-02-03T04:05:06+02:00", "unknown"]),
)
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**70), 2**70), st.floats(allow_nan=False, allow_infinity=False), WORDS
)
JSON = (
    SCALARS,
    st.integers(-(2**63), 2**63 - 1),
    st.integers(0, 9),
    st.booleans(),
    st.floats(allow_nan=False, allow_infinity=False),
    WORDS,
)
ARROW = (
    (pa.int64(), st.integers(-(2**63), 2**63 - 1)),
    (pa.uint64(), st.integers(0, 2**64 - 1)),
    (pa.bool_(), st.booleans()),
    (pa.float64(), st.floats(allow_nan=False)),
    (pa.float32(), st.floats(width=32, allow_nan=False)),
    (pa.decimal128(20, 4), st.decimals(-(10**10), 10**10, places=4)),
    (pa.date32(), st.dates()),
    (pa.string(), TEXTS),
    (pa.timestamp("ns"), st.datetimes(datetime(1700, 1, 1), datetime(2200, 1, 1))),
    (pa.dictionary(pa.int8(), pa.string()), TEXTS),
)


def row_of(values: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    words = dict.fromkeys(("label", "group", "kept"), values)
    return st.fixed_dictionaries({"text": TEXTS, "time": MOMENTS, **words})


def read(path: Path, source: FileSource | None = None) -> pd.DataFrame:
    source = source or FileSource(kind="file", path="", columns=COLUMNS)
    rows = with_ids(load_rows(replace(source, path=str(path)), path.parent))
    return rows.assign(part=split_rows_or_none(rows))


def split_rows_or_none(rows: pd.DataFrame) -> Any:
    """Parts by the hash of the text; of few rows a part may be empty, which is not the question here."""
    from tasks.data import splitting

    return splitting._hashed(rows, HashSplit())


def unchanged(
    folder: Path, write: Any, rows: list[Any], added: Any, name: str, source: FileSource | None = None
) -> None:
    """Rows read alone and with another behind them, and with another in front, are the same; so are ids and parts."""
    path = folder / name
    write(path, rows)
    alone = read(path, source)
    write(path, [*rows, added])
    pd.testing.assert_frame_equal(read(path, source).iloc[:-1], alone)
    write(path, [added, *rows])
    behind = read(path, source).iloc[1:].reset_index(drop=True)
    pd.testing.assert_frame_equal(behind.drop(columns="id"), alone.drop(columns="id"))
    hashes = [one["id"].str.partition("-")[0] for one in (behind, alone)]
    pd.testing.assert_series_equal(*hashes)


def write_csv(path: Path, rows: list[dict[str, Any]]) -> None:
    separator = "\t" if path.suffix == ".tsv" else ","
    pd.DataFrame(rows, columns=list(FIELDS), dtype=object).to_csv(path, index=False, sep=separator, quoting=1)


def write_lines(path: Path, rows: list[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")


@pytest.mark.parametrize("name", ["r.csv", "r.tsv"])
@QUICK
@given(rows=st.lists(row_of(WORDS), min_size=1, max_size=5), added=row_of(st.one_of(st.none(), WORDS)))
def test_a_row_more_changes_no_other_row_of_a_table_of_words(
    tmp_path: Path, name: str, rows: list[dict[str, Any]], added: dict[str, Any]
) -> None:
    unchanged(tmp_path, write_csv, rows, added, name)


@QUICK
@given(data=st.data())
def test_a_row_more_changes_no_other_row_of_json_lines(tmp_path: Path, data: Any) -> None:
    """Columns of one type too, since only there a library would infer another type from the row that is added."""
    kind = data.draw(st.sampled_from(JSON))
    rows = data.draw(st.lists(row_of(kind), min_size=1, max_size=5))
    added = data.draw(row_of(st.one_of(st.none(), kind, SCALARS)))
    unchanged(tmp_path, write_lines, rows, added, "r.jsonl")


@pytest.mark.parametrize("name", ["r.parquet", "r.arrow"])
@QUICK
@given(data=st.data())
def test_a_row_more_changes_no_other_row_of_typed_tables(tmp_path: Path, name: str, data: Any) -> None:
    kinds = {field: data.draw(st.sampled_from(ARROW)) for field in ("label", "group", "kept")}
    one = st.fixed_dictionaries(
        {"text": TEXTS, "time": MOMENTS} | {field: st.one_of(st.none(), values) for field, (_, values) in kinds.items()}
    )
    rows, added = data.draw(st.lists(one, min_size=1, max_size=5)), data.draw(one)
    schema = pa.schema([("text", pa.string()), ("time", pa.string()), *((f, kind) for f, (kind, _) in kinds.items())])

    def write(path: Path, these: list[dict[str, Any]]) -> None:
        table = pa.Table.from_pylist(these, schema=schema)
        pq.write_table(table, path) if path.suffix == ".parquet" else feather.write_feather(table, path)

    unchanged(tmp_path, write, rows, added, name)


def write_array(path: Path, rows: list[dict[str, Any]]) -> None:
    path.write_text(json.dumps(rows, ensure_ascii=False, indent=1), encoding="utf-8")


def write_object(path: Path, rows: list[dict[str, Any]]) -> None:
    path.write_text(json.dumps({"made": "today", "rows": rows}, ensure_ascii=False), encoding="utf-8")


@pytest.mark.parametrize("write", [write_array, write_object])
@QUICK
@given(data=st.data())
def test_a_row_more_changes_no_other_row_of_one_json_value(tmp_path: Path, write: Any, data: Any) -> None:
    kind = data.draw(st.sampled_from(JSON))
    rows = data.draw(st.lists(row_of(kind), min_size=1, max_size=5))
    unchanged(tmp_path, write, rows, data.draw(row_of(st.one_of(st.none(), kind, SCALARS))), "r.json")


@pytest.mark.parametrize("member", ["r.csv", "r.jsonl.gz"])
@settings(QUICK, max_examples=10)
@given(rows=st.lists(row_of(WORDS), min_size=1, max_size=5), added=row_of(st.one_of(st.none(), WORDS)))
def test_a_row_more_changes_no_other_row_of_a_table_in_an_archive(
    tmp_path: Path, member: str, rows: list[dict[str, Any]], added: dict[str, Any]
) -> None:
    def write(path: Path, these: list[dict[str, Any]]) -> None:
        plain = tmp_path / member.removesuffix(".gz")
        (write_csv if member == "r.csv" else write_lines)(plain, these)
        data = plain.read_bytes()
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr(member, gzip.compress(data) if member.endswith(".gz") else data)

    unchanged(tmp_path, write, rows, added, "r.zip")


LINE_WORDS = st.one_of(
    st.sampled_from(["007", "1.0", "1e5", "NA", "null", "true", "-0", "1,5"]),
    st.integers(-(2**70), 2**70).map(str),
    st.text(st.characters(codec="utf-8", categories=("L", "N", "P")), min_size=1, max_size=6),
)
LINE_ROWS = st.fixed_dictionaries(dict.fromkeys(("label", "group", "kept", "text"), LINE_WORDS))


@QUICK
@given(rows=st.lists(LINE_ROWS, min_size=1, max_size=5), added=LINE_ROWS)
def test_a_line_more_changes_no_other_row_of_labelled_lines(
    tmp_path: Path, rows: list[dict[str, Any]], added: dict[str, Any]
) -> None:
    pattern = " ".join(rf"(?P<{name}>\S+)" for name in ("label", "group", "kept", "text"))
    source = FileSource(
        kind="file", path="", format="lines", pattern=pattern, columns=Columns(group="group", keep=("kept",))
    )

    def write(path: Path, these: list[dict[str, Any]]) -> None:
        path.write_text("".join(" ".join(row.values()) + "\n" for row in these), encoding="utf-8")

    unchanged(tmp_path, write, rows, added, "r.txt", source)


TAGS = st.sampled_from(["O", "B-x", "I-x", "B-y"])
FIRST_WORDS = LINE_WORDS.filter(lambda word: not word.startswith(("#", "-DOCSTART-")))
TAGGED_WORDS = st.lists(st.tuples(FIRST_WORDS, TAGS), min_size=1, max_size=4)


@QUICK
@given(rows=st.lists(TAGGED_WORDS, min_size=1, max_size=5), added=TAGGED_WORDS)
def test_a_sentence_more_changes_no_other_row_of_conll(tmp_path: Path, rows: list[Any], added: Any) -> None:
    """In the scheme that the recipe names: without it the tags of all rows decide which one they are in."""
    source = FileSource(kind="file", path="", columns=Columns(tags="tags", scheme="iob2"))

    def write(path: Path, these: list[Any]) -> None:
        sentences = ("".join(f"{word}\t{tag}\n" for word, tag in words) for words in these)
        path.write_text("\n".join(sentences), encoding="utf-8")

    unchanged(tmp_path, write, rows, added, "r.conll", source)


@QUICK
@given(st.lists(st.tuples(TEXTS, st.one_of(st.integers(-(2**63), 2**63 - 1), st.booleans())), min_size=1, max_size=6))
def test_the_same_values_have_the_same_ids_in_every_format(tmp_path: Path, pairs: list[tuple[str, Any]]) -> None:
    for kind in (int, bool):
        rows = [
            {"text": text, "label": label, "group": label, "kept": label, "time": None}
            for text, label in pairs
            if type(label) is kind
        ]
        if not rows:
            continue
        words = [
            {name: str(value).lower() if isinstance(value, bool) else value for name, value in row.items()}
            for row in rows
        ]
        table = pa.Table.from_pylist(rows)
        write_csv(tmp_path / "a.csv", words)
        write_lines(tmp_path / "a.jsonl", rows)
        pq.write_table(table, tmp_path / "a.parquet")
        feather.write_feather(table, tmp_path / "a.arrow")
        first, *others = [read(tmp_path / f"a.{ending}") for ending in ("csv", "jsonl", "parquet", "arrow")]
        for other in others:
            pd.testing.assert_frame_equal(other, first)


def test_rows_with_a_separator_in_them_share_no_id() -> None:
    rows = pd.DataFrame({"text": ["a\x1fb", "a", "a\x1f"], "label": ["c", "b\x1fc", "\x1fb\x1fc"], "split": None})
    digests = with_ids(rows)["id"].str.partition("-")[0]
    assert digests.nunique() == 3
    plain = with_ids(pd.DataFrame({"text": ["good"], "label": ["1"], "split": None}))["id"][0]
    assert plain == "24649f64c34e36e7-0", "ids of all other rows are what they were"


# Spellings -----------------------------------------------------------------------------------------------------------


def test_numbers_of_json_are_as_they_are_written(tmp_path: Path) -> None:
    spelt = ["1.0", "1e5", "100000", "-0.0", "1E-7", "12345678901234567890123", "0.10", "true", "false"]
    lines = [
        f'{{"text": "t{n}", "label": {value}, "group": {value}, "kept": {value}, "time": null}}\n'
        for n, value in enumerate(spelt)
    ]
    (tmp_path / "a.jsonl").write_text("".join(lines) + '{"text": "no label"}\n')
    rows = read(tmp_path / "a.jsonl")
    for name in ("label", "group", "kept"):
        assert rows[name].tolist()[:-1] == spelt and pd.isna(rows[name].iloc[-1])
    assert json.dumps({"x": [Number("1e2")]}) == '{"x": [100.0]}', "within lists and objects a number stays one"


def test_values_of_arrow_are_words_one_by_one() -> None:
    table = pa.table(
        {
            "big": pa.array([2**63 - 1, None]),
            "whole": pa.array([3.0, None]),
            "nan": pa.array([float("nan"), 0.1]),
            "short": pa.array([0.1, None], pa.float32()),
            "shorter": pa.array([np.float16(0.1), None], pa.float16()),
            "money": pa.array([Decimal("1.50"), None]),
            "day": pa.array([date(1, 2, 3), None]),
            "moment": pa.array([datetime(2024, 5, 1, 10, tzinfo=UTC), None]),
            "yes": pa.array([True, None]),
            "kind": pa.array(["p", None]).dictionary_encode(),
            "nothing": pa.nulls(2),
        }
    )
    frame = frame_of(table)
    words = {name: as_written(frame[name], "t", "r").iloc[0] for name in frame if name not in ("nan", "nothing")}
    assert words == {
        "big": "9223372036854775807",
        "whole": "3.0",
        "short": "0.1",
        "shorter": "0.1",
        "money": "1.50",
        "day": "0001-02-03",
        "moment": "2024-05-01 10:00:00+00:00",
        "yes": "true",
        "kind": "p",
    }
    assert as_written(frame["nan"], "t", "r").isna().tolist() == [True, False]
    assert all(as_written(frame[name], "t", "r").isna()[1] for name in words)


def test_files_of_one_source_do_not_change_one_anothers_values(tmp_path: Path) -> None:
    pq.write_table(pa.table({"text": ["a"], "label": [1]}), tmp_path / "1.parquet")
    pq.write_table(pa.table({"text": ["b"], "label": [0.5]}), tmp_path / "2.parquet")
    pq.write_table(pa.table({"text": ["c"], "label": ["x"]}), tmp_path / "3.parquet")
    rows = load_rows(FileSource(kind="file", path=f"{tmp_path}/*.parquet"), tmp_path)
    assert rows["label"].tolist() == ["1", "0.5", "x"]
    assert join_frames([pd.DataFrame({"a": [1]}), pd.DataFrame({"a": [None]}, dtype=object)])["a"].tolist() == [1, None]


# Lists, objects and bytes --------------------------------------------------------------------------------------------

NESTED = {"a list": ["b", "a"], "an object": {"b": 1}, "bytes": b"\xff"}


@pytest.mark.parametrize("role", ["label", "group", "split"])
@pytest.mark.parametrize("kind", NESTED)
def test_what_is_no_single_value_is_refused_with_row_and_fix(role: str, kind: str) -> None:
    table = frame_of(pa.table({"text": ["x", "y"], "label": ["p", "q"], "odd": [None, NESTED[kind]]}))
    message = rf"t: row 2: 'odd' holds {kind}.*name another column in `download\.columns\.{role}`"
    with pytest.raises(DataError, match=message):
        take_columns(table, Columns(**{role: "odd"}), "t")


def test_lists_and_objects_as_text_or_target_are_json_text_and_said(tmp_path: Path) -> None:
    lines = [{"text": ["a", "é"], "out": {"b": 1, "a": [None, 1.50]}}, {"text": "plain", "out": "word"}]
    (tmp_path / "a.jsonl").write_text(json.dumps(lines[0]) + "\n" + json.dumps(lines[1]) + "\n")
    notes: list[str] = []
    from tasks.data.sources.tables import read_table

    table = read_table(tmp_path / "a.jsonl", FileSource(kind="file", path="a.jsonl"))
    rows = take_columns(table, Columns(target="out"), "a.jsonl", notes=notes)
    assert rows["text"].tolist() == ['["a", "é"]', "plain"]
    assert rows["target"].tolist() == ['{"b": 1, "a": [null, 1.5]}', "word"]
    assert [note.partition(";")[0] for note in notes] == [
        "a.jsonl: 1 values of 'text' are lists or objects, read as JSON text",
        "a.jsonl: 1 values of 'out' are lists or objects, read as JSON text",
    ]
    with pytest.raises(DataError, match="'odd' holds bytes"):
        take_columns(frame_of(pa.table({"odd": [b"a"], "label": ["x"]})), Columns(text="odd"), "t")


NAMES = ("columns", "tables", "read", "hub_rows", "json_rows", "delimited", "pattern_lines", "written", "arrow_words")
READERS = [*(ROOT / f"tasks/data/sources/{name}.py" for name in NAMES), ROOT / "tasks/autodetect/table.py"]


def casts(source: str) -> list[int]:
    """Lines that make text of a whole column by its type: `x.astype("str")` of what is read."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "astype" and node.args:
            told = node.args[0]
            if getattr(told, "id", getattr(told, "value", None)) in ("str", "string"):
                found.append(node.lineno)
    return found


def test_no_reader_makes_text_of_a_column_by_its_type() -> None:
    allowed = {"columns.py": ("direct", "others.map", "column.map(names)"), "written.py": ("return column.astype",)}
    for path in READERS:
        lines = path.read_text(encoding="utf-8").splitlines()
        odd = [lines[line - 1] for line in casts("\n".join(lines))]
        assert [line for line in odd if not any(word in line for word in allowed.get(path.name, ()))] == []
    assert casts("x = table[name].astype(str)\ny = table[name].astype('str')") == [1, 2]
