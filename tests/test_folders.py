"""Which files of a folder are read: names are bytes, what systems leave there is passed over; pins go by it too."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from source_rows import load_rows
from test_init_sources import laid, photographs

from configs.image_sources import ImagesSource
from tasks import pins
from tasks.data.errors import DataError
from tasks.data.rows import write_rows
from tasks.data.sources.folders import escape_name, is_left_out, list_images
from tasks.data.sources.provenance import Intake
from tasks.data.sources.read import read_source
from tasks.inference.inputs import open_folder

IGNORED = (
    ".DS_Store",
    "ant/Thumbs.db",
    "Icon\r",
    "bee/desktop.ini",
    "__MACOSX/ant/._0.png",
    "@eaDir/0.png",
    ".cache/0.png",
    "notes.txt",
    "LICENSE",
    "ant/.#0.png",
)
SOURCE = ImagesSource(kind="images", path="pets")


def test_what_no_reader_reads_changes_no_pin(tmp_path: Path) -> None:
    folder = laid(tmp_path / "data" / "pets", photographs(count=4))
    before, rows = pins.pin(SOURCE, ask=False)[1], load_rows(SOURCE, tmp_path / "s")
    laid(folder, dict.fromkeys(IGNORED, b"x"))
    (folder / ".lock").symlink_to("nowhere")  # as editors leave them
    os.mkfifo(folder / "pipe.png")  # would be waited at for ever
    assert pins.pin(SOURCE, ask=False)[1] == before
    assert load_rows(SOURCE, tmp_path / "s").equals(rows)
    assert list(open_folder(folder).rows["file"]) == list(rows["file"])
    (folder / "bee" / "new.png").write_bytes(b"new")
    assert pins.pin(SOURCE, ask=False)[1] != before


def test_names_that_are_not_utf8_are_read_and_escaped(tmp_path: Path) -> None:
    folder = laid(tmp_path / "data" / "pets", photographs(count=4))
    os.makedirs(os.fsencode(folder) + b"/caf\xe9")
    for name in (b"caf\xe9/\xff.png", b"ant/two\nlines.png"):
        Path(os.fsdecode(os.fsencode(folder) + b"/" + name)).write_bytes(photographs()["bee/1.png"])
    intake = Intake(tmp_path / "s")
    rows = read_source(SOURCE, intake)
    assert {r"caf\xe9/\xff.png", r"ant/two\x0alines.png"} < set(rows["file"]) and r"caf\xe9" in set(rows["label"])
    assert "2 names of files are not UTF-8 or hold control characters" in intake.notes[0]
    write_rows(rows, tmp_path / "rows.parquet")
    assert pins.pin(SOURCE, ask=False)[1] == pins.pin(SOURCE, ask=False)[1]
    questions = open_folder(folder)
    assert len(questions.identity()["input"]) == 64 and all(isinstance(data, bytes) for data in questions.given(0, 6))


@given(st.binary(min_size=1, max_size=30))
def test_every_name_of_bytes_can_be_shown_and_written(name: bytes) -> None:
    shown = escape_name(os.fsdecode(name))
    shown.encode("utf-8")
    assert not any(ord(letter) < 32 for letter in shown) and len(shown.splitlines()) <= 1
    assert escape_name(shown) == shown
    assert isinstance(is_left_out(shown), bool)


def test_a_link_that_leads_nowhere_is_named_escaped(tmp_path: Path) -> None:
    folder = laid(tmp_path / "data" / "pets", photographs(count=4))
    os.symlink(b"/nowhere", os.fsencode(folder) + b"/caf\xe9.png")
    with pytest.raises(DataError, match=r"caf\\xe9\.png: a link that leads nowhere"):
        list_images(folder)
