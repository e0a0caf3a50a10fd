"""Folders of images: parts by any name, classes, groups, what has no class; init asks where it cannot know."""

import re
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
import yaml
from test_init_sources import held, laid, made, picture

from configs.image_sources import ImagesSource
from configs.splitting import GivenSplit, HashSplit
from flows.starter_recipe import prepare
from tasks.autodetect.located import Hints
from tasks.data.checks.expectations import check_rows
from tasks.data.errors import DataError
from tasks.data.rows import with_ids
from tasks.data.sources.provenance import Intake
from tasks.data.sources.read import read_source
from tasks.data.sources.trees import part_folders, read_tree
from tasks.data.splitting import require_common_labels


def files(*folders: str, each: int = 6) -> dict[str, bytes]:
    names = [f"{folder}/{number}.png" for folder in folders for number in range(each)]
    return {name: picture(number) for number, name in enumerate(names)}


PAIRS = [
    ("Training", "Testing"),
    ("seg_train", "seg_test"),
    ("train_set", "test_set"),
    ("TRAIN", "holdout"),
    ("training-images", "eval"),
    ("x/train", "x/test2017"),
    ("birds-train", "birds-test"),
]


@pytest.mark.parametrize(("train", "test"), PAIRS)
def test_a_published_split_is_kept_by_whatever_name(tmp_path: Path, train: str, test: str) -> None:
    laid(tmp_path / "data" / "set", files(*(f"{part}/{name}" for part in (train, test) for name in ("ant", "bee"))))
    recipe, _ = made("set", tmp_path)
    assert recipe.split == GivenSplit(kind="given", validation="none")
    rows = read_source(recipe.download, Intake(tmp_path / "s"))
    folders = rows.groupby("split")["file"].agg(lambda names: {name.rsplit("/", 2)[0] for name in names})
    assert folders.to_dict() == {"train": {train}, "test": {test}}


def test_a_recipe_that_reads_no_parts_reports_them(tmp_path: Path) -> None:
    laid(tmp_path / "data" / "set", files("Training/ant", "Training/bee", "Testing/ant", "Testing/bee"))
    intake = Intake(tmp_path / "s")
    rows = read_source(ImagesSource(kind="images", path="set"), intake)
    assert rows["split"].isna().all() and intake.notes == [
        "folders name parts of a split (train 12, test 12 files) that the recipe does not read: all are split again; "
        "`split_folders: true` keeps them"
    ]
    odd = ImagesSource(kind="images", path="set", pattern=r"^(?P<split>\w+)/(?P<label>\w+)")
    assert read_source(odd, Intake(tmp_path / "t"))["split"].value_counts().to_dict() == {"train": 12, "test": 12}


def test_a_flat_test_folder_is_no_class(tmp_path: Path) -> None:
    laid(tmp_path / "data" / "set", files("train/ant", "train/bee", "test", each=10))
    _, notes = prepare("set", tmp_path / "r.yaml", None)
    assert any("10 files have no class" in note and "(test/ 10)" in note for note in notes)
    recipe, _ = made("set", tmp_path)
    rows = held(recipe, tmp_path)
    assert recipe.validate.labels == ("ant", "bee") and recipe.split == HashSplit(exact=True) and len(rows) == 20
    laid(tmp_path / "data" / "three", files("ant", "bee", "test"))
    with pytest.raises(DataError, match=r"'test' is one too, or holds images without a class") as refusal:
        made("three", tmp_path)
    as_class, without = (made("three", tmp_path, Hints(pattern=one))[0] for one in pasted(refusal))
    assert as_class.validate.labels == ("ant", "bee", "test") and without.validate.labels == ("ant", "bee")


def pasted(refusal: pytest.ExceptionInfo) -> list[str]:
    """The patterns that a refusal gives, as a shell would read them."""
    return re.findall(r"--pattern '(\S+)'", str(refusal.value))


def test_patients_are_not_taken_for_classes(tmp_path: Path) -> None:
    patients = [
        f"{kind}/p{number:02d}" for number in range(20) for kind in ("benign", "malign") if number % 2 == len(kind) % 2
    ]
    laid(tmp_path / "data" / "scans", files(*patients, *(f"benign/q{n}" for n in range(9)), "malign/q9", each=2))
    with pytest.raises(
        DataError, match=r"level 1: seems a class: .*\n.*level 2: seems a group or a class: 2\d names"
    ) as r:
        made("scans", tmp_path)
    recipe, _ = made("scans", tmp_path, Hints(pattern=pasted(r)[0]))
    assert recipe.validate.labels == ("benign", "malign") and recipe.split == HashSplit(by="group")
    assert "# 2 classes (level 1), 2" in str(r.value) and len(pasted(r)) == 3
    laid(tmp_path / "data" / "days", files(*(f"day{n}/{kind}" for n in range(9) for kind in ("dry", "wet")), each=2))
    _, notes = prepare("days", tmp_path / "r.yaml", None)
    assert notes[:2] == [
        "folders of level 1: groups: 9 names, such as day0 (4 images), day1 (4 images), day2 (4 images)",
        "folders of level 2: classes: dry (18 images), wet (18 images)",
    ]
    recipe, _ = made("days", tmp_path)
    assert recipe.split == HashSplit(by="group") and recipe.validate.labels == ("dry", "wet")


def test_parts_below_classes_and_wrappers(tmp_path: Path) -> None:
    laid(
        tmp_path / "data" / "set",
        files("all/ant/train/jpg", "all/ant/test/jpg", "all/bee/train/jpg", "all/bee/test/jpg"),
    )
    recipe, _ = made("set", tmp_path)
    assert recipe.validate.labels == ("ant", "bee") and recipe.split == GivenSplit(kind="given", validation="none")
    assert held(recipe, tmp_path)["part"].value_counts().to_dict() == {"train": 12, "test": 12}
    laid(tmp_path / "data" / "low", files("ant/train", "ant/test", "bee/train", "bee/test"))
    with pytest.raises(DataError, match=r"all 24 files lie in folders that name a part") as refusal:
        made("low", tmp_path)
    recipe, _ = made("low", tmp_path, Hints(pattern=re.findall(r"'(\S+)'", str(refusal.value))[-1]))
    assert held(recipe, tmp_path)["part"].value_counts().to_dict() == {"train": 12, "test": 12}


def test_a_class_may_be_called_train(tmp_path: Path) -> None:
    assert part_folders(["bus/1", "train/1", "car/1"]) == {}
    assert part_folders(["train/bus/1", "train/train/1", "test/bus/1", "test/train/1"]) == {
        "train": "train",
        "test": "test",
    }
    twice = ["seg_train/seg_train/a/1", "seg_test/seg_test/a/1", "seg_pred/seg_pred/1"]
    named = {"seg_train": "train", "seg_test": "test", "seg_pred": None}
    assert part_folders(twice) == named | {f"{name}/{name}": part for name, part in named.items()}
    assert part_folders(["train/a/1", "train/b/1"]) == {"train": "train"}
    assert part_folders(["1", "a/1"]) == {}


def test_deeper_and_uneven_trees_are_asked_about() -> None:
    with pytest.raises(DataError, match=r"level 3: .*\nchoose how they are read") as refusal:
        read_tree([f"{a}/{b}/{c}/1" for a in "pq" for b in "rst" for c in "uv"], "set")
    assert len(pasted(refusal)) == 3
    with pytest.raises(DataError, match="lie at different depths"):
        read_tree(["a/1", "b/c/1"], "my set")


@pytest.mark.parametrize(
    "parts", [("train/Cat", "train/Dog", "test/cow", "test/hen"), ("train/a", "train/b", "val/c", "test/a")]
)
def test_parts_without_a_common_label_stop(tmp_path: Path, parts: tuple[str, ...]) -> None:
    laid(tmp_path / "data" / "set", files(*parts))
    with pytest.raises(
        DataError, match=r"no (validation|test) row has a label that a training row has, so nothing could be"
    ):
        made("set", tmp_path)


def test_the_split_stops_where_nothing_could_be_measured() -> None:
    labels, parts = pd.Series(["Cat", "Dog", "cat", None], dtype="str"), pd.Series(["train", "train", "test", "test"])
    with pytest.raises(DataError, match="train has 'Cat', 'Dog', test 'cat'; where they are spellings"):
        require_common_labels(labels, parts)
    require_common_labels(labels.replace("cat", "Cat"), parts)
    require_common_labels(labels.where(labels != "cat"), parts)


def test_labels_that_are_spellings_of_one_are_named_with_their_map(tmp_path: Path) -> None:
    pairs = [("Cat", "cat"), ("Dog", "dog"), ("Caf\u00e9", "Cafe\u0301")]
    laid(
        tmp_path / "data" / "set",
        files(*(f"{part}/{name}" for pair in pairs for part, name in zip(("train", "test"), pair, strict=True))),
    )
    recipe, text = made("set", tmp_path)
    rows = with_ids(read_source(recipe.download, Intake(tmp_path / "s")))
    stopping = [verdict for verdict in check_rows(rows, recipe.validate)[0] if verdict.stops]
    assert "labels_are_spelt_one_way" in {verdict.name for verdict in stopping}
    found = re.search(r"label_map: (\{.*\})\)", text)
    assert found
    fixed = replace(recipe.download, label_map=yaml.safe_load(found[1]))  # type: ignore[type-var]
    rows = read_source(fixed, Intake(tmp_path / "t"))
    assert rows["label"].nunique() == 3 and (pd.crosstab(rows["label"], rows["split"]) == 6).all(axis=None)
