"""`search` in a recipe: what is refused, what a space stands for, and how the best values come into the file."""

from pathlib import Path

import pytest
from tiny import ROOT

from configs.load import RecipeError, load_recipe
from configs.search import Dimension, Search
from flows.recipe_edits import with_values
from tasks.search.space import grid, overrides, rounded, words

DIGITS = ROOT / "configs" / "digits_demo.yaml"
SPACE = {
    "train.optimizer": {"options": {"sgd": {"kind": "sgd", "momentum": 0.9}, "adam": {"kind": "adam"}}},
    "train.optimizer.momentum": {"low": 0.0, "high": 0.9, "step": 0.45, "when": {"train.optimizer": "sgd"}},
    "train.epochs": {"low": 1, "high": 2},
}


@pytest.mark.parametrize(
    ("search", "message"),
    [
        ("{space: {}}", "space"),
        ("{space: {register.model: [a, b]}}", "keys of encode and train can be searched"),
        ("{space: {train: [a, b]}}", "keys of encode and train can be searched"),
        ("{space: {train.seed: [1, 2]}}", "a seed is luck"),
        ("{space: {train.epochs: [1]}}", "one value is nothing to search"),
        ("{space: {train.epochs: [1, 1]}}", "stands twice"),
        ("{space: {train.epochs: {low: 1}}}", "both low and high"),
        ("{space: {train.epochs: {low: 3, high: 2}}}", "low 3 must be less than high 2"),
        ("{space: {train.epochs: {low: 1, high: 3, values: [1, 2]}}}", "one of the three"),
        ("{space: {train.learning_rate: {low: 0, high: 1, log: true}}}", "log is of a range above 0"),
        ("{space: {train.learning_rate: {low: 0.1, high: 1, log: true, step: 0.1}}}", "step is of a range without log"),
        ("{space: {train.epochs: {values: [1, 2], when: {train.clip: 1}}}}", "must be a key of the space above it"),
        (
            "{space: {train.clip: [1, 2], train.epochs: {values: [1, 2], when: {train.clip: 3}}}}",
            "waits for train.clip: 3",
        ),
        ("{sampler: grid, space: {train.clip: {low: 0.1, high: 1}}}", "a range without step"),
        ("{space: {train.epochs: [1, 2]}, seeds: 1}", "seeds"),
        ("{space: {train.epochs: [1, 2]}, objective: bleu}", "objective"),
    ],
)
def test_what_cannot_be_searched_is_refused(search: str, message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        load_recipe(DIGITS, [f"search={search}"])


def test_a_grid_has_every_combination_once_and_nothing_that_is_not_read() -> None:
    search = Search(space=SPACE, sampler="grid")
    points = grid(search)
    assert len(points) == len({str(point) for point in points}) == 3 * 2 + 2
    assert [point.get("train.optimizer.momentum") for point in points if point["train.epochs"] == 1] == [
        0.0,
        0.45,
        0.9,
        None,
    ]
    for point in points:
        loaded = load_recipe(DIGITS, overrides(search, point)).train
        assert loaded.optimizer.kind == point["train.optimizer"]
        assert getattr(loaded.optimizer, "momentum", None) == point.get("train.optimizer.momentum")


def test_numbers_that_are_drawn_are_short_and_stay_within_their_range() -> None:
    rate = Dimension(low=0.00012345678, high=0.1, log=True)
    assert rounded(0.000123456781, rate) == 0.0001235
    assert rounded(0.00012345678, Dimension(low=0.00012346, high=0.1, log=True)) == 0.0001235
    assert rounded(0.09999999, Dimension(low=0.001, high=0.09999999)) == 0.09999999
    assert rounded(0.0123456, rate) == 0.01235
    assert (
        words({"train.learning_rate": 0.01235, "train.model.dropout": 0.5})
        == "learning_rate 0.01235, model.dropout 0.5"
    )


RECIPE = """# My recipe
name: mine   # stays
download: {kind: embedded, name: digits}
encode: {kind: image, mode: L}

train:
  # the model
  model:
    kind: cnn
    channels: [16, 32]   # both layers
  learning_rate: 5e-3  # tried by hand
  optimizer: {kind: adam}

# what comes of it
register: {model: digits}
"""


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_values_come_into_a_recipe_and_nothing_else_changes(tmp_path: Path, newline: str) -> None:
    path = tmp_path / "mine.yaml"
    path.write_bytes(RECIPE.replace("\n", newline).encode())
    changes = ["train.learning_rate=0.01", "train.model.dropout=0.5", "train.epochs=3"]
    with_values(path, changes, "by search")
    text = path.read_bytes().decode().replace(newline, "\n")
    assert load_recipe(path) == load_recipe(path, changes)
    assert text.splitlines() == [
        *RECIPE.splitlines()[:9],
        "    channels: [16, 32]   # both layers",
        "    dropout: 0.5  # by search",
        "  learning_rate: 0.01  # tried by hand",
        "  optimizer: {kind: adam}",
        "  epochs: 3  # by search",
        *RECIPE.splitlines()[12:],
    ]


def test_a_section_takes_the_place_of_a_value(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(RECIPE, encoding="utf-8")
    changes = ['train.optimizer={"kind": "sgd", "momentum": 0.9}', 'train.model={"kind": "mlp", "hidden": [8]}']
    with_values(path, changes, "by search")
    assert load_recipe(path) == load_recipe(path, changes)
    assert "# the model" in path.read_text(encoding="utf-8")


def test_a_file_that_cannot_take_a_value_stays_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(RECIPE, encoding="utf-8")
    with pytest.raises(RecipeError, match="did you mean"):
        with_values(path, ["train.epoch=3"], "by search")
    assert path.read_text(encoding="utf-8") == RECIPE
    assert not [*tmp_path.glob("*.new"), *tmp_path.glob(".*.new")]
