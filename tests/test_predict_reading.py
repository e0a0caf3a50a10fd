"""`temper predict` reads a file as a recipe's `download` does; what it refuses it fixes with options that it has."""

import bz2
import gc
import gzip
import inspect
import json
import re
import shutil
import zipfile
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from test_init_sources import laid, photographs

from configs.load import RecipeError
from configs.settings import settings
from configs.sources import FileSource
from flows.cli import reading_options as reading
from flows.cli.predict import command
from flows.cli.reading_options import as_options, fixes_as_options, given_reading
from flows.model_inputs import open_questions, open_rows
from tasks.data.errors import DataError
from tasks.inference.archive_inputs import ArchivedImages
from tasks.inference.inputs import read_rows

TEXTS = ["caf\u00e9 tr\u00e8s froid", "cold soup"]


def texts(path: Path, **options: Any) -> list[str]:
    return list(open_questions(path, "text", given_reading(**options)).rows["text"].astype(str))


@pytest.mark.parametrize(
    ("name", "content", "options"),
    [
        ("a.csv", "text;id\n{0};1\n{1};2\n", {"separator": ";"}),
        ("a.csv", "sep=;\ntext;id\n{0};1\n{1};2\n", {}),
        ("a.csv", "text\tid\n{0}\t1\n{1}\t2\n", {"separator": "\\t"}),
        ("a.csv", "{0},1\n{1},2\n", {"header": "text, id"}),
        ("a.csv", 'text,id\n"{0}",1\n"{1}",2\n', {}),
        ("a.txt", "1 {0}\n2 {1}\n", {"format": "lines", "pattern": r"(?P<id>\d) (?P<text>.+)"}),
        ("a.json", '[{{"text": "{0}"}}, {{"text": "{1}"}}]', {}),
        ("a.json", '{{"data": [{{"text": "{0}"}}, {{"text": "{1}"}}]}}', {}),
        ("rows", '{{"text": "{0}"}}\n{{"text": "{1}"}}', {"format": "jsonl"}),
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
def test_every_option_of_a_recipe_reads_the_same_file(
    tmp_path: Path, name: str, content: str, options: dict[str, Any], encoding: str
) -> None:
    data = content.format(*TEXTS).encode(encoding)
    path = tmp_path / name
    path.write_bytes(data)
    told = {**options, **({} if encoding == "utf-8" else {"encoding": encoding})}
    assert texts(path, **told) == TEXTS
    for ending, pack in ((".gz", gzip.compress), (".bz2", bz2.compress)):
        packed = tmp_path / f"{name}{ending}"
        packed.write_bytes(pack(data))
        assert texts(packed, **told, member=None if "format" not in told else "*") == TEXTS
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr(f"in/{name}", data)
        archive.writestr("other.csv", "text\nx\n")
    assert texts(tmp_path / "a.zip", **told, member=name) == TEXTS


@pytest.mark.parametrize(
    ("name", "content", "fix"),
    [
        ("a.csv", "text,id\ncaf\u00e9 cr\u00e8me froid d\u00e9j\u00e0,1\n".encode("latin-1"), "encoding"),
        ("a.csv", b'text;id\n"a; b";1\n', "separator"),
        ("a.tsv", b'text\tid\n"a" b\t1\n', "no-quoting"),
        ("a.csv", b'text,id\n"a \\"b\\" c",1\n', "escape"),
        ("rows", b"text,id\na,1\n", "format"),
    ],
)
def test_a_refusal_names_an_option_that_the_command_has(tmp_path: Path, name: str, content: bytes, fix: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises((DataError, RecipeError)) as caught, fixes_as_options():
        open_questions(tmp_path / name, "text")
    said = re.findall(r"`--([a-z-]+)(?: ([^`]*))?`", str(caught.value))
    assert fix in [option for option, _ in said]
    assert not re.search(r"`(encoding|separator|quoting|escape|format|header|member|pattern)", str(caught.value))
    given = {
        option.removeprefix("no-"): (
            False
            if option == "no-quoting"
            else json.loads(f'"{value.strip(chr(39))}"')
            if value and "\\" not in value
            else value.strip("'") or None
        )
        for option, value in said
        if option != "pattern"
    }
    given |= {"encoding": "detect"} if fix == "encoding" else {"format": "csv"} if fix == "format" else {}
    rows, _ = read_rows(tmp_path / name, given_reading(**given))
    assert list(rows.columns) == ["text", "id"]


def test_the_command_has_an_option_for_each_field_that_says_how_a_table_is_read() -> None:
    own = {"kind", "path", "split_files", "columns", "images", "extra"}
    keys = {field.name for field in fields(FileSource)} - own
    assert keys == set(reading.KEYS.split("|"))
    assert keys <= {"format" if name == "form" else name for name in inspect.signature(command).parameters}
    assert as_options("set `quoting: false`, `separator: ';'` or `encoding`; download.header is not read") == (
        "set `--no-quoting`, `--separator ';'` or `--encoding`; `--header` is not read"
    )


def test_what_is_predicted_of_another_reading_is_another_input(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("text,id\na,1\n")
    plain = open_questions(tmp_path / "a.csv", "text").identity()
    other = open_questions(tmp_path / "a.csv", "text", {"quoting": False}).identity()
    assert plain != other and "reading" not in plain


def test_a_home_folder_is_meant_by_its_sign(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("TEMPER_ARTIFACTS", "~/store")
    monkeypatch.setenv("TEMPER_HOME", "~/home")
    monkeypatch.setenv("TEMPER_DATA", "~/data")
    now = settings()
    assert (now.store, now.home, now.source("a.csv")) == (
        tmp_path / "store",
        tmp_path / "home",
        tmp_path / "data/a.csv",
    )
    assert now.source("~/b/c.csv") == tmp_path / "b" / "c.csv"
    assert open_rows("~ this is a text", "text", {}) is None


@pytest.mark.parametrize("ending", [".zip", ".tar", ".tar.gz"])
def test_images_of_an_archive_are_those_of_its_folder(tmp_path: Path, ending: str) -> None:
    files = photographs(count=6) | {"notes.txt": b"x", "ant/Thumbs.db": b"x"}
    folder, path = laid(tmp_path / "pets", files), tmp_path / f"pets{ending}"
    shutil.make_archive(str(tmp_path / "pets"), {".zip": "zip", ".tar": "tar"}.get(ending, "gztar"), folder)
    plain, packed = open_questions(folder, None), open_rows(str(path), None, {})
    assert isinstance(packed, ArchivedImages) and packed.where == str(path)
    assert list(packed.rows["file"]) == list(plain.rows["file"]) == sorted(photographs(count=6))
    assert packed.given(0, 6) == plain.given(0, 6) and packed.ignored == 2
    copies = packed.paths
    before = packed.identity()
    assert open_questions(path, None).identity() == before, "an interrupted call goes on, though the copies are new"
    laid(folder, {"ant/new.png": b"x"})
    shutil.make_archive(str(tmp_path / "pets"), {".zip": "zip", ".tar": "tar"}.get(ending, "gztar"), folder)
    assert open_questions(path, None).identity() != before
    del packed
    gc.collect()
    assert not any(copy.exists() for copy in copies)


def test_an_archive_of_tables_or_of_damage_is_no_archive_of_images(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("a.csv", "text\nx\n")
        archive.writestr("icon.png", b"x")
    assert list(open_questions(tmp_path / "a.zip", None).rows["text"]) == ["x"]
    (tmp_path / "b.zip").write_bytes((tmp_path / "a.zip").read_bytes()[:60])
    with pytest.raises(DataError, match="not a zip or tar archive, or damaged"):
        open_questions(tmp_path / "b.zip", None)
