"""Formats of images that people have: by content whatever the name, arrays of pixels, HEIC with its extra; predict."""

import io
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from source_rows import load_rows
from test_init_sources import held, laid, made, picture
from typer import Exit

from configs.cleaning import Unreadable
from configs.image_sources import ImagesSource
from configs.splitting import GivenSplit, HashSplit
from flows.model_inputs import is_image, open_rows
from tasks import pins
from tasks.data.cleaning.image_checks import inspect
from tasks.data.errors import DataError
from tasks.data.sources.folders import IMAGE_ENDINGS
from tasks.data.sources.image_bytes import formats
from tasks.data.sources.image_sets import png
from tasks.data.sources.provenance import Intake
from tasks.data.sources.read import read_source
from tasks.inference.inputs import open_folder
from tasks.vision.images import Unreadable as NoImage
from tasks.vision.images import decode

SAVED = {".jfif": "JPEG", ".jpe": "JPEG", ".webp": "WEBP", ".avif": "AVIF", ".heic": "HEIF", ".HEIF": "HEIF",
         ".jp2": "JPEG2000", ".tif": "TIFF", ".bmp": "BMP", ".gif": "GIF", ".ico": "ICO", ".ppm": "PPM"}  # fmt: skip


def written(kind: str, seed: int = 0) -> bytes:
    formats()  # registers HEIF
    Image.fromarray(np.full((16, 20, 3), 40 * seed % 256, np.uint8)).save(file := io.BytesIO(), kind)
    return file.getvalue()


def causes(tmp_path: Path, source: ImagesSource) -> pd.Series:
    rows = read_source(source, Intake(tmp_path / "s", tmp_path / "images.parquet"))
    seen = inspect(tmp_path / "images.parquet", rows["image"], (Unreadable(kind="unreadable"),))
    return rows.set_index("file")["image"].map(seen["cause"])


def test_every_format_is_read_in_folders_and_alone(tmp_path: Path) -> None:
    pytest.importorskip("pillow_heif")
    files = {f"{kind}/{number}{ending}": written(form, number) for kind in ("a", "b")
             for number, (ending, form) in enumerate(SAVED.items(), 1)}  # fmt: skip
    folder = laid(tmp_path / "data" / "mixed", files)
    assert causes(tmp_path, ImagesSource(kind="images", path="mixed")).isna().all()
    recipe, _ = made("mixed", tmp_path)
    assert len(held(recipe, tmp_path)) == 2 * len(SAVED)
    questions = open_folder(folder)
    assert len(questions.rows) == 2 * len(SAVED) and all(decode(one, "RGB", 8, "crop").any() for one in
                                                         questions.given(0, 9))  # fmt: skip
    for name in questions.rows["file"]:
        assert is_image(str(folder / name)), name
        (renamed := tmp_path / "without an ending").write_bytes(files[name])
        assert is_image(str(renamed)), name


def test_one_file_is_an_image_where_a_folder_would_read_it(tmp_path: Path) -> None:
    laid(tmp_path, {"t.csv": b"text\na", "notes.txt": b"a", "odd": b"text,label\n", "x.jfif": b"broken"})
    assert not any(is_image(str(tmp_path / name)) for name in ("t.csv", "notes.txt", "odd", "absent", "."))
    assert is_image(str(tmp_path / "x.jfif")) and all(is_image(f"absent{ending}") for ending in IMAGE_ENDINGS)
    assert not is_image("a text about cats") and not is_image("x" * 300)


def test_what_is_not_read_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    heic = b"\0\0\0\x1cftypheic\0\0\0\0mif1heic" + b"\0" * 40
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    formats.cache_clear()
    monkeypatch.delitem(Image.OPEN, "HEIF", raising=False)
    svg = b'<?xml version="1.0"?>\n<svg xmlns="x"></svg>'
    laid(tmp_path / "data" / "odd", {"a/1.heic": heic, "a/2.jxl": b"\xff\x0a" + b"\0" * 30, "b/3.psd": b"8BPS\0\1" * 9,
                                     "b/4.svg": svg, "b/5.png": b"no"})  # fmt: skip
    try:
        assert causes(tmp_path, ImagesSource(kind="images", path="odd")).to_dict() == {
            "a/1.heic": "HEIC: `pip install pillow-heif` reads it",
            "a/2.jxl": "JPEG XL, which is not read: save as PNG",
            "b/3.psd": "PSD, which is not read: save as PNG", "b/4.svg": "SVG, which is not read: save as PNG",
            "b/5.png": "not an image",
        }  # fmt: skip
        with pytest.raises(NoImage, match="HEIC: `pip install pillow-heif` reads it"):
            decode(heic, "RGB", 8, "crop")
    finally:
        monkeypatch.undo()
        formats.cache_clear()


def test_a_damaged_file_of_a_format_that_is_read_is_called_damaged(tmp_path: Path) -> None:
    pytest.importorskip("pillow_heif")
    files = {"a/1.heic": b"\0\0\0\x18ftypheic" + b"\0" * 40, "b/2.avif": b"\0\0\0\x18ftypavif" + b"\0" * 40}
    laid(tmp_path / "data" / "cut", files)
    found = causes(tmp_path, ImagesSource(kind="images", path="cut")).to_dict()
    assert found == {"a/1.heic": "damaged HEIC", "b/2.avif": "damaged AVIF"}


@pytest.mark.parametrize("name", ["pictures.zip", "pictures.tar"])
def test_an_archive_of_images_is_opened_as_its_folder_is(name: str, tmp_path: Path) -> None:
    folder = laid(tmp_path / "pictures", {"a/1.png": written("PNG"), "notes.md": b"x"})
    shutil.make_archive(str(folder), name.rpartition(".")[2], folder)
    opened, beside = (open_rows(str(place), None, {}) for place in (tmp_path / name, folder))
    assert opened is not None and beside is not None and opened.rows.equals(beside.rows)  # type: ignore[attr-defined]
    assert list(opened.rows["file"]) == ["a/1.png"]  # type: ignore[attr-defined]


def pixels(count: int, *shape: int) -> Any:
    return np.random.default_rng(count).integers(0, 256, (count, *(shape or (12, 10, 3))), dtype=np.uint8)


def test_arrays_of_pixels_beside_arrays_of_labels(tmp_path: Path) -> None:
    place = tmp_path / "data" / "set.npz"
    np.savez(place, x_train=pixels(40), y_train=np.arange(40) % 4, x_test=pixels(12), y_test=np.arange(12)[:, None] % 4)
    recipe, text = made("set.npz", tmp_path)
    assert recipe.download == ImagesSource(kind="images", path="set.npz") and "# pattern" not in text
    assert recipe.split == GivenSplit(kind="given", validation="none") and recipe.validate.labels == (
        "0",
        "1",
        "2",
        "3",
    )
    rows = held(recipe, tmp_path)
    assert rows["part"].value_counts().to_dict() == {"train": 40, "test": 12} and rows["label"][5] == "1"
    assert rows["file"].tolist()[0] == "train/00000.png"
    folder = tmp_path / "data" / "loose"
    folder.mkdir()
    np.save(folder / "images.npy", pixels(40, 9, 8))
    np.save(folder / "labels.npy", np.array(["ant", "bee"] * 20))
    before = pins.pin(ImagesSource(kind="images", path="loose"), ask=False)[1]
    recipe, text = made("loose", tmp_path)
    assert recipe.split == HashSplit(exact=True) and "mode: L" in text and len(held(recipe, tmp_path)) == 40
    named = ImagesSource(kind="images", path="loose", label_names={"ant": "Ameise", "bee": "Biene"})
    assert set(load_rows(named, tmp_path / "t")["label"]) == {"Ameise", "Biene"}
    np.save(folder / "labels.npy", np.array(["bee", "ant"] * 20))
    assert pins.pin(ImagesSource(kind="images", path="loose"), ask=False)[1] != before


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"x": pixels(4)}, "0 arrays hold the labels of 'x' among x; name arrays in pairs: x_train and y_train"),
        ({"x": pixels(4) / 255, "y": [0] * 4}, "holds float64, of which nothing says what is white; save bytes"),
        ({"x": pixels(4, 2, 2, 2, 2), "y": [0] * 4}, r"x has the shape \(4, 2, 2, 2, 2\)"),
        ({"x": pixels(4), "y": [0] * 3}, r"y has the shape \(3,\) of int64, not one whole number or name for each"),
        ({"x": pixels(4), "y": np.array([{}] * 4, dtype=object)}, "not arrays that can be read .*without objects"),
        ({"thing": pixels(4)}, "no array is called as pixels are among thing"),
    ],
)
def test_arrays_that_are_no_pairs_are_refused(tmp_path: Path, arrays: dict[str, Any], message: str) -> None:
    np.savez(tmp_path / "data" / "set.npz", **arrays)
    with pytest.raises(DataError, match=message):
        load_rows(ImagesSource(kind="images", path="set.npz"), tmp_path / "s")


def test_forms_of_arrays(tmp_path: Path) -> None:
    one_hot = np.eye(3)[np.arange(6) % 3]
    np.savez(tmp_path / "data" / "set.npz", train_images=pixels(6, 3, 5, 4), train_labels=one_hot,
             val_images=pixels(4, 5, 4, 1), val_labels=np.array([b"0", b"1", b"\xff", b"2"]))  # fmt: skip
    rows = load_rows(ImagesSource(kind="images", path="set.npz"), tmp_path / "s")
    assert rows["split"].tolist() == ["train"] * 6 + ["validation"] * 4
    assert rows["label"].tolist()[:4] == ["0", "1", "2", "0"] and rows["label"].tolist()[-2] == r"\xff"
    with pytest.raises(DataError, match="pattern and split_folders are read of paths"):
        load_rows(ImagesSource(kind="images", path="set.npz", split_folders=True), tmp_path / "s")
    np.save(tmp_path / "data" / "x.npy", pixels(4))
    with pytest.raises(DataError, match="one array; name the folder that holds an array of pixels and one of labels"):
        made("x.npy", tmp_path)


def test_pictures_of_one_class_are_none(tmp_path: Path) -> None:
    laid(tmp_path / "data" / "one", {f"a/{i}.webp": picture(i) for i in range(9)})
    with pytest.raises(DataError, match="fewer than two labels"):
        made("one", tmp_path)


@pytest.mark.faults
def test_a_registered_model_predicts_every_format_alone_in_a_folder_and_as_arrays(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One file and a folder give equal predictions for the same bytes, arrays those of their pictures."""
    from registered import register_images

    from flows.cli import predict

    pytest.importorskip("pillow_heif")
    register_images("grey")
    folder = laid(tmp_path / "folder", {f"p{ending}": written(form, 3) for ending, form in SAVED.items()})
    predict.command("grey", str(folder), None, tmp_path / "all.csv")
    rows = pd.read_csv(tmp_path / "all.csv").set_index("file")
    assert len(rows) == len(SAVED) and rows["error"].isna().all()
    for name, row in rows.iterrows():
        capsys.readouterr()
        predict.command("grey", str(folder / str(name)))
        shown = capsys.readouterr().out.split()
        assert shown[0] == row["label"] and float(shown[2]) == pytest.approx(row["probability of a"], abs=1e-4), name

    images, drawn = pixels(5, 8, 8), tmp_path / "drawn"
    laid(drawn, {f"{number}.png": png(image) for number, image in enumerate(images)})
    predict.command("grey", str(drawn), None, tmp_path / "drawn.csv")
    wanted = pd.read_csv(tmp_path / "drawn.csv")["probability"].tolist()
    (held_in := tmp_path / "arrays").mkdir()
    np.save(held_in / "x_test.npy", images)
    np.save(tmp_path / "any.npy", images)
    np.savez(tmp_path / "with labels.npz", images=images, labels=np.arange(5))
    np.savez(tmp_path / "without.npz", x_test=images, names=np.arange(5))
    for place in (held_in, tmp_path / "any.npy", tmp_path / "with labels.npz", tmp_path / "without.npz"):
        predict.command("grey", str(place), None, out := tmp_path / f"{place.stem}.jsonl")
        found = pd.read_json(out, lines=True)
        assert found["probability"].tolist() == pytest.approx(wanted) and found["number"].tolist() == [0, 1, 2, 3, 4]
    capsys.readouterr()
    for name, array, why in (
        ("floats", images / 255, "nothing says what is white"),
        ("flat", images[0, 0], "shape (8,)"),
    ):
        np.save(tmp_path / f"{name}.npy", array)
        with pytest.raises(Exit):
            predict.command("grey", str(tmp_path / f"{name}.npy"))
        assert why in capsys.readouterr().err
