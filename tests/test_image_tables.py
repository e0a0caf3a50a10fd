"""Tables that list images or hold their bytes: rows with labels, splits and groups; pins; absent files; init."""

import shutil
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from source_rows import load_rows
from test_init_sources import held, laid, made, picture

from configs.columns import Columns
from configs.expectations import Validate
from configs.load import load_recipe
from configs.sources import FileSource
from configs.splitting import GivenSplit
from flows.starter_recipe import prepare
from tasks import pins
from tasks.autodetect.located import Hints
from tasks.data.checks.expectations import check_rows
from tasks.data.errors import DataError
from tasks.data.rows import with_ids
from tasks.data.sources.provenance import Intake
from tasks.data.sources.read import read_source

COLUMNS = Columns(image="path", label="kind", split="part", group="patient")


def table(**changed: Any) -> pd.DataFrame:
    rows = range(40)
    columns = {
        "path": [f"photos/{i}.png" for i in rows],
        "kind": ["ant", "bee"] * 20,
        "patient": [f"{i // 4:03d}" for i in rows],
        "part": ["Training"] * 28 + ["Testing"] * 12,
    }
    return pd.DataFrame(columns | changed)


def listed(tmp_path: Path, frame: pd.DataFrame, name: str = "set/index.csv") -> FileSource:
    laid(tmp_path / "data", {f"set/photos/{i}.png": picture(i) for i in range(40)})
    place = tmp_path / "data" / name
    place.parent.mkdir(parents=True, exist_ok=True)
    frame.to_csv(place, index=False) if name.endswith(".csv") else frame.to_parquet(place)
    return FileSource(kind="file", path=name, columns=COLUMNS)


def test_a_table_of_paths_is_a_source_of_images(tmp_path: Path) -> None:
    source = listed(tmp_path, table())
    rows = read_source(source, Intake(tmp_path / "s", tmp_path / "images.parquet"))
    assert rows["split"].value_counts().to_dict() == {"train": 28, "test": 12}
    assert rows["group"][5] == "001" and rows["file"][5] == "photos/5.png" and rows["image"].nunique() == 40
    absolute = listed(tmp_path, table(path=[str(tmp_path / f"data/set/photos/{i}.png") for i in range(40)]), "b.csv")
    other = load_rows(absolute, tmp_path / "t")
    assert other["image"].equals(rows["image"])
    windows = listed(tmp_path, table(path=[f"set\\photos\\{i}.png" for i in range(40)]), "c.csv")
    assert load_rows(windows, tmp_path / "t")["image"].equals(rows["image"])


def test_the_files_that_a_table_lists_are_pinned(tmp_path: Path) -> None:
    source = listed(tmp_path, table())
    before = pins.pin(source, ask=False)[1]
    (tmp_path / "data/set/photos/other.png").write_bytes(b"x")  # nobody lists it
    assert pins.pin(source, ask=False)[1] == before and "images" in before
    (tmp_path / "data/set/photos/3.png").write_bytes(picture(99))
    changed = pins.pin(source, ask=False)[1]
    (tmp_path / "data/set").rename(tmp_path / "data/moved")
    moved = pins.pin(FileSource(kind="file", path="moved/index.csv", columns=COLUMNS), ask=False)[1]
    assert changed != before and moved == changed
    assert "images" not in pins.pin(FileSource(kind="file", path="moved/index.csv"), ask=False)[1]


def test_absent_files_are_counted_and_limited(tmp_path: Path) -> None:
    source = listed(tmp_path, table(path=[f"photos/{i}.png" for i in range(3, 43)]))
    intake = Intake(tmp_path / "s")
    rows = with_ids(read_source(source, intake))
    assert rows["image"].isna().sum() == 3
    assert (
        "3 of 40 image files that the table names are absent (photos/40.png, photos/41.png, photos/42.png)"
        in (intake.notes[0])
    )
    failed = [verdict for verdict in check_rows(rows, Validate(max_duplicates=1.0))[0] if verdict.stops]
    assert any("image" in verdict.name or "image" in verdict.asked for verdict in failed)
    assert not [v for v in check_rows(rows, Validate(max_missing=0.1))[0] if v.stops]
    nowhere = listed(tmp_path, table(path=["a\0.png", "x" * 5000 + ".png", ".", ""] * 10), "d.parquet")
    with pytest.raises(DataError, match=r"none of the 40 image files .* is there, .*set `images` to the folder"):
        load_rows(nowhere, tmp_path / "s")
    with pytest.raises(DataError, match=r"gone: no such folder for `images`"):
        load_rows(FileSource(kind="file", path="set/index.csv", columns=COLUMNS, images="gone"), tmp_path / "s")


@pytest.mark.parametrize("form", ["bytes", "struct"])
def test_parquet_with_images(tmp_path: Path, form: str) -> None:
    values = [picture(i) if form == "bytes" else {"bytes": picture(i), "path": f"{i}.png"} for i in range(40)]
    source = listed(tmp_path, table(path=values), "p.parquet")
    rows = load_rows(source, tmp_path / "s")
    assert rows["image"].equals(load_rows(listed(tmp_path, table()), tmp_path / "t")["image"])
    assert rows["file"][7] == ("000007" if form == "bytes" else "7.png")
    recipe, _ = made("p.parquet", tmp_path)
    assert recipe.download == source and recipe.encode.kind == "image"
    assert held(recipe, tmp_path)["part"].value_counts().to_dict() == {"train": 28, "test": 12}


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([{"bytes": None, "path": "/etc/passwd"}] * 40, "names '/etc/passwd' without its bytes"),
        ([[1, 2]] * 40, "holds a list, not the bytes or the path"),
        ([1] * 40, "holds int"),
    ],
)
def test_what_is_no_image_is_refused(tmp_path: Path, values: list[Any], message: str) -> None:
    with pytest.raises(DataError, match=rf"row 1: .*{message}"):
        load_rows(listed(tmp_path, table(path=values), "p.parquet"), tmp_path / "s")


@pytest.mark.parametrize(
    ("what", "name"), [("set/index.csv", "set/index.csv"), ("set", "set/index.csv"), ("lists/l.csv", "lists/l.csv")]
)
def test_init_finds_the_images_that_a_table_lists(tmp_path: Path, what: str, name: str) -> None:
    inside = name.startswith("set")
    listed(tmp_path, table(path=[f"{'photos/' if inside else ''}{i}.png" for i in range(40)]), name)
    if not inside:
        (tmp_path / "data/set/photos").rename(tmp_path / "data/lists/pictures")
    recipe, text = made(what, tmp_path)
    images = None if inside else "lists/pictures"
    assert recipe.download == FileSource(kind="file", path=name, columns=COLUMNS, images=images)
    assert recipe.split == GivenSplit(kind="given", validation="none") and "columns: {image: path, label: kind" in text
    assert len(held(recipe, tmp_path)) == 40


def test_init_asks_which_table_and_which_label(tmp_path: Path) -> None:
    listed(tmp_path, table())
    listed(tmp_path, table(), "set/other.csv")
    with pytest.raises(DataError, match=r"2 tables in it list images; choose one:\n  temper init set/index\.csv\n"):
        made("set", tmp_path)
    listed(tmp_path, table(kind=["a", "b"] * 20, form=["c", "d"] * 20).rename(columns={"kind": "x"}), "set/index.csv")
    with pytest.raises(DataError, match=r"several columns could be the label: x .*--label"):
        made("set/index.csv", tmp_path)
    written, _ = prepare("set/index.csv", tmp_path / "r.yaml", None, hints=Hints(label="form"))
    (tmp_path / "r.yaml").write_text(written.text(), encoding="utf-8")
    assert load_recipe(tmp_path / "r.yaml").download.columns.label == "form"  # type: ignore[union-attr]
    (tmp_path / "data/set/photos").rename(tmp_path / "gone")
    with pytest.raises(DataError, match=r"names image files, such as photos/0\.png, and none is there"):
        made("set/index.csv", tmp_path)


def test_names_of_images_are_not_trained_on_as_texts(tmp_path: Path) -> None:
    listed(tmp_path, table())
    texts = FileSource(kind="file", path="set/index.csv", columns=Columns(text="path", label="kind"))
    with pytest.raises(DataError, match=r"such as photos/0\.png.*`columns: \{image: path, label: kind\}`"):
        load_rows(texts, tmp_path / "s")
    (tmp_path / "data/set/photos").rename(tmp_path / "data/set/deep")
    listed(tmp_path, table(path=[f"{i}.png" for i in range(40)]), "set/index.csv")
    with pytest.raises(DataError, match=r"label: kind\}`, `images: set/deep` and encode\.kind: image"):
        load_rows(texts, tmp_path / "s")
    for name in ("photos", "deep"):
        shutil.rmtree(tmp_path / "data/set" / name)
    intake = Intake(tmp_path / "s")
    assert len(read_source(texts, intake)) == 40 and "are read as texts; to train on the images" in intake.notes[-1]


@pytest.mark.parametrize("what", ["set", "set/labels.csv"])
def test_names_without_endings_are_those_of_files_near_the_table(tmp_path: Path, what: str) -> None:
    laid(tmp_path / "data", {f"set/train/p{i:03d}{('.png', '.PNG')[i % 2]}": picture(i) for i in range(40)})
    rows = pd.DataFrame({"id": [f"p{i:03d}" for i in range(40)], "breed": ["ant", "bee"] * 20})
    rows.to_csv(tmp_path / "data" / "set" / "labels.csv", index=False)
    recipe, _ = made(what, tmp_path)
    assert recipe.download.columns == Columns(image="id", label="breed") and recipe.download.images == "set/train"
    assert held(recipe, tmp_path)["image"].nunique() == 40
    rows.to_csv(tmp_path / "data" / "alone.csv", index=False)
    assert made("alone.csv", tmp_path)[0].download.columns.image is None, "without the files near it words are texts"


def test_lists_of_paths_and_labels_keep_their_parts(tmp_path: Path) -> None:
    laid(tmp_path / "data", {f"set/photos/{i}.png": picture(i) for i in range(40)})
    lines = [f"photos/{i}.png{('  ', ',')[i % 2]}{i % 2}\n" for i in range(40)]
    (tmp_path / "data" / "set" / "train.txt").write_text("".join(lines[:28]))
    (tmp_path / "data" / "set" / "test.txt").write_text("".join(lines[28:]))
    recipe, _ = made("set", tmp_path)
    assert recipe.download.split_files and recipe.download.format == "lines"
    rows = held(recipe, tmp_path)
    assert rows["split"].value_counts().to_dict() == {"train": 28, "test": 12}
    assert set(rows["label"]) == {"0", "1"} and rows["image"].nunique() == 40
