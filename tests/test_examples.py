"""Examples of a test on the report's page: what is stored comes back, and both sides are marked and act nowhere."""

from pathlib import Path

import pandas as pd
from html_reader import read
from hypothesis import given
from hypothesis import strategies as st
from test_escape import TEXT, TEXTS
from test_transcripts import DIALOGUE, TURNS

from tasks.data.tags.schemes import Entity
from tasks.kinds.dialogue.transcripts import Transcript, examples
from tasks.kinds.token_classification.marked import SHOWN, mark, sample_marked
from tasks.kinds.token_classification.predictor import write_entities
from tasks.learn.examples import Example, Examples, Line, Piece, read_examples, save_examples
from tasks.report_page.examples_section import show_examples

TRANSCRIPT = Transcript("d<1>", DIALOGUE, {turn.position: turn for turn in TURNS})


def shown(stored: Examples, folder: Path) -> str:
    save_examples(stored, folder)
    assert read_examples(folder) == stored
    return show_examples(folder)


def test_without_examples_nothing_is_shown(tmp_path: Path) -> None:
    assert read_examples(tmp_path) is None and show_examples(tmp_path) == ""
    assert shown(Examples("Transcripts", "none", []), tmp_path) == ""


def test_a_transcript_shows_both_sides_of_each_generated_turn(tmp_path: Path) -> None:
    reader = read(shown(examples([TRANSCRIPT]), tmp_path))
    assert "Transcripts" in reader.shown and "d<1>" in reader.shown
    assert "✗ price = 400-500元" in reader.shown and "✗ price = 500元" in reader.shown
    assert reader.shown.count("✓ type = 经济型") == 2 and "no end of turn" in reader.shown
    assert reader.attributes.count(("colspan", "2")) == 2


def test_nothing_of_a_row_acts_on_the_page(tmp_path: Path) -> None:
    pieces = [Piece(TEXT, "other", TEXT)]
    reader = read(shown(Examples("t", TEXT, [Example(TEXT, [Line(TEXT, pieces, pieces)])], flowing=True), tmp_path))
    assert not reader.tags & {"script", "img", "a", "b"}


@st.composite
def marked_texts(draw: st.DrawFn) -> tuple[str, list[Entity]]:
    """A text, and entities in it that do not overlap."""
    text = draw(TEXTS)
    ends = sorted(draw(st.sets(st.integers(0, len(text)), max_size=8)))
    spans = list(zip(ends[::2], ends[1::2], strict=False))
    return text, [Entity(start, stop, draw(st.sampled_from(("person", "place")))) for start, stop in spans]


@given(marked_texts(), st.data())
def test_marked_pieces_are_the_text_and_each_entity_one_of_them(
    given: tuple[str, list[Entity]], data: st.DataObject
) -> None:
    text, entities = given
    others = [entity for entity in entities if data.draw(st.booleans())]
    pieces = mark(text, entities, others)
    assert "".join(piece.text for piece in pieces) == text
    same = [entity.label for entity in entities if entity in others]
    assert [piece.label for piece in pieces if piece.mark == "same"] == same
    assert sum(piece.mark == "other" for piece in pieces) == len(entities) - len(same)


def test_texts_with_entities_are_drawn_and_show_the_types(tmp_path: Path) -> None:
    texts = [f"Ada met Bob {number}" for number in range(30)]
    ada, bob = Entity(0, 3, "person"), Entity(8, 11, "person")
    true = [[ada] if number % 2 else [] for number in range(30)]
    predicted = [[ada, bob] if number % 2 else [] for number in range(30)]
    sides = {
        name: [write_entities(text, entities) for text, entities in zip(texts, side, strict=True)]
        for name, side in (("true", true), ("predicted", predicted))
    }
    sampled = sample_marked(texts, pd.DataFrame({"id": [f"r{number}" for number in range(30)], **sides}), seed=1)
    rows = [int(example.row[1:]) for example in sampled.examples]
    assert len(rows) == SHOWN and all(row % 2 for row in rows) and rows == sorted(rows)
    reader = read(shown(sampled, tmp_path))
    assert reader.shown.count("✓ Ada") == 2 * SHOWN and reader.shown.count("✗ Bob") == SHOWN
    assert "person" in reader.shown
