"""Labels that are spellings of one label: named with counts, never merged unasked; mapped or kept apart on request."""

import unicodedata
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from source_rows import load_rows

from configs.expectations import Validate
from configs.load import load_recipe
from configs.sources import Columns, FileSource
from flows.starter_recipe import prepare
from tasks.data.checks.expectations import check_rows, label_set
from tasks.data.label_variants import describe_variants, label_key, label_variants, map_labels
from tasks.data.rows import with_ids
from tasks.data.sources.columns import take_columns
from tasks.data.tags.columns import types_in

SPELLINGS = [
    ("ill", "Ill", "ILL", " ill", "ill\t", "i\u200bll", "\ufeffill", "ill\u00ad"),
    ("Zürich", "Zu\u0308rich", "ZÜRICH", "zürich\u00a0"),
    ("new york", "New  York", "New York "),
    ("3", "3.0", "03", "+3", "3e0", "３", "30e-1", "3."),
    ("0", "0.0", "-0", "False", "false ", "FALSE", "no"),
    ("1", "True", "TRUE", "1.00", "Yes"),
    ("❤", "❤\ufe0f"),
    ("ｶﾀｶﾅ", "カタカナ"),
]
DISTINCT = ("a b", "ab", "3", "30", "3.01", "-3", "e", "é", "c++", "c#", "c", "true story", "1.1.0", "١٢x", "🏴", "")


def tagged(letters: str) -> str:
    """A flag that invisible tags tell apart."""
    return "🏴" + "".join(chr(0xE0000 + ord(letter)) for letter in letters) + "\U000e007f"


@pytest.mark.parametrize("spellings", SPELLINGS)
def test_spellings_of_one_label_are_one_group_with_counts(spellings: tuple[str, ...]) -> None:
    counts = {spelling: 2 + place for place, spelling in enumerate(spellings)} | {"something else": 9}
    (group,) = label_variants(counts)
    assert group == {spelling: counts[spelling] for spelling in spellings}
    assert list(group.values()) == sorted(group.values(), reverse=True)
    assert all(f"({count})" in describe_variants([group]) for count in group.values())


def test_labels_that_differ_stay_apart() -> None:
    labels = [*DISTINCT, tagged("gbeng"), tagged("gbsct"), "9" * 40, "9" * 39 + "8"]
    assert label_variants(dict.fromkeys(labels, 1)) == []


@given(st.text(max_size=12))
def test_a_key_is_its_own_key_and_that_of_every_spelling(label: str) -> None:
    key = label_key(label)
    assert label_key(key) == key
    for form in ("NFC", "NFD", "NFKC", "NFKD"):
        assert label_key(unicodedata.normalize(form, label)) == key
    assert label_key(f" {label}\u200b\n") == key


@given(st.from_regex(r"-?[0-9]{1,30}(\.[0-9]{1,30})?([eE]-?[0-9]{1,3})?", fullmatch=True), st.integers(0, 5))
def test_numbers_keep_every_digit(number: str, zeros: int) -> None:
    base, e, power = number.partition("e" if "e" in number else "E")
    longer = (base if "." in base else base + ".0") + "0" * zeros + e + power
    assert label_key(longer) == label_key(number)
    if label_key(number) != "0":
        assert label_key(f"1{number}".replace("1-", "-1")) != label_key(number)


def test_invisible_differences_are_shown_as_code_points() -> None:
    said = describe_variants(label_variants({"ja": 4, "ja\u200b": 3, "é": 2, "e\u0301": 1}))
    assert said == "'ja' (4) = 'ja\\u200b' (3); 'é' (2) = 'e\\u0301' (1)"
    many = describe_variants([{f"l{n}": 2, f"L{n}": 1} for n in range(8)])
    assert many.endswith("'l4' (2) = 'L4' (1); and 3 more")


def test_distinct_labels_are_kept_apart_and_further_spellings_are_not() -> None:
    letters = {"B": 5, "b": 4, "C": 3, "c": 2}
    assert label_variants(letters, [("B", "b"), ("c", "C")]) == []
    assert label_variants(letters, [("B", "b")]) == [{"C": 3, "c": 2}]
    assert label_variants(letters | {"b ": 1}, [("B", "b"), ("C", "c")]) == [{"B": 5, "b": 4, "b ": 1}]


def rows_of(labels: list[str]) -> pd.DataFrame:
    frame = pd.DataFrame({"text": [f"line {n}" for n in range(len(labels))], "label": labels, "split": None})
    return with_ids(frame.astype({"text": "str", "label": "str", "split": "str"}))


def test_validate_stops_names_the_spellings_and_keeps_them() -> None:
    rows = rows_of(["wet", "dry"] * 20 + ["Wet"] * 3 + ["dry "])
    verdicts = {verdict.name: verdict for verdict in check_rows(rows, Validate())[0]}
    verdict = verdicts["labels_are_spelt_one_way"]
    assert verdict.stops and verdict.observed == "'wet' (20) = 'Wet' (3); 'dry' (20) = 'dry ' (1)"
    assert "download.columns.label_map" in verdict.place and "validate.distinct_labels" in verdict.place
    assert verdict.rows.tolist() == rows["id"].iloc[40:].tolist()
    assert label_set(rows, Validate()) == ["Wet", "dry", "dry ", "wet"]
    listed = Validate(labels=("Wet", "dry", "dry ", "wet"))
    assert {v.name: v for v in check_rows(rows, listed)[0]}["labels_are_spelt_one_way"].stops, "a list is no excuse"


def test_what_is_meant_to_differ_and_what_is_only_warned_of_goes_on() -> None:
    rows = rows_of(["A", "a"] * 20)
    for section in (Validate(distinct_labels=(("A", "a"),)), Validate(severity={"label_variants": "warn"})):
        assert not [verdict for verdict in check_rows(rows, section)[0] if verdict.stops]


def test_label_map_maps_each_spelling_once_and_says_what_is_unused(tmp_path: Path) -> None:
    labels = pd.Series(["a", "b", None, "c"], dtype="str")
    notes: list[str] = []
    mapped = map_labels(labels, {"a": "b", "b": "a", "x\u200b": "x"}, notes)
    assert mapped.tolist()[:2] == ["b", "a"] and mapped.isna().tolist() == [False, False, True, False]
    assert notes == ["label_map names 'x\\u200b', which no row has"]
    assert map_labels(labels, {}) is labels

    path = tmp_path / "t.csv"
    path.write_text("text,label\none,Wet\ntwo,wet \nthree,dry\n")
    columns = Columns(label_map={"Wet": "wet", "wet ": "wet"})
    rows = load_rows(FileSource(kind="file", path=str(path), columns=columns), tmp_path)
    assert rows["label"].tolist() == ["wet", "wet", "dry"]


def test_label_map_reads_what_is_written_and_then_the_names_of_numbers() -> None:
    table = pd.DataFrame({"text": ["p", "q", "r", "s"], "label": ["0", "zero", "1", "null"]}, dtype="str")
    columns = Columns(label_names=("null", "one"), label_map={"zero": "0", "null": "nothing"})
    with pytest.raises(ValueError, match="'zero', which is not one of"):
        take_columns(table, Columns(label_names=("null", "one")), "t")
    named = take_columns(table, columns, "t")["label"].tolist()
    assert named == ["nothing", "null", "one", "nothing"], "each row is mapped once"


def test_label_map_without_labels_is_refused() -> None:
    with pytest.raises(ValueError, match="label_map is read only with label, labels, tags or spans"):
        Columns(target="price", label_map={"a": "b"})


def test_init_names_the_spellings_in_the_terminal_and_in_the_recipe(tmp_path: Path) -> None:
    table = tmp_path / "mixed.csv"
    labels = ["dry", "wet", "Dry", "wet\u200b"]
    lines = [f'"a sentence about day {n} and its weather",{labels[n % 4]}' for n in range(200)]
    table.write_text("text,label\n" + "\n".join(lines) + "\n", encoding="utf-8")
    made, _ = prepare(table, tmp_path / "r.yaml", "label_word")
    assert made.seen()["spelt"] == "as if one label: 'Dry' (50) = 'dry' (50); 'wet' (50) = 'wet\\u200b' (50)"
    made.output.write_text(made.text(), encoding="utf-8")
    assert "label_map" in made.text() and "distinct_labels" in made.text()
    recipe = load_recipe(made.output)
    rows = with_ids(load_rows(recipe.download, tmp_path))
    stopping = [verdict.name for verdict in check_rows(rows, recipe.validate)[0] if verdict.stops]
    assert stopping == ["labels_are_spelt_one_way"]


TOKENS = ["Anna", "left", "Oslo"]
TYPES = [("person", "town"), ("Person", "town"), ("person", "Town "), ("person", "to\u200bwn")]


def tagged_rows(columns: Columns, *, as_spans: bool) -> tuple[pd.DataFrame, list[str]]:
    """Forty rows with one person and one town each, in four spellings; and the notes of their reading."""
    cells = []
    for number in range(40):
        person, town = TYPES[number % 4]
        spans = [{"start": 0, "end": 4, "label": person}, {"start": 10, "end": 14, "label": town}]
        cells.append(spans if as_spans else [f"B-{person}", "O", f"B-{town}"])
    words = " ".join(TOKENS) if as_spans else TOKENS
    notes: list[str] = []
    table = pd.DataFrame({"text": [words] * 40, "truth": cells})
    return with_ids(take_columns(table, columns, "t", notes=notes)), notes


@pytest.mark.parametrize("as_spans", [False, True])
def test_types_of_entities_are_labels_too(as_spans: bool) -> None:
    role = {"spans": "truth"} if as_spans else {"tags": "truth", "tokens": "text"}
    rows, _ = tagged_rows(Columns(**role), as_spans=as_spans)  # type: ignore[arg-type]
    (verdict,) = [one for one in check_rows(rows, Validate())[0] if one.name == "labels_are_spelt_one_way"]
    assert verdict.stops and "'person' (30) = 'Person' (10)" in verdict.observed
    assert "'town' (20) = 'Town ' (10) = 'to\\u200bwn' (10)" in verdict.observed
    assert "download.columns.label_map" in verdict.place
    meant = Validate(distinct_labels=(("person", "Person"), ("town", "Town ", "to\u200bwn")))
    assert not [one for one in check_rows(rows, meant)[0] if one.name == "labels_are_spelt_one_way" and one.stops]
    mapped = {"Person": "person", "Town ": "town", "to\u200bwn": "town", "TOWN": "town"}
    rows, notes = tagged_rows(Columns(**role, label_map=mapped), as_spans=as_spans)  # type: ignore[arg-type]
    assert {name for cell in rows["tags"] for name in types_in(cell)} == {"person", "town"}
    assert not [one for one in check_rows(rows, Validate())[0] if one.name == "labels_are_spelt_one_way" and one.stops]
    assert any("'TOWN', which no row has" in note for note in notes)


def test_init_names_the_spellings_of_types_and_of_several_labels(tmp_path: Path) -> None:
    conll = tmp_path / "news.conll"
    weather = [f"Anna {TYPES[n % 2][0]}\nleft O\nday{n} O\n" for n in range(60)]
    conll.write_text("\n".join(weather).replace(" p", " B-p").replace(" P", " B-P"))
    several = tmp_path / "several.jsonl"
    several.write_text(
        "".join(
            f'{{"text": "a day of number {n} and its wind", "labels": ["{("dry", "wet", "Dry")[n % 3]}", "cold"]}}\n'
            for n in range(60)
        )
    )
    for path, spellings in ((conll, "'Person' (30) = 'person' (30)"), (several, "'Dry' (20) = 'dry' (20)")):
        starter, _ = prepare(path, tmp_path / "r.yaml", None)
        assert starter.seen()["spelt"] == f"as if one label: {spellings}"
        starter.output.write_text(starter.text(), encoding="utf-8")
        recipe = load_recipe(starter.output)
        rows = with_ids(load_rows(recipe.download, tmp_path))
        stopping = [verdict.name for verdict in check_rows(rows, recipe.validate)[0] if verdict.stops]
        assert stopping == ["labels_are_spelt_one_way"] and "label_map" in starter.text()
        columns = getattr(recipe.download, "columns", Columns())
        assert columns.scheme == ("iob2" if path == conll else None), "a further row could change what the tags mean"
