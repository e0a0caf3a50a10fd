"""temper init of images, archives, addresses and data sets of the Hub: the recipe loads and fits what it is of."""

import gzip
import io
import os
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hub_server import Hub, sha256
from PIL import Image
from test_image_sources import digits
from test_init import carried_through, rows, starter, temper

from configs import sources
from configs.backbones import Torchvision
from configs.image_sources import ImagesSource, TorchvisionSource
from configs.load import load_recipe
from configs.schema import Recipe
from configs.splitting import GivenSplit, HashSplit
from flows.starter_recipe import prepare, stem
from tasks.autodetect.located import Hints
from tasks.data.checks.expectations import check_rows
from tasks.data.cleaning.pipeline import clean_rows
from tasks.data.errors import DataError
from tasks.data.rows import with_ids
from tasks.data.sources.provenance import Intake
from tasks.data.sources.read import read_source
from tasks.data.splitting import split_rows


def picture(seed: int, size: tuple[int, int] = (12, 10), mode: str = "RGB") -> bytes:
    shape = (size[1], size[0], 3) if mode == "RGB" else (size[1], size[0])
    pixels = np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)
    Image.fromarray(pixels).save(file := io.BytesIO(), "PNG")
    return file.getvalue()


def photographs(prefix: str = "", count: int = 40) -> dict[str, bytes]:
    return {f"{prefix}{('ant', 'bee')[i % 2]}/{i}.png": picture(i) for i in range(count)}


def packed(files: dict[str, bytes]) -> bytes:
    with zipfile.ZipFile(file := io.BytesIO(), "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return file.getvalue()


def laid(folder: Path, files: dict[str, bytes]) -> Path:
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


def made(data: str | Path, tmp_path: Path, hints: Hints | None = None, kind: str | None = None) -> tuple[Recipe, str]:
    written, _ = prepare(data, tmp_path / "starter.yaml", kind, hints=hints)
    (tmp_path / "starter.yaml").write_text(written.text(), encoding="utf-8")
    return load_recipe(tmp_path / "starter.yaml"), written.text()


def held(recipe: Recipe, tmp_path: Path) -> pd.DataFrame:
    """The rows of a recipe about images, whose every expectation holds, and their parts."""
    intake = Intake(tmp_path / "scratch", tmp_path / "images.parquet")
    found = with_ids(read_source(recipe.download, intake))
    assert [verdict for verdict in check_rows(found, recipe.validate)[0] if not verdict.success] == []
    kept = clean_rows(found, recipe.clean, tmp_path / "images.parquet").rows
    return kept.assign(part=split_rows(kept, recipe.split))


def test_a_folder_of_images_by_class(tmp_path: Path) -> None:
    place = laid(tmp_path / "data" / "pets", photographs())
    recipe, text = made("pets", tmp_path)
    assert recipe.download == ImagesSource(kind="images", path="pets")
    assert recipe.validate.labels == ("ant", "bee") and len(held(recipe, tmp_path)) == 40
    assert text.startswith("# A small CNN learns, from the 40 images of pets, to predict `ant` or `bee`.")
    assert "size: 10  # 10 pixels on the shorter side" in text and "mode: RGB" in text
    assert made(place, tmp_path)[0].download == recipe.download


def test_an_archive_with_parts_and_grey_images(tmp_path: Path) -> None:
    grey = {
        f"set/{part}/{label}/{i}.png": picture(1000 * n + i, (28, 28), "L")
        for n, part in enumerate(("train", "val", "test"))
        for label in "xy"
        for i in range(20)
    }
    (tmp_path / "data" / "a.zip").write_bytes(packed(grey))
    recipe, text = made("a.zip", tmp_path)
    assert recipe.download == ImagesSource(kind="images", path="a.zip", split_folders=True)
    assert recipe.split == GivenSplit(kind="given", validation="given") and "mode: L" in text
    assert held(recipe, tmp_path)["part"].value_counts().nunique() == 1


def test_names_of_files_tell_the_class_where_folders_do_not(tmp_path: Path) -> None:
    laid(tmp_path / "data" / "flat", {f"{'ab'[i % 2]}_{i}.png": picture(i) for i in range(30)})
    with pytest.raises(DataError, match=r"none of 30 files .*: --pattern '.*\?P<label>.*' reads a \(15\), b \(15\)"):
        made("flat", tmp_path)
    laid(tmp_path / "data" / "one", {f"all/{'ab'[i % 2]}_{i}.png": picture(i) for i in range(30)})
    with pytest.raises(
        DataError, match=r"one: .*fewer than two labels .*: --pattern '.*\?P<label>.*' reads a \(15\), b \(15\)"
    ):
        made("one", tmp_path)
    recipe, _ = made("flat", tmp_path, Hints(pattern="(?P<label>[a-z])_"))
    assert held(recipe, tmp_path)["label"].value_counts().to_dict() == {"a": 15, "b": 15}


def test_a_folder_in_mnists_form_is_held_against_what_is_published(tmp_path: Path) -> None:
    digits(tmp_path / "data", "mnist", 20)
    with pytest.raises(DataError, match="other bytes than published"):
        made("mnist", tmp_path)


@pytest.mark.faults
def test_public_image_sets_are_understood(datasets: Path, tmp_path: Path) -> None:
    recipe, text = made(datasets / "mnist", tmp_path)
    assert isinstance(recipe.download, TorchvisionSource) and recipe.download.name == "MNIST"
    assert recipe.split == GivenSplit(kind="given", validation="none") and "size: 28" in text and "mode: L" in text
    recipe, _ = made(datasets / "hymenoptera" / "hymenoptera_data.zip", tmp_path)
    assert recipe.validate.labels == ("ants", "bees") and recipe.split.kind == "hash"
    hints = Hints(pattern=r"input_\d+_\d+_(?P<label>\d+)\.jpg")
    recipe, _ = made(datasets / "chinese-mnist" / "images.zip", tmp_path, hints)
    assert len(recipe.validate.labels or ()) == 15


def test_groups_stay_together_and_numbers_stand_in_order(tmp_path: Path) -> None:
    hands = {
        f"all/{writer}_{copy}_{label}.png": picture(100 * writer + 10 * copy + label)
        for writer in range(40)
        for copy in range(2)
        for label in (1, 2, 10)
    }
    laid(tmp_path / "data" / "hands", hands)
    recipe, text = made("hands", tmp_path, Hints(pattern=r"(?P<group>\d+)_\d+_(?P<label>\d+)"))
    assert recipe.validate.labels == ("1", "2", "10") and recipe.split == HashSplit(by="group")
    assert "by a hash of the group" in text
    assert held(recipe, tmp_path).groupby("group")["part"].nunique().max() == 1


def test_few_images_are_split_exactly_and_half_a_split_is_told(tmp_path: Path) -> None:
    files = {f"{part}/{name}": picture(n) for n, part in enumerate(("train", "val")) for name in photographs(count=20)}
    laid(tmp_path / "data" / "half", {name: picture(n) for n, name in enumerate(files)})
    written, notes = prepare("half", tmp_path / "starter.yaml", None)
    assert notes[-1] == (
        "folders name parts of a split (train 20, validation 20 files) that the recipe does not read: all are split "
        "again, as it is no whole one"
    )
    recipe, text = made("half", tmp_path)
    assert recipe.split == HashSplit(exact=True) and "a label may lack a part" in text and text == written.text()
    assert (pd.crosstab(*held(recipe, tmp_path)[["label", "part"]].to_numpy().T) > 0).all(axis=None)
    recipe, _ = made(laid(tmp_path / "data" / "many", photographs(count=120)), tmp_path)
    assert recipe.split == HashSplit()


def test_a_classifier_of_images_starts_from_imagenets_weights(tmp_path: Path) -> None:
    laid(tmp_path / "data" / "pets", photographs())
    recipe, text = made("pets", tmp_path, kind="classifier")
    assert recipe.train.model == Torchvision(kind="torchvision", name="resnet18", weights="DEFAULT")
    assert len(recipe.train.phases) == 2 and "Downloads ImageNet's weights" in text
    with pytest.raises(DataError, match="images have no columns and no kind dialogue"):
        prepare("pets", tmp_path / "starter.yaml", "dialogue")
    for kind, hints in (("label_word", None), (None, Hints(label="stars")), (None, Hints(text="body"))):
        with pytest.raises(DataError, match="images have no columns and no kind label_word"):
            prepare("pets", tmp_path / "starter.yaml", kind, hints=hints)


def test_an_archive_with_one_table_or_several(tmp_path: Path) -> None:
    table = rows().to_csv(index=False).encode()
    (tmp_path / "data" / "one.zip").write_bytes(packed({"in/r.csv": table, "LICENSE": b"MIT"}))
    recipe, _, _ = starter(tmp_path / "data" / "one.zip")
    assert recipe.download == sources.FileSource(kind="file", path="one.zip")
    carried_through(recipe, tmp_path)
    (tmp_path / "data" / "two.zip").write_bytes(packed({"a.csv": table, "b.tsv": table.replace(b",", b"\t")}))
    with pytest.raises(DataError, match=r"two\.zip: 2 tables in it: a\.csv, b\.tsv; choose one with --member"):
        made("two.zip", tmp_path)
    recipe, _ = made("two.zip", tmp_path, Hints(member="b.tsv"))
    assert recipe.download == sources.FileSource(kind="file", path="two.zip", member="b.tsv")
    carried_through(recipe, tmp_path)
    (tmp_path / "data" / "r.csv.gz").write_bytes(gzip.compress(rows().to_csv(index=False).encode("utf-16")))
    recipe, _ = made("r.csv.gz", tmp_path)
    assert recipe.download == sources.FileSource(kind="file", path="r.csv.gz", encoding="utf-16")
    carried_through(recipe, tmp_path)


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    monkeypatch.setenv("TEMPER_ALLOW_PRIVATE_SOURCES", "true")
    monkeypatch.setenv("NO_PROXY", "*")
    hub = Hub()
    yield hub
    hub.stop()


def test_an_address_gets_the_checksum_of_what_is_there(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table, images = rows().to_csv(index=False).encode(), packed(photographs("top/"))
    hub.files |= {"/r.csv": table, "/p.zip": images, "/t.zip": packed({"r.csv": table})}
    monkeypatch.setenv("MINE", "sentinel")
    recipe, text = made(f"{hub.url}/r.csv", tmp_path, Hints(token="MINE"))
    place = {"url": f"{hub.url}/r.csv", "sha256": sha256(table), "token": "MINE"}
    assert recipe.download == sources.UrlSource(kind="url", **place) and "sentinel" not in text
    assert hub.requests[-1].authorization == "Bearer sentinel"
    recipe, _ = made(f"{hub.url}/t.zip", tmp_path)
    carried_through(recipe, tmp_path)
    recipe, _ = made(f"{hub.url}/p.zip", tmp_path)
    assert recipe.download == ImagesSource(kind="images", url=f"{hub.url}/p.zip", sha256=sha256(images))
    assert len(held(recipe, tmp_path)) == 40
    with pytest.raises(DataError, match="404"):
        made(f"{hub.url}/absent.csv", tmp_path)
    with pytest.raises(ValueError, match="url holds a name or password"):
        made("https://me:secret@example.org/a.csv", tmp_path)


@pytest.mark.faults
def test_the_command_of_a_data_set_of_the_hub(hub: Hub, tmp_path: Path) -> None:
    card = b"---\nlicense: mit\ndataset_info:\n  features:\n  - {name: text, dtype: string}\n  - name: label\n"
    card += b"    dtype:\n      class_label: {names: {'0': bad, '1': good}}\n---\n"
    table = rows().assign(label=lambda frame: (frame["label"] == "good").astype(int))
    files = {
        f"{part}.csv": frame.to_csv(index=False).encode()
        for part, frame in (("train", table[:240]), ("validation", table[240:270]), ("test", table[270:]))
    }
    commit = hub.add("dataset", "me/hotels", {"README.md": card, **files})
    command = [str(Path(sys.executable).with_name("temper")), "init", "hub:me/hotels"]
    own = {"HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path / "hf"), "HF_HUB_OFFLINE": "0", "NO_PROXY": "*"}
    done = subprocess.run(command, cwd=tmp_path, env=os.environ | own, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    recipe = load_recipe(tmp_path / "configs" / "hotels.yaml")
    assert recipe.download == sources.HubSource(kind="hub", repo="me/hotels", revision=commit)
    assert recipe.split == GivenSplit(kind="given", validation="given")
    assert recipe.validate.labels == ("bad", "good")
    assert "train 240, validation 30, test 30" in done.stdout and "Fetching" not in done.stderr
    commit = hub.add("dataset", "me/pets", {**photographs("train/"), **photographs("test/", 20)})
    done = subprocess.run(
        [*command[:2], "hub:me/pets"], cwd=tmp_path, env=os.environ | own, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    recipe = load_recipe(tmp_path / "configs" / "pets.yaml")
    columns = sources.Columns(image="image")
    assert recipe.download == sources.HubSource(kind="hub", repo="me/pets", revision=commit, columns=columns)
    assert recipe.split == GivenSplit(kind="given", validation="none") and recipe.validate.labels == ("ant", "bee")


@pytest.mark.faults
def test_wrong_names_are_named(tmp_path: Path) -> None:
    for name, said in {
        "torchvision:MINST": "torchvision:MINST: Input should be 'MNIST'",
        "https://me:secret@example.org/a.csv": "url holds a name or password",
        "nosuch": "nosuch: no such file, here or below TEMPER_DATA",
    }.items():
        done = temper("init", name, cwd=tmp_path, code=2)
        assert said in done.stderr and "secret@" not in done.stderr, done.stderr


@pytest.mark.parametrize(
    ("data", "name"),
    [
        ("a/My set.tar.gz", "My set"),
        ("r.csv.gz", "r"),
        ("https://x.org/y/z.zip?a=b", "z"),
        ("hub:me/hotels:de", "hotels"),
        ("torchvision:MNIST", "MNIST"),
        ("reviews.csv", "reviews"),
        ("photographs/", "photographs"),
    ],
)
def test_a_recipe_is_called_after_its_data(data: str, name: str) -> None:
    assert stem(data) == name


def test_a_torchvision_set_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="Input should be 'MNIST'"):
        made("torchvision:MINST", tmp_path)
    assert TorchvisionSource(kind="torchvision", name="MNIST").path is None
