"""Tags of words and spans of texts, in every scheme and form, -> what is tagged in a text; what cannot be read."""

import json
from itertools import pairwise
from pathlib import Path

import pandas as pd
import pytest
from datasets import ClassLabel, List, Value
from hypothesis import given
from hypothesis import strategies as st

from configs.cleaning import Clean, Lowercase, NearDuplicates
from configs.columns import Columns
from configs.expectations import Validate
from configs.load import load_recipe
from configs.sources import FileSource, HubSource
from configs.tag_starter import TagStarter
from tasks.autodetect.tags import look_at_tags, tag_columns
from tasks.data.checks.split_checks import check_variants
from tasks.data.cleaning.pipeline import clean_rows
from tasks.data.errors import DataError
from tasks.data.rows import with_ids
from tasks.data.sources.columns import take_columns
from tasks.data.sources.hub_rows import classes_among, take_rows
from tasks.data.sources.provenance import Intake
from tasks.data.sources.read import read_source
from tasks.data.tags import rows as told
from tasks.data.tags.rows import BrokenTagsError, read_tags, words_between_spaces, words_of, write_spans
from tasks.data.tags.schemes import Entity, Scheme, detect_scheme, entities_of, iob2


def written(words: int, entities: list[Entity], scheme: Scheme) -> list[str]:
    """Tags in any scheme, by the schemes' definitions."""
    tags, before = ["O"] * words, {one.stop: one.label for one in entities}
    for start, stop, label in entities:
        for place in range(start, stop):
            first, last = place == start, place == stop - 1
            letter = "B" if first else "I"
            if scheme == "iob1":
                letter = "B" if first and before.get(start) == label else "I"
            if scheme == "bioes":
                letter = "S" if first and last else "B" if first else "E" if last else "I"
            tags[place] = f"{letter}-{label}"
    return tags


@st.composite
def sentences(draw: st.DrawFn) -> tuple[int, list[Entity]]:
    words, entities, place = draw(st.integers(1, 12)), [], 0
    while place < words:
        size = draw(st.integers(0, 3))
        if size and place + size <= words:
            entities.append(Entity(place, place + size, draw(st.sampled_from(["per", "geo-loc", "x"]))))
        place += max(size, 1)
    return words, entities


@given(sentences(), st.sampled_from(["iob2", "iob1", "bioes"]))
def test_every_scheme_comes_to_the_entities_that_it_was_written_from(
    sentence: tuple[int, list[Entity]], scheme: Scheme
) -> None:
    words, entities = sentence
    tags = written(words, entities, scheme)
    assert entities_of(tags, scheme) == (entities, 0)
    assert entities_of(iob2(words, entities), "iob2") == (entities, 0)
    bilou = [tag.replace("E-", "L-").replace("S-", "U-") for tag in tags]
    if scheme == "bioes":
        assert entities_of(bilou, "bioes") == (entities, 0)


SENTENCES = [(5, [Entity(0, 2, "per"), Entity(2, 3, "per")]), (3, [Entity(1, 3, "loc")]), (2, [])]


@pytest.mark.parametrize("scheme", ["iob2", "iob1", "bioes"])
def test_schemes_are_told_apart(scheme: Scheme) -> None:
    assert detect_scheme(written(words, entities, scheme) for words, entities in SENTENCES) == scheme


@pytest.mark.parametrize(
    ("scheme", "tags", "entities", "misplaced"),
    [
        ("iob2", ["O", "I-per", "I-per"], [(1, 3, "per")], 1),
        ("iob2", ["B-per", "I-loc"], [(0, 1, "per"), (1, 2, "loc")], 1),
        ("iob1", ["B-per", "I-per"], [(0, 2, "per")], 1),
        ("bioes", ["B-per", "O", "E-per", "S-loc"], [(0, 1, "per"), (2, 3, "per"), (3, 4, "loc")], 2),
        ("bioes", ["B-per", "I-per"], [(0, 2, "per")], 1),
    ],
)
def test_tags_out_of_place_are_counted_and_lose_nothing(
    scheme: Scheme, tags: list[str], entities: list[tuple[int, int, str]], misplaced: int
) -> None:
    assert entities_of(tags, scheme) == ([Entity(*one) for one in entities], misplaced)


def table(**columns: list[object]) -> pd.DataFrame:
    return pd.DataFrame({name: pd.Series(values, dtype=object) for name, values in columns.items()})


TAGGED = Columns(tags="tags")


def test_lists_json_and_words_between_spaces_are_the_same_rows() -> None:
    lists = table(tokens=[["New", "York", "is", "big"]], tags=[["B-loc", "I-loc", "O", "O"]])
    texts = table(tokens=['["New", "York", "is", "big"]'], tags=['["B-loc", "I-loc", "O", "O"]'])
    spaced = table(tokens=["New  York is big"], tags=["B-loc I-loc O O"])
    for one in (lists, texts, spaced):
        rows = take_columns(one, TAGGED, "t")
        assert rows["text"].tolist() == ["New York is big"]
        assert read_tags("New York is big", rows["tags"][0]).entities == [Entity(0, 8, "loc")]
        assert "label" not in rows


def test_notes_name_the_scheme_and_the_rows_whose_tags_are_out_of_place() -> None:
    notes: list[str] = []
    rows = take_columns(table(tokens=["a b", "c d"], tags=["B-x O", "O I-x"]), TAGGED, "t", notes=notes)
    assert json.loads(rows["tags"][1]) == ["O", "B-x"]
    assert notes[0] == "t: the tags are in IOB2, by their letters"
    assert "1 tags in 1 rows are out of place in IOB2 (rows 2), such as an I- without B- before it" in notes[1]


def test_a_scheme_that_is_given_is_not_told_from_the_tags() -> None:
    notes: list[str] = []
    columns = Columns(tags="tags", scheme="iob1")
    rows = take_columns(table(tokens=["a b"], tags=["B-x O"]), columns, "t", notes=notes)
    assert json.loads(rows["tags"][0]) == ["B-x", "O"] and notes[0] == "t: the tags are in IOB1"


def test_numbers_are_named() -> None:
    named = Columns(tags="tags", label_names=("O", "B-x", "I-x"))
    rows = take_columns(table(tokens=[["a", "b"]], tags=[[1, 2]]), named, "t")
    assert json.loads(rows["tags"][0]) == ["B-x", "I-x"]
    with pytest.raises(DataError, match=r"the tag 1 is a number without a name; name all in columns\.label_names"):
        take_columns(table(tokens=[["a", "b"]], tags=[[1, 2]]), TAGGED, "t")


def test_numbers_of_a_data_set_of_the_hub_have_the_names_that_it_gives_them(tmp_path: Path) -> None:
    names = ClassLabel(names=["O", "B-x", "I-x"])
    features = {"tokens": List(Value("string")), "tags": List(names), "genre": names, "words": List(names)}
    source, other = (HubSource(kind="hub", repo="a/b", columns=columns) for columns in (TAGGED, Columns()))
    classes = classes_among(features, source)
    assert {*classes} == {"tags", "genre"} and {*classes_among(features, other)} == {"genre"}
    loaded = {"train": (classes, table(tokens=[["a", "b"]], tags=[[1, 2]]))}
    rows = take_rows(source, tmp_path, loaded, Intake(tmp_path))
    assert json.loads(rows["tags"][0]) == ["B-x", "I-x"] and rows["split"].tolist() == ["train"]


def test_letters_that_a_given_scheme_has_not_are_named() -> None:
    given = table(tokens=["a b", "c d e"], tags=["B-x O", "S-x B-y E-y"])
    with pytest.raises(DataError, match=r"t: row 2 has the tag 'S-x', which IOB2 has not; set `columns.scheme: bioes`"):
        take_columns(given, Columns(tags="tags", scheme="iob2"), "t")
    assert take_columns(given, Columns(tags="tags", scheme="bioes"), "t")["tags"].notna().all()


def test_a_list_among_words_is_named_with_its_row() -> None:
    given = table(tokens=[["a", "b"], ["c", ["d"]]], tags=[["O", "O"], ["O", "O"]])
    with pytest.raises(DataError, match="t: row 2 has a list or an object among its tokens"):
        take_columns(given, TAGGED, "t")


def test_rows_without_text_or_tags_pass_the_checks_and_have_ids_of_their_own() -> None:
    rows = with_ids(
        pd.DataFrame({"text": ["Tom left", None, "nan"], "tags": ['["B-x", "O"]', "[]", None]}, dtype="str")
    )
    (verdict,) = check_variants(rows, Validate())
    assert verdict.success
    texts = with_ids(pd.DataFrame({"text": [None, "nan", ""], "label": ["a", "a", "a"]}, dtype="str"))
    assert texts["id"].str[:16].nunique() == 3, "a missing text is neither the text nan nor an empty one"


def test_an_unknown_scheme_is_named_with_its_row() -> None:
    with pytest.raises(DataError, match=r"t: row 2: the tag 'PER' is of no known scheme; IOB2, IOB1 and BIOES write"):
        take_columns(table(tokens=["a b", "c d"], tags=["B-x O", "PER O"]), TAGGED, "t")
    with pytest.raises(DataError, match="t: row 1: the tag 'PER' is of no known scheme"):
        take_columns(table(tokens=["a b"], tags=["PER O"]), Columns(tags="tags", scheme="iob2"), "t")


@pytest.mark.parametrize(
    ("tokens", "tags", "reason"),
    [
        (["a", "b"], ["O"], told.DIFFERENT),
        (["a", "b c"], ["O", "O"], told.SPACED),
        (["a", ""], ["O", "O"], told.SPACED),
        (["a", "b"], ["O", None], told.NO_TAG),
    ],
)
def test_rows_whose_tags_do_not_fit_their_tokens_say_why(tokens: object, tags: object, reason: str) -> None:
    notes: list[str] = []
    rows = take_columns(table(tokens=[["a"], tokens], tags=[["B-x"], tags]), TAGGED, "t", notes=notes)
    assert read_tags(rows["text"][0], rows["tags"][0]).entities == [Entity(0, 1, "x")]
    with pytest.raises(BrokenTagsError, match=reason):
        read_tags(rows["text"][1], rows["tags"][1])
    assert f"t: 1 rows have {reason} (row 2); `encode` drops them" in notes


def test_a_row_without_tokens_or_tags_is_missing_its_tags() -> None:
    rows = take_columns(table(tokens=["a", None, "b"], tags=["O", "O", None]), TAGGED, "t")
    assert rows["text"].isna().tolist() == [False, True, False]
    assert rows["tags"].isna().tolist() == [False, True, True]


SPANS = Columns(spans="spans")
TEXT = "Ana met Jo-Ann in Łódź 🙂, twice"


@pytest.mark.parametrize(
    ("spans", "entities"),
    [
        ([{"start": 8, "end": 14, "label": "per"}, {"start": 0, "end": 3, "label": "per"}], [(0, 3), (8, 14)]),
        ([[18, 22, "loc"]], [(18, 22)]),
        ([{"start": 17, "end": 23, "label": "loc"}], [(18, 22)]),  # white space at its ends is left out
        ('[{"start": 0, "end": 3, "label": "per"}]', [(0, 3)]),
        ([], []),
    ],
)
def test_spans_are_read_by_characters(spans: object, entities: list[tuple[int, int]]) -> None:
    rows = take_columns(table(text=[TEXT], spans=[spans]), SPANS, "t")
    found = read_tags(TEXT, rows["tags"][0])
    assert rows["text"][0] == TEXT and [(one.start, one.stop) for one in found.entities] == entities


@pytest.mark.parametrize(
    ("spans", "reason"),
    [
        ([[0, 99, "x"]], told.OUTSIDE),
        ([[3, 3, "x"]], told.OUTSIDE),
        ([[-1, 3, "x"]], told.OUTSIDE),
        ([[0, 3, "x"], [2, 5, "x"]], told.OVERLAPPING),
        ([[3, 4, "x"]], told.NO_WORD),
        ([[0, 3]], told.NO_SPAN),
        ([[0, 3, ""]], told.NO_SPAN),
        ([[True, 3, "x"]], told.NO_SPAN),
        (["x"], told.NO_SPAN),
        ("no JSON", told.NO_SPAN),
        ({"start": 0}, told.NO_SPAN),
    ],
)
def test_spans_that_cannot_be_read_say_why(spans: object, reason: str) -> None:
    rows = take_columns(table(text=[TEXT], spans=[spans]), SPANS, "t")
    with pytest.raises(BrokenTagsError, match=reason):
        read_tags(TEXT, rows["tags"][0])


@given(st.text(max_size=60), st.lists(st.tuples(st.integers(-2, 62), st.integers(-2, 62)), max_size=4))
def test_whatever_spans_are_given_what_is_kept_lies_in_the_text(text: str, places: list[tuple[int, int]]) -> None:
    kept = write_spans(text, [[start, end, "x"] for start, end in places])
    try:
        entities = read_tags(text, kept).entities
    except BrokenTagsError:
        return
    assert len(entities) == len(places)
    assert all(text[one.start : one.stop].strip() == text[one.start : one.stop] != "" for one in entities)


@given(st.text(max_size=60), st.booleans())
def test_words_of_a_text_hold_all_of_it_but_white_space(text: str, joined: bool) -> None:
    spans = words_of(text, joined=joined)
    assert "".join(text[start:stop] for start, stop in spans) == "".join(text.split())
    assert all(stop <= other for (_, stop), (other, _) in pairwise(spans))


def test_words_of_texts() -> None:
    def words(text: str, *, joined: bool) -> list[str]:
        return [text[start:stop] for start, stop in words_of(text, joined=joined)]

    assert words("Don't panic, @Jean-Luc!", joined=False) == [
        "Don",
        "'",
        "t",
        "panic",
        ",",
        "@",
        "Jean",
        "-",
        "Luc",
        "!",
    ]
    assert words("Don't panic, @Jean-Luc!", joined=True) == ["Don't", "panic", ",", "@Jean-Luc", "!"]
    assert words("हिन्दी में", joined=False) == ["हिन्दी", "में"]
    assert words("我住在Paris", joined=True) == ["我", "住", "在", "Paris"]
    assert words("I ❤\ufe0fOslo", joined=False) == ["I", "❤", "\ufe0f", "Oslo"]
    assert words("\ufeffOslo Paris\u200b.", joined=True) == ["\ufeff", "Oslo", "Paris", "\u200b", "."]
    assert words("می\u200cخواهم Zoe\u0301", joined=False) == ["می\u200cخواهم", "Zoe\u0301"]


@given(st.lists(st.text(st.characters(exclude_characters=" "), min_size=1), min_size=1, max_size=8))
def test_tokens_joined_by_spaces_come_back(tokens: list[str]) -> None:
    text = " ".join(tokens)
    assert [text[start:stop] for start, stop in words_between_spaces(text)] == tokens


# CoNLL files ---------------------------------------------------------------------------------------------------------


def read_conll(folder: Path, text: str, **options: object) -> tuple[pd.DataFrame, list[str]]:
    path = folder / "a.conll"
    path.write_bytes(text.encode())
    intake = Intake(folder)
    source = FileSource(kind="file", path=str(path), columns=TAGGED, **options)  # type: ignore[arg-type]
    return read_source(source, intake), intake.notes


@pytest.mark.parametrize(
    "text",
    [
        "Ana\tB-per\nran\tO\n\nOslo\tB-loc\n",
        "Ana\tB-per\nran\tO\n\t\nOslo\tB-loc",
        "Ana B-per\r\nran O\r\n\r\n\r\nOslo B-loc\r\n",
        "-DOCSTART- O\n\nAna B-per\nran O\n-DOCSTART- O\nOslo B-loc\n",
        "# a comment of words\nAna\tB-per\nran\tO\n\n# another\nOslo\tB-loc\n",
    ],
)
def test_conll_files_of_every_form_are_the_same_rows(tmp_path: Path, text: str) -> None:
    rows, _ = read_conll(tmp_path, text)
    assert rows["text"].tolist() == ["Ana ran", "Oslo"]
    assert [json.loads(one) for one in rows["tags"]] == [["B-per", "O"], ["B-loc"]]


def test_columns_of_a_conll_file_go_by_position_or_by_the_names_that_are_given(tmp_path: Path) -> None:
    text = "Ana NNP I-per B-x\nran VB O O\n# VB O O\n"
    rows, _ = read_conll(tmp_path, text)
    assert rows["text"].tolist() == ["Ana ran #"] and json.loads(rows["tags"][0]) == ["B-x", "O", "O"]
    rows, notes = read_conll(tmp_path, text, header=("tokens", "pos", "tags", "other"))
    assert json.loads(rows["tags"][0]) == ["B-per", "O", "O"] and any("IOB1" in note for note in notes)


def test_a_line_with_other_columns_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"a\.conll:2: 3 columns, 'ran O x', not 2: write word and tag"):
        read_conll(tmp_path, "Ana B-per\nran O x\n")
    with pytest.raises(DataError, match=r"a\.conll:1: 1 columns, 'Ana', not 2"):
        read_conll(tmp_path, "Ana\nran\n")
    with pytest.raises(DataError, match=r"2 columns, but download\.header names 3"):
        read_conll(tmp_path, "Ana B-per\n", header=("a", "b", "c"))
    with pytest.raises(DataError, match="no rows"):
        read_conll(tmp_path, "\n\n")


# Cleaning ------------------------------------------------------------------------------------------------------------


def test_steps_that_change_texts_are_refused_and_others_are_not() -> None:
    rows = with_ids(
        take_columns(table(tokens=["Ana ran", "Ana ran", None], tags=["B-x O", "B-x O", None]), TAGGED, "t")
    )
    with pytest.raises(DataError, match=r"clean\.steps has lowercase, but tags name places of the texts as they are"):
        clean_rows(rows.assign(split=None), Clean(steps=(Lowercase(kind="lowercase"),)))
    near = Clean(steps=(NearDuplicates(kind="near_duplicates"),))
    assert len(clean_rows(rows.head(2).assign(split=None), near).rows) == 1
    usual = clean_rows(rows.assign(split=None), Clean(max_dropped=1.0))
    assert usual.rows["text"].tolist() == ["Ana ran"]
    assert sorted(usual.dropped["reason"]) == ["duplicate", "missing text"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"tags": "a", "spans": "b"}, "tags and spans exclude each other"),
        ({"tags": "a", "target": "b"}, "target and tags exclude each other"),
        ({"tags": "a", "label": "b"}, "label 'b' and tags 'a' exclude each other"),
        ({"tags": "a", "text": "b"}, r"columns\.text is not read with tags"),
        ({"scheme": "iob2"}, r"columns\.scheme is not read without tags"),
        ({"spans": "b", "tokens": "c"}, r"columns\.tokens is not read without tags"),
    ],
)
def test_columns_that_exclude_each_other_are_named(options: dict[str, str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Columns(**options)  # type: ignore[arg-type]


# What `temper init` makes of a table ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("columns", "found"),
    [
        ({"tokens": [["a", "b"], ["c"]], "ner": [["B-x", "O"], ["O"]]}, Columns(tokens="tokens", tags="ner")),
        ({"sentence": ["a b", "c"], "ner": ["B-x O", "O"]}, Columns(tokens="sentence", tags="ner")),
        ({"text": ["a b c", "c d e"], "marks": [[{"start": 0, "end": 1, "label": "x"}], []]}, Columns(spans="marks")),
        (
            {"text": ["a b c", "c d e"], "marks": ['[{"start": 0, "end": 1, "label": "x"}]', "[]"]},
            Columns(spans="marks"),
        ),
        ({"text": ["a b c", "c d e"], "marks": [[[0, 1, "x"]], []]}, Columns(spans="marks")),
        ({"tokens": [["a"], None, ["b"]], "ner": [["B-x"], ["O"], None]}, Columns(tokens="tokens", tags="ner")),
        (
            {"tokens": [["a", "b"]] * 19 + [["c"]], "ner": [["B-x", "O"]] * 19 + [["PER"]]},
            Columns(tokens="tokens", tags="ner"),
        ),
        (
            {"text": ["a b c"] * 20, "marks": [*[[{"start": 0, "end": 1, "label": "x"}]] * 19, [{"start": 0}]]},
            Columns(spans="marks"),
        ),
        ({"text": ["a b", "c"], "label": ["O", "B-x"]}, None),
        ({"tokens": [["a", "b"], ["c"]], "ner": [["PER", "O"], ["O"]]}, None),
        ({"tokens": [["a", "b"], ["c"]], "ner": [["B-x"], ["O", "O"]]}, None),
        ({"text": ["a b", "c"], "marks": [[{"start": 0}], []]}, None),
    ],
)
def test_columns_of_tags_and_spans_are_recognised(columns: dict[str, list[object]], found: Columns | None) -> None:
    assert tag_columns(table(**columns)) == found


def test_a_starter_recipe_reads_what_was_seen(tmp_path: Path) -> None:
    cities = ("Oslo", "Rome", "Lima")
    rows = table(tokens=[["to", cities[n % 3], "on", str(n)] for n in range(90)], tags=[["O", "B-loc", "O", "O"]] * 90)
    facts = look_at_tags(rows, Columns(tags="tags"), "t")
    assert facts.types == {"loc": 90} and facts.rows == 90 and sum(facts.parts.values()) == 90
    source = FileSource(kind="file", path=str(tmp_path / "a.jsonl"))
    written = TagStarter("trips", tmp_path / "trips.yaml", "a.jsonl", source, facts, [4] * 90)
    recipe = tmp_path / "trips.yaml"
    recipe.write_text(written.text(), encoding="utf-8")
    loaded = load_recipe(recipe)
    assert loaded.encode.kind == "token_classification" and loaded.register.metric == "entity_f1"
    assert written.seen()["entities"] == "loc: 90"
    with pytest.raises(DataError, match="no row has an entity in 'tags'"):
        look_at_tags(table(tokens=["a b"], tags=["O O"]), Columns(tags="tags"), "t")
