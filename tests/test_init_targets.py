"""temper init for targets: numbers and written texts are seen where it is sure, and the recipes run."""

import random
from pathlib import Path

import pandas as pd
import pytest

from configs.encodings import RegressionEncode
from configs.load import load_recipe
from configs.starter import Starter
from configs.target_starter import TargetStarter
from flows.stage_graph import perform_until
from flows.starter_recipe import prepare
from tasks.autodetect.located import Hints
from tasks.data.errors import DataError
from tasks.data.numbers import read_numbers
from tasks.store.events import Event

WORDS = ["good", "bad", "room", "cheap", "dear", "warm", "cold", "near", "far", "loud", "calm"]


def table(path: Path, rows: int = 90) -> pd.DataFrame:
    """Texts, a number that follows from them, their first words, and a label; written as CSV."""
    draw = random.Random(3)
    drawn = [[draw.choice(WORDS) for _ in range(8)] for _ in range(rows)]
    made = pd.DataFrame(
        {
            "review": [f"{' '.join(words)} {number}" for number, words in enumerate(drawn)],
            "score": [round(words.count("good") - words.count("bad") + draw.random(), 3) for words in drawn],
            "summary": [" ".join(words[:2]) for words in drawn],
            "label": [draw.choice(["yes", "no"]) for _ in drawn],
        }
    )
    made.to_csv(path, index=False)
    return made


def taken(path: Path, *columns: str) -> Path:
    table(path)[list(columns)].to_csv(path, index=False)
    return path


def test_many_numbers_called_a_score_are_regression_where_no_column_is_a_label(tmp_path: Path) -> None:
    starter, _ = prepare(taken(tmp_path / "a.csv", "review", "score"), tmp_path / "a.yaml", None)
    assert isinstance(starter, TargetStarter) and starter.kind == "regression"
    assert (starter.facts.columns.text, starter.facts.columns.target) == ("review", "score")
    assert "many different numbers" in starter.seen()["kind"]


def test_where_a_label_stands_beside_numbers_it_asks_for_the_kind(tmp_path: Path) -> None:
    path = taken(tmp_path / "a.csv", "review", "score", "label")
    starter, notes = prepare(path, tmp_path / "a.yaml", None)
    assert isinstance(starter, Starter) and any("'score'" in note and "--kind regression" in note for note in notes)
    starter, _ = prepare(path, tmp_path / "a.yaml", "regression")
    assert isinstance(starter, TargetStarter) and starter.facts.columns.target == "score"


def test_few_numbers_are_a_label_and_a_target_can_be_named(tmp_path: Path) -> None:
    few = table(tmp_path / "a.csv").assign(score=lambda rows: range(len(rows))).assign(score=lambda r: r["score"] % 5)
    few[["review", "score"]].to_csv(tmp_path / "few.csv", index=False)
    assert isinstance(prepare(tmp_path / "few.csv", tmp_path / "a.yaml", None, hints=Hints(label="score"))[0], Starter)
    starter, _ = prepare(tmp_path / "few.csv", tmp_path / "a.yaml", "regression", hints=Hints(label="score"))
    assert isinstance(starter, TargetStarter) and starter.seen()["target"].startswith("'score': as you said")


def priced(path: Path, name: str, prices: list[float]) -> Path:
    """Texts beside a column of prices, which may repeat."""
    made = table(path, 240)[["review"]].assign(**{name: [prices[row % len(prices)] for row in range(240)]})
    made.to_csv(path, index=False)
    return path


def test_many_numbers_are_regression_though_they_repeat(tmp_path: Path) -> None:
    path = priced(tmp_path / "a.csv", "price", [number + 0.99 for number in range(40)])
    starter, _ = prepare(path, tmp_path / "a.yaml", None)
    assert isinstance(starter, TargetStarter) and starter.facts.columns.target == "price"
    assert "40 different numbers" in starter.seen()["target"] and "--label price takes" in starter.seen()["kind"]
    asked, notes = prepare(path, tmp_path / "a.yaml", None, hints=Hints(label="price"))
    assert isinstance(asked, Starter) and any("--kind regression --label price" in note for note in notes)


def test_few_numbers_are_classes_and_the_other_kind_is_named(tmp_path: Path) -> None:
    starter, notes = prepare(priced(tmp_path / "a.csv", "price", [4.99, 9.99, 19.99]), tmp_path / "a.yaml", None)
    assert isinstance(starter, Starter)
    assert notes == [
        "each of the 3 numbers of 'price' is a class of its own here; where they measure something, "
        "--kind regression --label price predicts the number"
    ]
    assert prepare(priced(tmp_path / "b.csv", "price", [0, 1]), tmp_path / "b.yaml", None)[1] == []
    assert prepare(taken(tmp_path / "c.csv", "review", "label"), tmp_path / "c.yaml", None)[1] == []


@pytest.mark.parametrize("label", [None, "cost"])
def test_numbers_that_never_repeat_are_refused_with_the_options_that_fit(tmp_path: Path, label: str | None) -> None:
    path = priced(tmp_path / "a.csv", "cost", [number * 1.37 for number in range(240)])
    with pytest.raises(DataError, match="240 different numbers, which `--kind regression --label cost` predicts"):
        prepare(path, tmp_path / "a.yaml", None, hints=Hints(label=label))
    starter, _ = prepare(path, tmp_path / "a.yaml", "regression", hints=Hints(label="cost"))
    assert isinstance(starter, TargetStarter) and starter.facts.columns.target == "cost"


def test_numbers_of_rows_are_no_targets(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no column has few values") as refused:
        prepare(priced(tmp_path / "a.csv", "row", [*range(240)]), tmp_path / "a.yaml", None)
    assert "regression" not in str(refused.value)


@pytest.mark.parametrize(
    ("columns", "kind", "label", "says"),
    [
        (("review", "summary"), "regression", None, "no column is called like a target"),
        (("review", "summary"), "regression", "summary", "does not hold numbers"),
        (("review", "score"), "seq2seq", None, "texts to be written"),
        (("score", "summary"), "seq2seq", "summary", "no column looks like texts"),
    ],
)
def test_what_has_no_target_is_refused_with_the_option(
    tmp_path: Path, columns: tuple[str, ...], kind: str, label: str | None, says: str
) -> None:
    with pytest.raises(DataError, match=says):
        prepare(taken(tmp_path / "a.csv", *columns), tmp_path / "a.yaml", kind, hints=Hints(label=label))  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", ["regression", "seq2seq"])
def test_the_recipe_fits_its_rows_up_to_encode(kind: str, tmp_path: Path, home: Path, heard: list[Event]) -> None:
    path = taken(home.parent / "data" / "a.csv", "review", "score", "summary")
    starter, _ = prepare(path, tmp_path / "a.yaml", kind)  # type: ignore[arg-type]
    (tmp_path / "a.yaml").write_text(starter.text(), encoding="utf-8")
    recipe = load_recipe(tmp_path / "a.yaml")
    assert recipe.encode.kind == kind == starter.kind  # type: ignore[union-attr]
    assert perform_until(recipe, "encode")["encode"].result.file("certificate.json").is_file()


WRITTEN = [
    ("1,234.5", "12,000.25", (",", "."), 1234.5),
    ("1,234", "999", (",", "."), 1234),
    ("0,5", "-12,75", (None, ","), 0.5),
    ("1.234,5", "0,25", (".", ","), 1234.5),
    ("1\u00a0234,5", "12 000,25", (" ", ","), 1234.5),
    ("1'234.5", "12", ("'", "."), 1234.5),
    ("1.234", "12", (None, "."), 1.234),
]


@pytest.mark.parametrize(("first", "second", "notation", "value"), WRITTEN)
def test_targets_are_read_in_the_notation_that_they_are_in(
    tmp_path: Path, first: str, second: str, notation: tuple[str | None, str], value: float
) -> None:
    """Other targets are of one to three digits, so that the two decide; and the recipe reads them as init says."""
    path = tmp_path / "a.csv"
    prices = [first, second, *map(str, range(100, 190))]
    rows = pd.DataFrame({"review": [f"a text of number {at} with words" for at in range(92)], "price": prices})
    rows.to_csv(path, index=False, sep=";")
    starter, _ = prepare(path, tmp_path / "a.yaml", "regression")
    assert isinstance(starter, TargetStarter) and starter.facts.notation == notation
    plain = notation == (None, ".")
    assert (f"{first!r} is read as {value:g}" in starter.seen()["target"]) is not plain
    starter.output.write_text(starter.text(), encoding="utf-8")
    section = load_recipe(starter.output).encode
    assert isinstance(section, RegressionEncode) and (section.thousands, section.decimal) == notation
    assert read_numbers([first], *notation)[0] == value


def test_targets_of_several_notations_are_shown_not_guessed(tmp_path: Path) -> None:
    prices = ["$5", "12%", "a lot", *map(str, range(30))]
    rows = pd.DataFrame({"review": [f"a text of number {at} with words" for at in range(33)], "price": prices})
    rows.to_csv(tmp_path / "a.csv", index=False)
    with pytest.raises(DataError, match=r"'price' does not hold numbers of one notation.*: '\$5', '12%', 'a lot'"):
        prepare(tmp_path / "a.csv", tmp_path / "a.yaml", "regression", hints=Hints(label="price"))


def test_texts_to_be_written_are_led_to_the_kind_that_writes(tmp_path: Path) -> None:
    path = taken(tmp_path / "a.csv", "review", "summary")
    rows = pd.read_csv(path)
    rows.assign(summary=[f"{summary} number {at}" for at, summary in enumerate(rows["summary"])]).to_csv(
        path, index=False
    )
    with pytest.raises(DataError, match="'summary' is called like texts to be written, which `--kind seq2seq`"):
        prepare(path, tmp_path / "a.yaml", None)
    starter, _ = prepare(path, tmp_path / "a.yaml", "seq2seq")
    assert isinstance(starter, TargetStarter) and starter.facts.columns.target == "summary"


def test_labels_that_hold_several_are_named(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    moods = ["calm", "calm, glad", "glad", "glad, sad, calm", "sad"]
    rows = [f'a text of number {at} with words,"{moods[at % 5]}"' for at in range(60)]
    path.write_text("text,moods\n" + "\n".join(rows) + "\n")
    _, notes = prepare(path, tmp_path / "a.yaml", None)
    assert any("2 of the 5 labels hold ',', such as 'calm, glad'" in note and "reads 3" in note for note in notes)
    starter, _ = prepare(path, tmp_path / "b.yaml", "multi_label", hints=Hints(label="moods"))
    assert "calm: 36" in starter.seen()["labels"]
    plain = path.read_text().replace(", ", " and ")
    path.write_text(plain)
    assert not any("several labels" in note for note in prepare(path, tmp_path / "a.yaml", None)[1])
