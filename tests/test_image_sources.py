"""Images in folders, archives and torchvision's sets -> rows with labels, splits and groups, and each image's bytes."""

import gzip
import hashlib
import io
import pickle
import struct
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from hub_server import Hub, sha256
from PIL import Image
from pydantic import ValidationError
from source_rows import load_rows

from configs.columns import OWN
from configs.image_sources import ImagesSource, TorchvisionSource
from tasks import pins
from tasks.artifact import StageError
from tasks.data.errors import DataError
from tasks.data.rows import CORE
from tasks.data.sources import image_sets, image_store
from tasks.data.sources.image_sets import png, read_arrays
from tasks.data.sources.provenance import Intake
from tasks.data.sources.read import read_source
from tasks.download import download


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where relative paths of sources start (conftest)."""
    return tmp_path / "data"


def tree(folder: Path, files: dict[str, bytes]) -> Path:
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


def lines(rows: pd.DataFrame, *columns: str) -> list[list[Any]]:
    picked = rows[list(columns)].astype(object)
    return picked.where(picked.notna(), None).to_numpy().tolist()


def images(**how: Any) -> ImagesSource:
    return ImagesSource(kind="images", **{"path": "pets", **how})


PETS = {
    "pets/cats/a.jpg": b"cat a",
    "pets/cats/b.JPG": b"cat b",
    "pets/dogs/a.png": b"dog a",
    "pets/dogs/copy of a.png": b"dog a",
    "pets/dogs/broken.png": b"",
    "pets/dogs/film.mp4": b"no image",
    "pets/dogs/.DS_Store": b"x",
    "pets/dogs/Thumbs.db": b"x",
    "pets/__MACOSX/dogs/a.png": b"x",
    "pets/labels.csv": b"x",
    "pets/cats/notes.txt": b"x",
    "pets/LICENSE": b"CC BY 4.0\nmore",
}


def test_a_folder_of_classes(folder: Path, tmp_path: Path) -> None:
    tree(folder, PETS)
    intake = Intake(tmp_path / "scratch", tmp_path / "images.parquet")
    rows = read_source(images(), intake)
    assert lines(rows, "file", "label", "split") == [
        ["cats/a.jpg", "cats", None],
        ["cats/b.JPG", "cats", None],
        ["dogs/a.png", "dogs", None],
        ["dogs/broken.png", "dogs", None],
        ["dogs/copy of a.png", "dogs", None],
        ["dogs/film.mp4", "dogs", None],
    ]
    assert rows["image"].tolist()[2] == sha256(b"dog a") == rows["image"].tolist()[4]
    assert intake.notes == ["6 files are no images by their names (texts, tables, hidden files) and were left out"]
    assert intake.licence == {"file": "LICENSE", "says": "CC BY 4.0"}
    stored = pq.read_table(tmp_path / "images.parquet").to_pydict()
    contents = {b"cat a", b"cat b", b"dog a", b"", b"no image"}
    assert stored["image"] == sorted(stored["image"]) and set(stored["bytes"]) == contents
    assert stored["image"] == [sha256(data) for data in stored["bytes"]]
    assert list((tmp_path / "scratch").iterdir()) == []
    listed = "".join(f"{image}  {file}\n" for image, file in zip(rows["image"], rows["file"], strict=True))
    entry = {"name": "pets/ (6 files)", "bytes": 28, "sha256": sha256(listed.encode())}
    assert intake.where == "pets" and intake.files == [entry]


@pytest.mark.parametrize("ending", ["zip", "tar", "tar.gz"])
def test_folder_and_archive_give_the_same_rows_and_bytes(folder: Path, tmp_path: Path, ending: str) -> None:
    tree(folder, PETS)
    shuffled = [*list(PETS)[5:], *list(PETS)[:5]]
    if ending == "zip":
        with zipfile.ZipFile(folder / "pets.zip", "w") as packed:
            for name in shuffled:
                packed.write(folder / name, name.removeprefix("pets/"))
    else:
        with tarfile.open(folder / f"pets.{ending}", f"w:{ending[4:]}") as tarred:
            for name in shuffled:
                tarred.add(folder / name, name.removeprefix("pets/"))
    found = []
    for path in ("pets", f"pets.{ending}"):
        target = tmp_path / f"{path}.parquet"
        found.append((read_source(images(path=path), Intake(tmp_path / "s", target)), target.read_bytes()))
    pd.testing.assert_frame_equal(found[0][0], found[1][0])
    assert found[0][1] == found[1][1]


def test_row_groups_stay_small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(image_store, "GROUP_BYTES", 1000)
    with image_store.ImageStore(Intake(tmp_path)) as store:
        for number in range(700):
            store.add(b"%d" % number)
        for number in range(5):
            store.add(b"%d" % number * 600)
        meta = pq.ParquetFile(store.write()).metadata
    groups = [meta.row_group(index) for index in range(meta.num_row_groups)]
    assert sum(group.num_rows for group in groups) == 705 and max(group.num_rows for group in groups) <= 256
    assert len(groups) > 5 and groups[0].column(1).compression == "UNCOMPRESSED"


def test_label_split_and_group_from_the_file_name(folder: Path, tmp_path: Path) -> None:
    tree(folder, {f"pets/{name}.jpg": name.encode() for name in ("train_7_input_1", "val_7_input_2", "TEST_8_input_2")})
    (folder / "pets" / "odd.jpg").write_bytes(b"odd")
    intake = Intake(tmp_path / "s")
    pattern = r"(?P<split>\w+)_(?P<group>\d+)_input_(?P<label>\d)\.jpg$"
    rows = read_source(images(pattern=pattern, label_names={"1": "one", "2": "two"}), intake)
    assert lines(rows, "file", "label", "split", "group") == [
        ["TEST_8_input_2.jpg", "two", "test", "8"],
        ["odd.jpg", None, None, None],
        ["train_7_input_1.jpg", "one", "train", "7"],
        ["val_7_input_2.jpg", "two", "validation", "7"],
    ]
    assert intake.notes == ["1 files have no label, such as odd.jpg"]


def test_splits_from_folders(folder: Path, tmp_path: Path) -> None:
    names = ["top/train/cats/1.jpg", "top/val/cats/2.jpg", "top/Test/train/3.jpg", "top/other/dogs/4.jpg"]
    tree(folder / "pets", {name: name.encode() for name in names})
    rows = load_rows(images(split_folders=True), tmp_path / "s")
    expected = {"1": "train", "2": "validation", "3": "test", "4": None}
    assert {line[0][-5]: line[1] for line in lines(rows, "file", "split")} == expected
    assert rows["label"].tolist() == ["train", "dogs", "cats", "cats"]
    assert load_rows(images(), tmp_path / "s")["split"].isna().all()
    rows = load_rows(images(split_folders=True, pattern=r"(?P<label>\d)"), tmp_path / "s")
    assert lines(rows, "label", "split") == [["3", "train"], ["4", None], ["1", "train"], ["2", "validation"]]


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"path": "nowhere"}, "nowhere: no such folder or archive; relative paths start at the setting TEMPER_DATA"),
        ({"path": "pets/labels.csv"}, "is no folder, zip or tar archive, or .npz file"),
        ({"path": "empty"}, "empty: no image files in it"),
        ({"path": "pets/cats"}, r"none of 2 files lies in a folder that names its class .*; the first is a\.jpg"),
        ({"pattern": r"(?P<label>\d+)_x"}, r"none of 6 files fits `pattern`; the first is cats/a\.jpg"),
        ({"label_names": {"cats": "cat"}}, r"dogs/a\.png has the label 'dogs', not one in `label_names` \(cats\)"),
        ({"split_folders": True}, "no folder is called train, val or test"),
        ({"pattern": r"(?P<split>cats|dogs)/(?P<label>\w)"}, r"split names \['cats', 'dogs'\] are unknown"),
    ],
)
def test_what_cannot_be_labelled_is_named(folder: Path, tmp_path: Path, how: dict, message: str) -> None:
    tree(folder, PETS)
    (folder / "empty").mkdir()
    with pytest.raises(DataError, match=message):
        load_rows(images(**how), tmp_path / "s")
    assert not list((tmp_path / "s").glob("*.spool"))


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"path": None}, "either `path` or `url`"),
        ({"url": "https://a.example/x.zip", "sha256": "0" * 64}, "either `path` or `url`"),
        ({"path": None, "url": "https://a.example/x.zip"}, "given together"),
        ({"sha256": "0" * 64}, "given together"),
        ({"token": "NAME"}, "only with `url`"),
        ({"pattern": "("}, "no regular expression"),
        ({"pattern": r"(\d+)"}, "needs a group for the label"),
        ({"pattern": r"(?P<label>a)(?P<writer>b)"}, "has a group 'writer'; those that are read are"),
        ({"pattern": r"(?P<label>a)(?P<split>b)", "split_folders": True}, "exclude each other"),
    ],
)
def test_a_wrong_recipe_is_refused(how: dict, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        images(**how)


def test_temper_knows_its_own_columns() -> None:
    assert tuple(CORE) == OWN


def test_a_huge_file_is_no_image(folder: Path, tmp_path: Path) -> None:
    tree(folder, PETS)
    with (folder / "pets" / "cats" / "film.mp4").open("wb") as handle:
        handle.truncate(600 * 2**20)  # takes no space
    with pytest.raises(DataError, match=r"cats/film\.mp4 has 629,145,600 bytes; take it out"):
        load_rows(images(), tmp_path / "s")


def test_links_are_followed_and_circles_end(folder: Path, tmp_path: Path) -> None:
    tree(folder, PETS)
    (folder / "pets" / "puppies").symlink_to(folder / "pets" / "dogs", target_is_directory=True)
    (folder / "pets" / "cats" / "again").symlink_to(folder / "pets", target_is_directory=True)
    (folder / "pets" / "cats" / "c.jpg").symlink_to(folder / "pets" / "cats" / "a.jpg")
    rows = load_rows(images(), tmp_path / "s")
    assert rows["label"].value_counts().to_dict() == {"dogs": 4, "cats": 3}
    (folder / "pets" / "cats" / "gone.jpg").symlink_to(folder / "nowhere.jpg")
    with pytest.raises(DataError, match=r"cats/gone\.jpg: a link that leads nowhere; take it away"):
        pins.pin(images(), ask=False)


def test_a_folder_is_pinned_to_names_and_bytes(folder: Path) -> None:
    tree(folder, PETS)
    values = pins.pin(images(), ask=False)[1]
    assert set(values) == {"kind", "sha256"}
    assert pins.pin(images(), ask=False)[1] == values
    (folder / "pets").rename(folder / "elsewhere")
    assert pins.pin(images(path="elsewhere"), ask=False)[1] == values
    (folder / "elsewhere" / "cats" / "a.jpg").rename(folder / "elsewhere" / "cats" / "c.jpg")
    renamed = pins.pin(images(path="elsewhere"), ask=False)[1]
    (folder / "elsewhere" / "cats" / "c.jpg").write_bytes(b"cat c")
    changed = pins.pin(images(path="elsewhere"), ask=False)[1]
    assert len({str(each["sha256"]) for each in (values, renamed, changed)}) == 3
    named = pins.pin(images(path="elsewhere", label_names={"cats": "cat"}), ask=False)[1]
    assert named == changed | {"label_names": {"cats": "cat"}}
    with pytest.raises(DataError, match="no such folder or archive"):
        pins.pin(images(), ask=False)


def test_the_stage_keeps_images_rows_and_provenance(folder: Path) -> None:
    tree(folder, PETS)
    artifact = download.run_or_load(images(), {}).result
    rows = pd.read_parquet(artifact.path / "data" / "rows.parquet")
    assert list(rows.columns) == ["id", "image", "file", "label", "split"] and len(rows) == 6
    assert sorted(path.name for path in (artifact.path / "data").iterdir()) == [
        "images.parquet",
        "ledger.parquet",
        "rows.parquet",
    ]
    summary = (artifact.path / "records" / "summary.md").read_text()
    assert "# download: 6 rows" in summary and "CC BY 4.0 (LICENSE)" in summary and "6 files are no images" in summary
    assert str(folder) not in summary + (artifact.path / "records" / "provenance.json").read_text()


def test_an_archive_by_address(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEMPER_ALLOW_PRIVATE_SOURCES", "true")
    monkeypatch.setenv("NO_PROXY", "*")
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as packed:
        for name, content in PETS.items():
            packed.writestr(name, content)
    hub = Hub()
    try:
        hub.files["/get"] = data.getvalue()
        source = images(path=None, url=f"{hub.url}/get?id=7", sha256=sha256(data.getvalue()))
        said: list[Any] = []
        intake = Intake(tmp_path / "s", progress=lambda *told: said.append(told))
        assert len(read_source(source, intake)) == 6
        assert intake.where == f"{hub.url}/get" and intake.files[0]["sha256"] == source.sha256
        assert (len(data.getvalue()), len(data.getvalue()), "downloading") in said
    finally:
        hub.stop()


def digits(folder: Path, name: str, count: int, *, pack: bool = True) -> None:
    """Four small idx files."""
    for part, size in (("train", count), ("t10k", count // 2)):
        pictures = np.arange(size * 12, dtype=np.uint8).reshape(size, 4, 3)
        both = {
            "images-idx3-ubyte": b"\0\0\x08\x03" + struct.pack(">3I", size, 4, 3) + pictures.tobytes(),
            "labels-idx1-ubyte": b"\0\0\x08\x01" + struct.pack(">I", size) + bytes(i % 10 for i in range(size)),
        }
        for ending, data in both.items():
            ending += ".gz" * pack
            (folder / name).mkdir(exist_ok=True)
            (folder / name / f"{part}-{ending}").write_bytes(gzip.compress(data) if pack else data)


def test_idx_files(folder: Path, tmp_path: Path) -> None:
    digits(folder, "fashion", 20, pack=False)
    intake = Intake(tmp_path / "s", tmp_path / "images.parquet")
    rows = read_source(TorchvisionSource(kind="torchvision", name="FashionMNIST", path="fashion"), intake)
    assert rows["split"].tolist() == ["train"] * 20 + ["test"] * 10
    assert rows["label"].tolist()[:3] == ["T-shirt/top", "Trouser", "Pullover"]
    assert lines(rows, "file")[20] == ["test/00000.png"]
    stored = pq.read_table(tmp_path / "images.parquet").to_pandas().set_index("image")["bytes"]
    picture = Image.open(io.BytesIO(stored[rows["image"][1]]))
    assert (picture.mode, picture.size) == ("L", (3, 4)) and list(picture.tobytes()) == list(range(12, 24))
    assert len(intake.notes) == 4 and "no published checksum" in intake.notes[0]


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("other bytes", r"train-images-idx3-ubyte\.gz: other bytes than published \(MD5 "),
        ("absent", r"t10k-labels-idx1-ubyte\.gz: no such file"),
        ("not gzip", r"train-images-idx3-ubyte\.gz: damaged"),
        ("cut", r"train-images-idx3-ubyte: not an idx file of bytes, or cut off"),
        ("other counts", r"train has images \(6, 4, 3\) and labels \(4,\)"),
    ],
)
def test_faulty_idx_files_are_named(folder: Path, tmp_path: Path, fault: str, message: str) -> None:
    name = "MNIST" if fault in ("other bytes", "not gzip") else "KMNIST"
    digits(folder, "digits", 6, pack=name == "MNIST" or fault == "absent")
    first = folder / "digits" / "train-images-idx3-ubyte"
    if fault == "absent":
        (folder / "digits" / "t10k-labels-idx1-ubyte.gz").unlink()
        with pytest.raises(DataError, match=message):
            pins.pin(TorchvisionSource(kind="torchvision", name=name, path="digits"), ask=False)
        return
    if fault == "not gzip":
        first.with_suffix(".gz").write_bytes(b"\x1f\x8bno")
    if fault == "cut":
        first.write_bytes(first.read_bytes()[:-1])
    if fault == "other counts":
        labels = b"\0\0\x08\x01" + struct.pack(">I", 4) + b"\0" * 4
        (folder / "digits" / "train-labels-idx1-ubyte").write_bytes(labels)
    with pytest.raises(DataError, match=message):
        load_rows(TorchvisionSource(kind="torchvision", name=name, path="digits"), tmp_path / "s")


def test_colour_sets_as_torchvision_reads_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A small CIFAR of torchvision's own class, in its own files, with sums that fit them."""
    from torchvision.datasets import CIFAR10

    place = tmp_path / "data" / "small" / CIFAR10.base_folder
    place.mkdir(parents=True)
    pixels = np.random.default_rng(0).integers(0, 256, (2, 3072), dtype=np.uint8)
    lists = {"train_list": "data_batch_1", "test_list": "test_batch"}
    for name, values in {
        **{name: {"data": pixels, "labels": [3, 0]} for name in lists.values()},
        "batches.meta": {"label_names": ["plane", "car", "bird", "cat"]},
    }.items():
        (place / name).write_bytes(pickle.dumps(values))
    sums = {path.name: hashlib.md5(path.read_bytes()).hexdigest() for path in place.iterdir()}
    for attribute, name in lists.items():
        monkeypatch.setattr(CIFAR10, attribute, [[name, sums[name]]])
    monkeypatch.setattr(CIFAR10, "meta", {**CIFAR10.meta, "md5": sums["batches.meta"]})
    source = TorchvisionSource(kind="torchvision", name="CIFAR10", path="small")
    rows = load_rows(source, tmp_path / "s")
    assert lines(rows, "label", "split") == [["cat", "train"], ["plane", "train"], ["cat", "test"], ["plane", "test"]]
    assert rows["image"].nunique() == 2
    stored = pq.read_table(tmp_path / "s" / "images.parquet").to_pandas().set_index("image")["bytes"]
    picture = np.asarray(Image.open(io.BytesIO(stored[rows["image"][0]])))
    assert (picture.transpose(2, 0, 1).reshape(-1) == pixels[0]).all()
    before = pins.pin(source, ask=False)[1]
    (place / "test_batch").write_bytes(pickle.dumps({"data": pixels, "labels": [0, 0]}))
    assert pins.pin(source, ask=False)[1] != before
    with pytest.raises(DataError, match=r"small: .*not found or corrupted"):
        load_rows(source, tmp_path / "s")


def test_an_altered_pickle_is_never_opened(tmp_path: Path) -> None:
    canary = tmp_path / "canary"

    class Harm:
        def __reduce__(self) -> Any:
            return Path.touch, (canary,)

    place = tmp_path / "data" / "bad" / "cifar-10-batches-py"
    place.mkdir(parents=True)
    for name in [*(f"data_batch_{number}" for number in range(1, 6)), "test_batch", "batches.meta"]:
        (place / name).write_bytes(pickle.dumps(Harm()))
    with pytest.raises(DataError, match="corrupted"):
        load_rows(TorchvisionSource(kind="torchvision", name="CIFAR10", path="bad"), tmp_path / "s")
    assert not canary.exists()


def test_channels_come_last_and_digits_stay_digits() -> None:
    class Svhn:
        data, labels = np.zeros((2, 3, 8, 8), np.uint8), np.array([0, 7])

    pictures, labels = read_arrays(Svhn())
    assert pictures.shape == (2, 8, 8, 3) and labels.tolist() == ["0", "7"]


def test_png_is_what_others_read_and_always_the_same() -> None:
    for shape, mode in (((5, 7), "L"), ((5, 7, 3), "RGB"), ((1, 1), "L")):
        pixels = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
        picture = Image.open(io.BytesIO(png(pixels)))
        assert picture.mode == mode and (np.asarray(picture) == pixels).all()
        assert png(pixels) == png(pixels.copy())


def test_no_way_to_torchvisions_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from torchvision.datasets import USPS

    monkeypatch.setattr(image_sets, "FIRST_WAIT", 0)
    monkeypatch.setattr(USPS, "split_list", {"train": ["http://127.0.0.1:9/usps", "usps.bz2", "0" * 32]})
    with pytest.raises(DataError, match=r"torchvision's USPS: .*refused"):
        load_rows(TorchvisionSource(kind="torchvision", name="USPS"), tmp_path / "s")


def test_a_set_is_downloaded_as_torchvision_does(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From a mirror on loopback, whose first answer is cut off and whose sums are those of small files."""
    from torchvision.datasets import KMNIST

    digits(folder, "small", 6)
    files = {path.name: path.read_bytes() for path in (folder / "small").iterdir()}
    monkeypatch.setattr(image_sets, "FIRST_WAIT", 0)
    monkeypatch.setenv("NO_PROXY", "*")
    hub = Hub()
    try:
        hub.files = {f"/k/{name}": data for name, data in files.items()}
        hub.fault("GET /k/train-labels", cut=5, times=2)
        monkeypatch.setattr(KMNIST, "mirrors", [f"{hub.url}/k/"])
        sums = [(name, hashlib.md5(files[name]).hexdigest()) for name, _ in KMNIST.resources]
        monkeypatch.setattr(KMNIST, "resources", sums)
        intake = Intake(tmp_path / "s", tmp_path / "images.parquet")
        rows = read_source(TorchvisionSource(kind="torchvision", name="KMNIST"), intake)
        given = read_source(TorchvisionSource(kind="torchvision", name="KMNIST", path="small"), Intake(tmp_path / "t"))
        pd.testing.assert_frame_equal(rows, given)
        assert rows["label"].tolist()[:2] == ["o", "ki"] and intake.where == "torchvision KMNIST"
        monkeypatch.setattr(KMNIST, "resources", [(name, "0" * 32) for name, _ in sums])
        with pytest.raises(DataError, match=r"torchvision's KMNIST: .*corrupted"):
            load_rows(TorchvisionSource(kind="torchvision", name="KMNIST"), tmp_path / "u")
    finally:
        hub.stop()


@pytest.mark.faults
def test_public_sets(datasets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEMPER_DATA", str(datasets))
    pattern = r"input_(?P<group>\d+)_\d+_(?P<label>\d+)\.jpg"
    rows = load_rows(images(path="chinese-mnist/images.zip", pattern=pattern), tmp_path / "s")
    counts = [433, 432, 421, 444, 434, 431, 439, 418, 439, 456, 434, 432, 427, 427, 435]
    assert rows["label"].value_counts().to_dict() == {str(code): n for code, n in enumerate(counts, 1)}
    assert rows["group"].nunique() == 100 and rows["image"].nunique() == 6502
    rows = load_rows(images(path="hymenoptera/hymenoptera_data.zip", split_folders=True), tmp_path / "s")
    found = {"train": {"ants": 124, "bees": 121}, "validation": {"ants": 70, "bees": 83}}
    assert rows.groupby("split")["label"].value_counts().unstack(0).to_dict() == found
    assert rows["file"].str.endswith("imageNotFound.gif").sum() == 1


@pytest.mark.faults
def test_mnist_whose_packed_file_has_another_sum(
    datasets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEMPER_DATA", str(datasets))
    rows = load_rows(TorchvisionSource(kind="torchvision", name="MNIST", path="mnist"), tmp_path / "s")
    assert rows["split"].value_counts().to_dict() == {"train": 60000, "test": 10000}
    assert rows["label"].value_counts().sort_index().tolist()[:3] == [6903, 7877, 6990]


def test_a_token_is_asked_for_by_name(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = images(path=None, url="https://data.example/x.zip", sha256="0" * 64, token="MY_TOKEN")
    with pytest.raises(StageError, match="no environment variable MY_TOKEN holds the token"):
        download.run_or_load(source, {})
