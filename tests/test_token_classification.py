"""Entities in texts: windows in which each word is predicted once, their certificate, scores, predictions."""

import json
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers

from configs.token_encodings import TokenClassificationEncode
from tasks.data.errors import DataError
from tasks.data.tags.rows import Tagged, broken, words_between_spaces
from tasks.data.tags.schemes import Entity
from tasks.inference.inputs import open_table
from tasks.kinds.token_classification import encode, metrics, outcomes
from tasks.kinds.token_classification.certificate import ENTITIES, INSIDE, ONCE, OTHERS, TOKENS, certify_tags
from tasks.kinds.token_classification.dictionary import learn, look_up
from tasks.kinds.token_classification.encoding import TagEncoding, entities_in, tags_of
from tasks.kinds.token_classification.predictor import Found, Predictor, write_entities, write_found
from tasks.kinds.token_classification.view import view_row
from tasks.kinds.token_classification.windows import lay_out
from tasks.learn.labels import IGNORE_INDEX
from tasks.learn.resampling import Resampling
from tasks.text.parts import Part
from tasks.text.segments import Encoded
from tasks.text.tokenizer import TextTokenizer, plain_tokenizer
from tasks.text.vocabulary import learn_bpe
from tasks.tracking import rescoring_program
from tasks.tracking.proof import difference

# Windows -------------------------------------------------------------------------------------------------------------


@given(st.lists(st.integers(1, 8), max_size=60), st.integers(8, 20), st.integers(0, 10))
def test_every_word_is_predicted_in_one_window_which_shows_it(sizes: list[int], budget: int, overlap: int) -> None:
    windows = lay_out(sizes, budget, min(overlap, budget // 2))
    assert [word for one in windows for word in range(one.first, one.last)] == list(range(len(sizes)))
    for one in windows:
        assert one.start <= one.first < one.last <= one.stop
        assert sum(sizes[one.start : one.stop]) <= budget
    for one, other in pairwise(windows):
        assert one.start < other.start <= one.stop < other.stop
        assert sum(sizes[other.start : one.stop]) <= overlap


def test_a_text_that_fits_is_one_window_and_a_long_one_has_context_on_both_sides() -> None:
    assert lay_out([3, 3, 2], 8, 4) == [(0, 3, 0, 3)]
    assert lay_out([1] * 10, 6, 4) == [(0, 6, 0, 4), (2, 8, 4, 6), (4, 10, 6, 10)]


# Encoding and its certificate ----------------------------------------------------------------------------------------

ROWS = pd.DataFrame(
    {
        "id": ["a", "b", "c", "d"],
        "text": ["Ana Berg flew to New York .", "nothing here", "Oslo " * 30 + "end", "\u200b Rome \u200b \u200b"],
        "tags": [
            json.dumps(["B-per", "I-per", "O", "O", "B-loc", "I-loc", "O"]),
            json.dumps(["O", "O"]),
            json.dumps(["B-loc", "I-loc", "B-loc"] * 10 + ["O"]),
            json.dumps(["B-per", "B-loc", "I-loc", "O"]),
        ],
    }
)


def byte_level() -> TextTokenizer:
    found = learn_bpe(ROWS["text"].tolist(), 300, ("[CLS]", "[SEP]"))
    return plain_tokenizer(found, {"cls": found.token_to_id("[CLS]"), "sep": found.token_to_id("[SEP]")})


def word_pieces() -> TextTokenizer:
    """One that leaves nothing of a zero-width space, as BERT's."""
    letters = sorted({letter for text in ROWS["text"] for letter in text.lower()} - {" ", "\u200b"})
    pieces = ["[UNK]", "[CLS]", "[SEP]", *letters, *(f"##{letter}" for letter in letters), "os", "##lo", "ana"]
    found = Tokenizer(models.WordPiece({piece: number for number, piece in enumerate(pieces)}, unk_token="[UNK]"))
    found.normalizer = normalizers.BertNormalizer(lowercase=True)
    found.pre_tokenizer, found.decoder = pre_tokenizers.BertPreTokenizer(), decoders.WordPiece()
    return plain_tokenizer(found, {"cls": 1, "sep": 2})


def made(tokenizer: TextTokenizer, **options: Any) -> TagEncoding:
    section: dict[str, Any] = {"max_length": 16, "overlap": 6, "tokenizer": {"kind": "train", "vocab_size": 300}}
    asked = TokenClassificationEncode(kind="token_classification", **{**section, **options})
    unknown = tokenizer.special["sep"] if tokenizer.unknown is None else 0
    return TagEncoding(
        kind=asked.kind, labels=("O", "B-loc", "I-loc", "B-per", "I-per"), label_ids=(),
        special={**tokenizer.special, "unk": unknown}, max_length=asked.max_length, padding=asked.padding, pad_id=0,
        overlap=asked.overlap, pieces=asked.pieces, tokens=True,
    )  # fmt: skip


@pytest.mark.parametrize("tokenizer", [byte_level(), word_pieces()], ids=["bytes", "pieces"])
@pytest.mark.parametrize("options", [{}, {"pieces": "all"}, {"padding": "max_length"}, {"overlap": 0}])
def test_rows_are_encoded_and_certified(tokenizer: TextTokenizer, options: dict[str, Any]) -> None:
    encoding = made(tokenizer, **options)
    part, dropped = encode.encode_part(encoding, tokenizer, ROWS)
    assert list(dict.fromkeys(part.ids)) == ["a", "b", "c", "d"] and not len(dropped)
    assert len(part.ids) > 4 and (part.encoded.lengths <= encoding.max_length).all()
    encode.certify_part(encoding, tokenizer, part, ROWS).require("train")
    firsts = (part.encoded.labels != IGNORE_INDEX).sum()
    words = sum(len(text.split(" ")) for text in ROWS["text"])
    assert firsts == words if encoding.pieces == "first" else firsts > words


def test_a_word_of_which_nothing_is_left_is_predicted_all_the_same() -> None:
    tokenizer = word_pieces()
    assert tokenizer.ids(["\u200b"]) == [[]]
    part, _ = encode.encode_part(made(tokenizer), tokenizer, ROWS.tail(1))
    assert part.encoded.labels[part.encoded.labels != IGNORE_INDEX].tolist() == [3, 1, 2, 0]
    assert part.encoded.ids[1] == 0


def planted(part: Part, **changes: Any) -> Part:
    return replace(part, encoded=replace(part.encoded, **changes))


def row_of(part: Part, row: str) -> slice:
    number = part.ids.index(row)
    return slice(int(part.encoded.offsets[number]), int(part.encoded.offsets[number + 1]))


def off_by_one(part: Part) -> Part:
    labels = part.encoded.labels.copy()
    labels[row_of(part, "a")] = np.roll(labels[row_of(part, "a")], 1)
    return planted(part, labels=labels)


def next_words_tag(part: Part) -> Part:
    labels = part.encoded.labels.copy()
    here = np.flatnonzero(labels[row_of(part, "a")] != IGNORE_INDEX)
    labels[here] = np.roll(labels[here], 1)
    return planted(part, labels=labels)


def on_all_pieces(part: Part) -> Part:
    labels = part.encoded.labels.copy()
    here = row_of(part, "a")
    for place in range(here.start + 2, here.stop - 1):
        labels[place] = labels[place - 1] if labels[place] == IGNORE_INDEX else labels[place]
    return planted(part, labels=labels)


def dropped_tag(part: Part) -> Part:
    labels = part.encoded.labels.copy()
    labels[np.flatnonzero(labels != IGNORE_INDEX)[2]] = IGNORE_INDEX
    return planted(part, labels=labels)


def dropped_last_tag(part: Part) -> Part:
    labels = part.encoded.labels.copy()
    here = row_of(part, "b")
    labels[here.start + np.flatnonzero(labels[here] != IGNORE_INDEX)[-1]] = IGNORE_INDEX
    return planted(part, labels=labels)


def dropped_word(part: Part) -> Part:
    here = row_of(part, "b")
    kept = np.ones(len(part.encoded.ids), bool)
    firsts = here.start + np.flatnonzero(part.encoded.labels[here] != IGNORE_INDEX)
    kept[firsts[0] : firsts[1]] = False
    offsets = np.concatenate([[0], np.cumsum(kept)])[part.encoded.offsets]
    return planted(part, ids=part.encoded.ids[kept], labels=part.encoded.labels[kept], offsets=offsets)


def dropped_window(part: Part) -> Part:
    number = part.ids.index("c") + 1
    start, stop = part.encoded.offsets[number : number + 2]
    kept = np.ones(len(part.encoded.ids), bool)
    kept[start:stop] = False
    offsets = np.delete(part.encoded.offsets, number + 1)
    offsets[number + 1 :] -= stop - start
    encoded = Encoded(part.encoded.ids[kept], part.encoded.labels[kept], offsets, np.delete(part.encoded.cut, number))
    return Part([*part.ids[:number], *part.ids[number + 1 :]], part.class_ids[1:], encoded)


def predicted_twice(part: Part) -> Part:
    """The second window of a long row labels the word before its own as well."""
    labels = part.encoded.labels.copy()
    number = part.ids.index("c") + 1
    here = slice(int(part.encoded.offsets[number]), int(part.encoded.offsets[number + 1]))
    first = here.start + int(np.flatnonzero(labels[here] != IGNORE_INDEX)[0])
    oslo = part.encoded.ids[first]
    before = [place for place in range(here.start, first) if part.encoded.ids[place] == oslo]
    labels[before[-1]] = labels[first]
    return planted(part, labels=labels)


def other_token(part: Part) -> Part:
    ids = part.encoded.ids.copy()
    ids[row_of(part, "b").start + 1] += 1
    return planted(part, ids=ids)


@pytest.mark.parametrize(
    ("fault", "checks", "rows"),
    [
        (off_by_one, {TOKENS, OTHERS, ONCE, ENTITIES}, {"a"}),
        (next_words_tag, {ENTITIES}, {"a"}),
        (on_all_pieces, {TOKENS, OTHERS}, {"a"}),
        (dropped_tag, {TOKENS, ONCE}, {"a"}),
        (dropped_last_tag, {ONCE}, {"b"}),
        (dropped_word, {TOKENS, ONCE}, {"b"}),
        (dropped_window, {TOKENS, ONCE, ENTITIES}, {"c"}),
        (predicted_twice, {TOKENS, ONCE, ENTITIES}, {"c"}),
        (other_token, {TOKENS}, {"b"}),
    ],
)
def test_planted_faults_are_caught(fault: Any, checks: set[str], rows: set[str]) -> None:
    tokenizer = word_pieces()
    encoding = made(tokenizer)
    part, _ = encode.encode_part(encoding, tokenizer, ROWS)
    texts, tags = ROWS["text"].tolist(), ROWS["tags"].tolist()
    assert not any(certify_tags(encoding, tokenizer, part, texts, tags).violations.values())
    found = {check: ids for check, ids in certify_tags(encoding, tokenizer, fault(part), texts, tags).violations.items()
             if ids}  # fmt: skip
    assert found and {*found} <= checks and {row for ids in found.values() for row in ids} == rows


def test_a_wrong_tag_inside_a_word_is_caught_where_all_pieces_are_trained() -> None:
    tokenizer = word_pieces()
    encoding = made(tokenizer, pieces="all")
    part, _ = encode.encode_part(encoding, tokenizer, ROWS)
    labels = part.encoded.labels.copy()
    labels[np.flatnonzero(labels == 4)[-1]] = 3
    certificate = certify_tags(
        encoding, tokenizer, planted(part, labels=labels), *(ROWS[name].tolist() for name in ("text", "tags"))
    )
    assert certificate.violations[INSIDE] == ["a"]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.text(st.characters(exclude_characters=" ", exclude_categories=["Cs"]), min_size=1, max_size=9),
            st.sampled_from(["O", "B-per", "I-per", "B-loc"]),
        ),
        min_size=1, max_size=40,
    ),
    st.sampled_from([byte_level(), word_pieces()]), st.sampled_from(["first", "all"]), st.integers(8, 24),
)  # fmt: skip
def test_whatever_the_words_the_certificate_holds_and_all_tags_come_back(
    row: list[tuple[str, str]], tokenizer: TextTokenizer, pieces: str, length: int
) -> None:
    encoding = made(tokenizer, pieces=pieces, max_length=length, overlap=(length - 2) // 2)
    text = " ".join(word for word, _ in row)
    rows = pd.DataFrame({"id": ["x"], "text": [text], "tags": [json.dumps([tag for _, tag in row])]})
    part, dropped = encode.encode_part(encoding, tokenizer, rows)
    assert not len(dropped) and set(part.ids) == {"x"}
    encode.certify_part(encoding, tokenizer, part, rows).require("train")


def test_rows_that_cannot_be_read_are_dropped_with_their_reason() -> None:
    spans = '[{"start": 0, "end": 1, "label": "loc"}, {"start": 1, "end": 2, "label": "loc"}]'
    more = pd.DataFrame({"id": ["x", "y"], "text": ["a b", "ab"], "tags": [broken("overlapping spans"), spans]})
    tokenizer = byte_level()
    part, dropped = encode.encode_part(made(tokenizer), tokenizer, pd.concat([ROWS, more], ignore_index=True))
    assert "x" not in part.ids and dropped.to_dict("list") == {
        "id": ["x", "y"],
        "reason": ["overlapping spans", "two entities within one word"],
    }


def test_types_are_those_of_all_parts_and_none_is_an_error() -> None:
    section = TokenClassificationEncode(kind="token_classification", tokenizer={"kind": "train", "vocab_size": 300})
    tables = {"train": ROWS.head(1), "validation": ROWS.head(0), "test": ROWS.tail(1)}
    encoding, _ = encode.make_encoding(section, tables)
    assert encoding.labels == ("O", "B-loc", "I-loc", "B-per", "I-per") and encoding.tokens
    with pytest.raises(DataError, match=r"no row has an entity; name the tags in download\.columns\.tags"):
        encode.make_encoding(section, {"train": ROWS[1:2]})
    with pytest.raises(ValueError, match="overlap 40 is more than half of a window of 64 tokens"):
        TokenClassificationEncode(
            kind="token_classification", tokenizer={"kind": "train", "vocab_size": 300}, max_length=64, overlap=40
        )


# Scores --------------------------------------------------------------------------------------------------------------

TYPES = ("per", "loc", "x")


def random_tags(draw: np.random.Generator, words: int) -> list[str]:
    """Tags in IOB2 with entities side by side, an I- only behind its own type."""
    tags: list[str] = []
    for _ in range(words):
        choices = ["O", *(f"B-{name}" for name in TYPES)]
        if tags and tags[-1] != "O":
            choices += [f"I-{tags[-1][2:]}"] * 3
        tags.append(str(draw.choice(choices)))
    return tags


def test_scores_are_those_of_nervaluate() -> None:
    evaluator = pytest.importorskip("nervaluate", reason="nervaluate is not installed").Evaluator
    draw = np.random.default_rng(0)
    for _ in range(40):
        lengths = draw.integers(1, 14, size=int(draw.integers(1, 9)))
        true = [random_tags(draw, int(length)) for length in lengths]
        found = [one if draw.random() < 0.3 else random_tags(draw, len(one)) for one in true]
        judged = evaluator(true, found, tags=list(TYPES), loader="list").evaluate()
        sides = [[[Entity(*one) for one in entities_in([(at, at + 1) for at in range(len(tags))], tags)]
                  for tags in side] for side in (true, found)]  # fmt: skip
        scores = {"overall": metrics.count_entities(*sides)}
        scores |= {name: metrics.count_entities(*sides, name) for name in TYPES}
        for name, counts in scores.items():
            right, due, given_ = (int(one.sum()) for one in counts)
            if name != "overall" and name not in judged["entities"]:
                assert due == given_ == 0
                continue
            strict = (judged["overall"] if name == "overall" else judged["entities"][name])["strict"]
            assert (right, due, given_) == (strict.correct, strict.possible, strict.actual), name
            if due and given_:
                assert float(metrics.f1(np.array([right, due, given_], float))) == pytest.approx(strict.f1)


def test_scores_have_intervals_over_sentences_and_types_their_own() -> None:
    true = [[Entity(0, 3, "per"), Entity(4, 8, "loc")], [Entity(0, 2, "loc")], []]
    found = [[Entity(0, 3, "per"), Entity(4, 8, "per")], [Entity(0, 2, "loc")], [Entity(1, 2, "x")]]
    how = Resampling(200, 0.95, 0)
    scores = metrics.score_entities(true, found, how)
    assert scores["entity_precision"] == pytest.approx(2 / 4) and scores["entity_recall"] == pytest.approx(2 / 3)
    assert scores["entity_f1"] == pytest.approx(4 / 7)
    assert scores["entity_f1_interval"][0] < 4 / 7 < scores["entity_f1_interval"][1]
    types = metrics.score_types(true, found, how)
    assert {name: (one["right"], one["true"], one["predicted"]) for name, one in types.items()} == {
        "loc": (1, 2, 1), "per": (1, 1, 2), "x": (0, 0, 1),
    }  # fmt: skip
    assert types["x"]["f1"] == 0 and types["loc"]["f1"] == pytest.approx(2 / 3)


def test_a_paired_test_reads_entities_sentence_by_sentence() -> None:
    text = "Ana in Oslo"
    one, both = [Entity(0, 3, "per")], [Entity(0, 3, "per"), Entity(7, 11, "loc")]
    table = pd.DataFrame({"id": ["a", "b"], "true": [write_entities(text, both)] * 2,
                          "predicted": [write_entities(text, one), write_entities(text, both)]})  # fmt: skip
    assert outcomes.quality(table).tolist() == [-1, 0]
    columns, metric = outcomes.statistics(table, "entity_f1", ()) or ([], None)
    assert metric is not None and float(metric(np.sum(columns, axis=1))) == pytest.approx(2 * 3 / (4 + 3))
    assert outcomes.statistics(table, "accuracy", ()) is None


def test_the_dictionary_takes_the_longest_entity_and_its_commonest_type() -> None:
    texts = ["New York", "New York City", "York", "York", "York"]
    entities = [
        [Entity(0, 8, "loc")],
        [Entity(0, 13, "loc")],
        *([Entity(0, 4, name)] for name in ("per", "loc", "per")),
    ]
    known = learn(
        texts, [Tagged(words_between_spaces(text), found) for text, found in zip(texts, entities, strict=True)]
    )
    text = "in New York City and York , New York"
    found = look_up(known, text, Tagged(words_between_spaces(text), []))
    assert [(text[one.start : one.stop], one.label) for one in found] == [
        ("New York City", "loc"), ("York", "per"), ("New York", "loc"),
    ]  # fmt: skip
    assert look_up({}, text, Tagged(words_between_spaces(text), [])) == []


# Predictions ---------------------------------------------------------------------------------------------------------


class Upper:
    """A stand-in for the net: a word whose first piece is of the letters o and s is the beginning of a place."""

    def __init__(self, begins: set[int]) -> None:
        self.begins = begins

    def __call__(self, inputs: Any) -> Any:
        logits = np.zeros((*inputs["input_ids"].shape, 5))
        logits[..., 0] = 3.0
        logits[..., 1] = 6.0 * np.isin(inputs["input_ids"], sorted(self.begins))
        return (logits,)


def predictor(**options: Any) -> Predictor:
    tokenizer = word_pieces()
    begins = {tokenizer.ids(["oslo"])[0][0]}
    return Predictor(made(tokenizer, **options), tokenizer, Upper(begins))


def test_spans_are_of_the_text_as_it_was_given_whatever_the_tokenizer_makes_of_it() -> None:
    text = "\u200bＯ  OSLO, Ａna\u0301 in\tOslo!  "
    table = predictor().frame([text, "", ["in", "Oslo", "\u200b", "OSLO"]])
    told = [json.loads(one) for one in table["entities"]]
    assert [[text[one["start"] : one["end"]] for one in told[0]], told[1]] == [["OSLO", "Oslo"], []]
    assert [(one["start"], one["end"], one["text"]) for one in told[2]] == [(3, 7, "Oslo"), (10, 14, "OSLO")]
    assert all(one["text"] == text[one["start"] : one["end"]] and one["label"] == "loc" for one in told[0])
    assert table["probability"][1] == 1.0 and 0 < table["probability"][0] < 1


def alike(one: str, other: str) -> bool:
    return difference([one], [other]) < 1e-6


def test_an_entity_has_the_probability_of_its_own_least_sure_tag() -> None:
    begins, outside = (float(np.exp(one) / (np.exp(one) + rest)) for one, rest in ((6.0, np.exp(3.0) + 3), (3.0, 4)))
    (written,), (sure,) = (predictor().frame(["nobody in Oslo"])[name] for name in ("entities", "probability"))
    (entity,) = json.loads(written)
    assert entity["probability"] == pytest.approx(begins, abs=1e-6) and sure == pytest.approx(outside, abs=1e-6)
    found = Found([Entity(0, 4, "loc")], [0.25], 0.1)
    assert json.loads(write_found("Oslo", found)) == [
        {"start": 0, "end": 4, "label": "loc", "text": "Oslo", "probability": 0.25}
    ]


def test_long_texts_are_read_to_their_end_and_batches_change_nothing() -> None:
    model = predictor()
    texts = ["Oslo " * 50 + "and Oslo", "in Oslo", "nothing", "end " * 20 + "Oslo"]
    one, many = model.frame(texts, batch_size=1), model.frame(texts, batch_size=32)
    assert all(map(alike, one["entities"], many["entities"]))
    assert [len(json.loads(found)) for found in one["entities"]] == [51, 1, 0, 1]
    assert model.tag(["Oslo Oslo"]) == [write_entities("Oslo Oslo", [Entity(0, 4, "loc"), Entity(5, 9, "loc")])]


def test_a_registered_model_is_asked_for_rows_as_it_was_trained_on_them() -> None:
    served = SimpleNamespace(unwrap_python_model=lambda: SimpleNamespace(predictor=predictor()))
    rows = pd.DataFrame({"content": ["Oslo-Oslo x", "Oslo ."]})
    table = rescoring_program.tag_texts(served, rows, {"batch_size": 1})
    assert [[one["text"] for one in json.loads(found)] for found in table["entities"]] == [["Oslo-Oslo"], ["Oslo"]]


def test_lists_of_words_in_a_file_are_asked_as_such(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"tokens": ["Oslo", "-", "x"]}\n{"tokens": ["a"]}\n{"tokens": "in Oslo"}\n', encoding="utf-8")
    questions = open_table(path, "tokens")
    given = questions.given(0, 3)
    assert given == [["Oslo", "-", "x"], ["a"], "in Oslo"] and questions.ask(["a", "b"]) == ["a", "b"]
    table = predictor().frame(questions.ask(given)["text"].tolist())
    assert [len(json.loads(found)) for found in table["entities"]] == [1, 0, 1]


def test_rows_are_shown_with_the_tag_of_each_word() -> None:
    tokenizer = word_pieces()
    encoding = made(tokenizer)
    part, _ = encode.encode_part(encoding, tokenizer, ROWS.head(1))
    shown = view_row(encoding, tokenizer, part, 0)
    assert shown.pieces[:3] == ["[CLS]", "ana=B-per", "b=I-per"] and shown.pieces[-1] == "[SEP]"
    assert len(shown.ids) == len(shown.labels) == len(shown.pieces) and not shown.truth


@pytest.mark.parametrize("odd", [None, 5, ["a", 5], [None]])
def test_what_is_neither_text_nor_words_is_refused(odd: Any) -> None:
    with pytest.raises(ValueError, match="each row needs a text or a list of words, got"):
        predictor().frame(["a", odd])


def test_tags_of_words_follow_the_entities_that_they_touch() -> None:
    words = [(0, 3), (4, 9), (9, 10)]
    assert tags_of(words, [Entity(1, 6, "x"), Entity(9, 10, "y")]) == ["B-x", "I-x", "B-y"]
    assert tags_of(words, [Entity(0, 1, "x"), Entity(2, 3, "y")]) is None


def test_entities_are_written_as_json() -> None:
    assert json.loads(write_entities("a“b", [Entity(1, 2, "ü")])) == [{"start": 1, "end": 2, "label": "ü", "text": "“"}]
