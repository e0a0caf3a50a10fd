"""`temper init` of folders of tables and texts; splits that are named in other words; what is to be tried next."""

import gzip
import itertools
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import typer
from pydantic import ValidationError
from source_rows import load_rows
from typer.testing import CliRunner

from configs.load import load_recipe
from configs.sources import ClassFilesSource, Columns, FileSource
from flows.cli.init import command
from flows.cli.progress import to_try
from flows.starter_recipe import prepare
from tasks import pins
from tasks.data.errors import DataError
from tasks.data.sources.provenance import Intake
from tasks.data.sources.read import read_source
from tasks.inference.inputs import read_rows


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where relative paths of sources start (conftest)."""
    return tmp_path / "data"


def rows(count: int, label: str) -> list[str]:
    return [f"a {label} text of number {number} with words" for number in range(count)]


def initialised(tmp_path: Path, what: str) -> tuple[Any, str]:
    """The source of the recipe that init writes, and what was seen."""
    output = tmp_path / "r.yaml"
    starter, notes = prepare(what, output, None)
    output.write_text(starter.text())
    return load_recipe(output).download, "\n".join([*starter.seen().values(), *notes])


def table(labels: str, count: int = 40, start: int = 0) -> str:
    return "text,label\n" + "".join(
        f"some text number {start + n} here,{labels[n % len(labels)]}\n" for n in range(count)
    )


def test_tables_whose_names_give_the_split(folder: Path, tmp_path: Path) -> None:
    (folder / "d").mkdir()
    for number, name in enumerate(("Training.csv", "dev_set.csv", "testing.csv", ".hidden.csv")):
        (folder / "d" / name).write_text(table("xy", 40, 100 * number))
    source, said = initialised(tmp_path, "d")
    assert (source.path, source.split_files) == ("d/*.csv", True)
    assert "as the names of the files say: train 40, validation 40, test 40" in said
    loaded = load_rows(source, tmp_path / "s")
    assert loaded["split"].value_counts().to_dict() == {"train": 40, "validation": 40, "test": 40}


def test_tables_of_the_same_columns_are_read_together(folder: Path, tmp_path: Path) -> None:
    (folder / "d").mkdir()
    for number, name in enumerate(("one.csv", "two.csv")):
        (folder / "d" / name).write_text(table("xy", 40, 100 * number))
    source, said = initialised(tmp_path, "d")
    assert (source.path, source.split_files) == ("d/*.csv", False)
    assert "2 tables are read together: one.csv, two.csv" in said
    assert len(load_rows(source, tmp_path / "s")) == 80
    (folder / "d" / "three.csv").write_text("other,columns\na,b\n")
    with pytest.raises(DataError, match=r"3 tables in it differ .*; choose one:\n  temper init d/one\.csv"):
        prepare("d", tmp_path / "x.yaml", None)


def test_a_text_file_per_class(folder: Path, tmp_path: Path) -> None:
    (folder / "d").mkdir()
    for label in ("good", "very bad"):
        (folder / "d" / f"{label}.txt").write_text("\n".join(rows(30, label)))
    source, said = initialised(tmp_path, "d")
    assert source == ClassFilesSource(kind="class_files", files={"good": "d/good.txt", "very bad": "d/very bad.txt"})
    assert "each file is a class, each line a text" in said
    assert load_rows(source, tmp_path / "s")["label"].value_counts().to_dict() == {"good": 30, "very bad": 30}


def test_a_folder_of_texts_per_class(folder: Path, tmp_path: Path) -> None:
    for label in ("pos", "neg"):
        (folder / "d" / label).mkdir(parents=True)
        for number, text in enumerate(rows(30, label)):
            (folder / "d" / label / f"{number:03d}.txt").write_text(
                f"{text}\nand caf\u00e9 {number}", encoding="latin-1"
            )
    source, said = initialised(tmp_path, "d")
    assert source.files == {"neg": "d/neg", "pos": "d/pos"} and source.encoding == "detect"
    assert "each folder is a class, each file a text" in said
    loaded = load_rows(source, tmp_path / "s")
    assert loaded["text"].iloc[0] == "a neg text of number 0 with words\nand caf\u00e9 0" and len(loaded) == 60
    before = pins.pin(source, ask=False)[1]
    (folder / "d" / "pos" / "000.txt").write_text("changed")
    assert pins.pin(source, ask=False)[1] != before
    with pytest.raises(DataError, match=r"its folders hold folders of texts; choose one:\n  temper init \S+/d"):
        prepare(str(folder), tmp_path / "x.yaml", None)


def test_a_folder_of_nothing_says_what_is_read(folder: Path, tmp_path: Path) -> None:
    (folder / "d").mkdir()
    (folder / "d" / "a.pdf").write_bytes(b"x")
    with pytest.raises(DataError, match=r"a folder without images, tables, or at least two \.txt files"):
        prepare("d", tmp_path / "x.yaml", None)


def test_splits_are_mapped_by_hand(folder: Path, tmp_path: Path) -> None:
    (folder / "a.csv").write_text("text,label,part\na,x,Lernen\nb,y,Pr\u00fcfen\nc,x,Training\n")
    how: dict[str, Any] = {"kind": "file", "path": "a.csv"}
    with pytest.raises(DataError, match=r"map them in `columns\.split_map`, such as {Lernen: train}"):
        load_rows(FileSource(**how, columns=Columns(split="part")), tmp_path / "s")
    columns = Columns(split="part", split_map={"Lernen": "train", "Pr\u00fcfen": "test"})
    assert load_rows(FileSource(**how, columns=columns), tmp_path / "s")["split"].tolist() == ["train", "test", "train"]
    (folder / "b.csv").write_text("text,label\nd,x\n")
    named = FileSource(kind="file", path=("b.csv",), split_files=True)
    with pytest.raises(DataError, match=r"the name gives no split, .*`columns\.split_map: {b: train}`"):
        load_rows(named, tmp_path / "s")
    mapped = FileSource(kind="file", path=("b.csv",), split_files=True, columns=Columns(split_map={"b": "test"}))
    assert load_rows(mapped, tmp_path / "s")["split"].tolist() == ["test"]
    with pytest.raises(ValidationError, match="split_map is read with"):
        FileSource(**how, columns=Columns(split_map={"b": "test"}))


def test_the_recipe_can_be_named_as_the_output_of_predict_is(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "own.csv").write_text(table("xy"))
    app = typer.Typer()
    app.command()(command)
    done = CliRunner().invoke(app, ["~/own.csv", "-o", "~/own.yaml"])
    assert done.exit_code == 0, done.output
    assert load_recipe(tmp_path / "own.yaml").download.path == str(tmp_path / "own.csv")


def test_what_is_to_be_tried_is_a_text_of_the_data() -> None:
    assert to_try("classifier", "\u5f88\u597d\u5403") == "\u5f88\u597d\u5403" or to_try("classifier", "x y") == "'x y'"
    assert to_try("classifier", "it's") == "'it'\"'\"'s'"
    assert to_try("classifier", None) == "TEXT" and to_try("image", None) == "IMAGE.png"


@pytest.mark.parametrize("names", [("foo.npy", "bar.npy"), ("a/1.npy", "a/2.npz", "b/1.npy")])
def test_a_folder_of_arrays_that_are_no_pairs_says_how_arrays_are_read(
    folder: Path, tmp_path: Path, names: tuple[str, ...]
) -> None:
    for name in names:
        (folder / "odd" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "odd" / name).write_bytes(b"\x93NUMPY")
    with pytest.raises(DataError, match=rf"its {len(names)} \.npy and \.npz files are read where .*x_train.*as PNG"):
        prepare("odd", tmp_path / "x.yaml", None)


def texts_below(folder: Path, levels: tuple[tuple[str, ...], ...], count: int = 20) -> None:
    """That many text files in each folder, with a name for each level."""
    for number, names in enumerate(itertools.product(*levels)):
        place = folder.joinpath(*names)
        place.mkdir(parents=True)
        for at in range(count):
            (place / f"{at}.txt").write_text(f"a text of number {number * count + at} with words\n")


@pytest.mark.parametrize("outer_parts", [True, False])
def test_folders_of_parts_and_classes_of_texts(folder: Path, tmp_path: Path, outer_parts: bool) -> None:
    parts, labels = ("Training", "test"), ("dull", "fun", "unsup")
    texts_below(folder / "films", (parts, labels) if outer_parts else (labels, parts))
    source, said = initialised(tmp_path, "films")
    assert isinstance(source, ClassFilesSource) and source.split_files and [*source.files] == ["dull", "fun"]
    assert "as the names of the folders say: train 40, test 40" in said and "unsup" in said
    loaded = load_rows(source, tmp_path / "s")
    every = [(part, label) for part in ("test", "train") for label in ("dull", "fun")]
    assert loaded.groupby(["split", "label"]).size().to_dict() == dict.fromkeys(every, 20)
    assert loaded["text"].nunique() == 80
    alike = [replace(source, files={"fun": f"copies/{part}/fun"}) for part in ("train", "test")]
    for part in ("train", "test"):
        texts_below(folder / "copies" / part, (("fun",),), 1)
    first, second = (pins.pin(one, ask=False)[1] for one in alike)
    assert first != second, "the same bytes under another part's name are other rows"


def test_a_place_that_names_no_part_is_refused(folder: Path, tmp_path: Path) -> None:
    texts_below(folder / "elsewhere", (("fun", "dull"),), 1)
    files = {"fun": "elsewhere/fun", "dull": "elsewhere/dull"}
    with pytest.raises(DataError, match="neither 'elsewhere' nor 'fun' names a part"):
        load_rows(ClassFilesSource(kind="class_files", files=files, split_files=True), tmp_path / "s")


def test_files_of_labelled_lines_whose_names_are_parts(folder: Path, tmp_path: Path) -> None:
    (folder / "d").mkdir()
    for number, name in enumerate(("train.txt", "dev.txt", "test.txt")):
        lines = [f"{('LOC', 'NUM')[at % 2]} what is number {number * 40 + at} called" for at in range(40)]
        (folder / "d" / name).write_text("\n".join(lines) + "\n")
    source, said = initialised(tmp_path, "d")
    assert (source.format, source.split_files) == ("lines", True)
    assert "train 40, validation 40, test 40" in said
    parts = load_rows(source, tmp_path / "s")["split"].value_counts()
    assert parts.to_dict() == {"train": 40, "validation": 40, "test": 40}


def zipped(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


def test_tables_of_an_archive_whose_names_give_the_split(folder: Path, tmp_path: Path) -> None:
    halves = [table("xy", 40, start).encode() for start in (0, 100)]
    zipped(
        folder / "d.zip", {"data/train.csv": halves[0], "data/test.csv.gz": gzip.compress(halves[1]), "LICENSE": b""}
    )
    source, said = initialised(tmp_path, "d.zip")
    assert source.split_files and "as the names of the files say: train 40, test 40" in said
    loaded = load_rows(source, tmp_path / "s")
    assert loaded["split"].tolist() == ["train"] * 40 + ["test"] * 40
    unsplit = Intake(tmp_path / "t")
    rows = read_source(replace(source, split_files=False), unsplit)
    assert rows["split"].isna().all() and any("`split_files: true` reads it" in note for note in unsplit.notes)


def test_a_compressed_table_in_an_archive(folder: Path, tmp_path: Path) -> None:
    packed = gzip.compress(table("xy", 40).encode())
    zipped(folder / "d.zip", {"rows.csv.gz": packed})
    source, _ = initialised(tmp_path, "d.zip")
    assert len(load_rows(source, tmp_path / "s")) == 40
    assert len(read_rows(folder / "d.zip")[0]) == 40  # as a prediction reads it
    zipped(folder / "cut.zip", {"rows.csv.gz": packed[:-30]})
    with pytest.raises(DataError, match=r"cut\.zip/rows\.csv\.gz: not a zip or tar archive, or damaged"):
        initialised(tmp_path, "cut.zip")
    zipped(folder / "two.zip", {"rows.csv.gz": packed, "rows.csv": b"text,label\n"})
    with pytest.raises(DataError, match=r"rows\.csv and the same compressed"):
        load_rows(FileSource(kind="file", path="two.zip", member="*"), tmp_path / "s")


def test_an_archive_of_texts_is_to_be_unpacked(folder: Path, tmp_path: Path) -> None:
    zipped(folder / "d.zip", {"good/1.txt": b"one", "bad/2.txt": b"two"})
    with pytest.raises(DataError, match=r"2 files, no table; unpack it and give the folder of the texts"):
        initialised(tmp_path, "d.zip")
