"""The -100 mask: row T1 against a plain implementation, its rules one by one, and the certificate on planted faults."""

import random
from collections.abc import Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from plain_t1 import IGNORED, plain_t1
from pydantic import TypeAdapter
from source_rows import load_rows

import tasks.kinds.text_classification.certificate as certificate_module
from configs.encodings import ClassifierEncode, LabelWordEncode
from configs.kinds import Encode
from configs.models import LocalTokenizer, TrainedTokenizer
from configs.sources import ClassFilesSource, EmbeddedSource
from tasks.data.errors import DataError
from tasks.data.ledger import conserve
from tasks.data.rows import with_ids
from tasks.kinds.masked_lm import encode as masked_lm
from tasks.kinds.regression import encode as regression
from tasks.kinds.spec import open_training
from tasks.kinds.text_classification.certificate import certify
from tasks.kinds.text_classification.encode import FRAMES, certify_part, encode_part, make_encoding
from tasks.kinds.text_classification.encoding import LabelWordEncoding, load_encoding
from tasks.kinds.text_classification.report import TextClassifier
from tasks.learn.labels import IGNORE_INDEX
from tasks.text.certificate import NO_TARGET, Certificate, MaskError, RawRows
from tasks.text.collation import pad_rows
from tasks.text.encoding import Encoding
from tasks.text.segments import Encoded, Segment, encode_segments
from tasks.text.tokenizer import TextTokenizer, load_tokenizer
from tasks.text.vocabulary import END, make_tokenizer, read_folder, tokenizer_for

LABELS = ["neg", "pos"]
NOWHERE = LocalTokenizer(kind="files", path="")
Rows = list[tuple[list[int], list[int]]]


def frame(texts: Sequence[str], labels: Sequence[str] | None = None) -> pd.DataFrame:
    names = labels or [LABELS[i % 2] for i in range(len(texts))]
    return with_ids(pd.DataFrame({"text": list(texts), "label": list(names), "split": None}, dtype="str"))


def generative(tokenizer: TextTokenizer, **options: Any) -> Encoding:
    return make_encoding(LabelWordEncode(kind="label_word", tokenizer=NOWHERE, **options), tokenizer, LABELS)


def generated_texts(count: int, seed: int) -> list[str]:
    """Texts that look for trouble: scripts, emoji, '!', the end of text spelt out, white space, long and short."""
    draw = random.Random(seed)
    pieces = ["!", "!!", END, "[SEP]", " ", "  ", "   ", "\n", "\t", " \n ", "\u00a0", "\u200b", "'s", "don't", "0"]
    pieces += [
        "é",
        "e\u0301",
        "Straße",
        "中文",
        "ありがとう",
        "Привет",
        "مرحبا",
        "नमस्ते",
        "😀",
        "👩‍👩‍👧",
        "🏳️‍🌈",
        "\ufffd",
    ]
    pieces += ["good", " good", " bad", ".", ",", "...", "-", "\x1c", "\x85", "\u3000", "\ufeff", "١٢", "Ⅷ"]
    texts = ["", "a", "!", END, END * 3, " ", "good " * 400, "!" * 300, "😀" * 200, "中" * 200]
    while len(texts) < count:
        piece = draw.choice([lambda: draw.choice(pieces), lambda: chr(draw.randrange(0x20, 0xD800)), lambda: " word"])
        texts.append("".join(piece() for _ in range(draw.choice([1, 3, 10, 40]))))
    return texts


def mismatches(encoding: Encoding, tokenizer: TextTokenizer, ids_of: Any, rows: pd.DataFrame) -> int:
    """Rows in which any of input_ids, attention_mask and labels is not the plain implementation's."""
    part, dropped = encode_part(encoding, tokenizer, rows)
    assert part.ids == rows["id"].tolist() and dropped.empty
    found = pad_rows(part.encoded, range(len(part)), encoding.pad_id, encoding.max_length)
    texts, labels = rows["text"].tolist(), rows["label"].tolist()
    wanted = plain_t1(ids_of, texts, labels, encoding.max_length, encoding.special["eos"])
    odd = [(found[n] != np.array(w)).any(1) for n, w in zip(found, wanted, strict=True)]
    assert list(found) == ["input_ids", "attention_mask", "labels"]
    return int(np.any(odd, axis=0).sum())


@pytest.fixture(scope="module")
def reviews() -> pd.DataFrame:
    return with_ids(load_rows(EmbeddedSource(kind="embedded"), Path()))


@pytest.fixture(scope="module")
def learnt(reviews: pd.DataFrame) -> TextTokenizer:
    return make_tokenizer(TrainedTokenizer(kind="train", vocab_size=900), reviews["text"].tolist())


@pytest.fixture
def gpt2(datasets: Path) -> TextTokenizer:
    if not (datasets / "gpt2-tokenizer" / "vocab.json").exists():
        pytest.skip("GPT-2's vocab.json and merges.txt are not on this machine")
    return read_folder(datasets / "gpt2-tokenizer", lowercase=False)


@pytest.fixture
def polarity(datasets: Path) -> pd.DataFrame:
    files = {label: str(datasets / "rt-polarity" / f"rt-polarity.{label}") for label in LABELS}
    if not all(Path(path).exists() for path in files.values()):
        pytest.skip("the sentence-polarity files are not on this machine")
    return with_ids(load_rows(ClassFilesSource(kind="class_files", files=files), Path()))


@pytest.mark.faults
def test_every_polarity_row_is_the_tutorials(polarity: pd.DataFrame, gpt2: TextTokenizer, datasets: Path) -> None:
    from transformers import GPT2Tokenizer

    files = datasets / "gpt2-tokenizer"
    own = GPT2Tokenizer(vocab=str(files / "vocab.json"), merges=str(files / "merges.txt"))
    encoding = generative(gpt2, padding="max_length", pad_token_id=0)
    assert len(polarity) == 10_662
    assert encoding.label_ids == tuple(own(word)["input_ids"][0] for word in LABELS) == (12480, 1930)
    assert (encoding.special, encoding.pad_id) == ({"eos": 50256}, 0)
    assert gpt2.ids(["!"]) == [[0]], "the tutorial's pad id is a real token"
    known: dict[str, list[int]] = {}

    def ids_of(text: str) -> list[int]:
        if text not in known:
            known[text] = own(text)["input_ids"]
        return known[text]

    found = mismatches(encoding, gpt2, ids_of, polarity)
    print("mismatches", found)
    assert found == 0
    part, _ = encode_part(encoding, gpt2, polarity)
    certificate = certify_part(encoding, gpt2, part, polarity).as_dict()
    assert certificate["holds"] and certificate["supervised"] == certificate["rows"] == 10_662
    assert certificate["cut_rows"] == sum(len(known[text]) > 30 for text in polarity["text"])


def test_reviews_and_generated_texts_are_the_plain_ones(reviews: pd.DataFrame, learnt: TextTokenizer) -> None:
    texts = reviews["text"].tolist() + generated_texts(2000, seed=1)
    rows = frame(texts)
    for length, pad in ((32, 0), (5, 0), (32, learnt.special["eos"])):
        encoding = generative(learnt, max_length=length, padding="max_length", pad_token_id=pad)
        if pad == 0:  # as the plain one
            assert mismatches(encoding, learnt, learnt.backend, rows) == 0, length
        part, _ = encode_part(encoding, learnt, rows)
        certify_part(encoding, learnt, part, rows).require("generated")
    assert learnt.special["eos"] not in learnt.ids([END])[0], "a text cannot spell the end of text"


@pytest.mark.parametrize("fault", ["first tokens kept", "attention by id", "eos supervised", "label id 0 on pads"])
def test_the_plain_measure_sees_faults(fault: str, reviews: pd.DataFrame, learnt: TextTokenizer) -> None:
    """The comparison above fails on each of these implementations."""
    encoding = generative(learnt, padding="max_length", pad_token_id=0)
    rows = frame([text + " !" for text in reviews["text"][:200]])
    part, _ = encode_part(encoding, learnt, rows)
    encoded = part.encoded
    if fault == "first tokens kept":
        segments = [encoding.render(t, label) for t, label in zip(rows["text"], rows["label"], strict=True)]
        encoded = encode_segments(segments, learnt.ids, 32, keep="first")
    batch = pad_rows(encoded, range(200), 0, 32)
    if fault == "attention by id":
        batch["attention_mask"] = (batch["input_ids"] != encoding.special["eos"]).astype(np.int64)
    if fault == "eos supervised":
        batch["labels"][np.arange(200), encoded.lengths - 2] = encoding.special["eos"]
    if fault == "label id 0 on pads":
        batch["labels"][batch["attention_mask"] == 0] = 0
    texts, labels = rows["text"].tolist(), rows["label"].tolist()
    wanted = plain_t1(learnt.backend, texts, labels, 32, encoding.special["eos"])
    assert any((batch[n] != np.array(w)).any() for n, w in zip(batch, wanted, strict=True))


TEXT = st.text(max_size=60) | st.lists(st.sampled_from(["!", END, " ", "a", "good", "😀", "中", "\n"])).map("".join)


@settings(
    max_examples=100,
    deadline=None,
    database=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(texts=st.lists(TEXT, min_size=1, max_size=6), length=st.integers(3, 40), shift=st.integers(0, 1))
def test_f12_any_text_any_length(texts: list[str], length: int, shift: int, learnt: TextTokenizer) -> None:
    encoding = generative(learnt, max_length=length, padding="max_length", pad_token_id=0)
    rows = frame(texts, [LABELS[(i + shift) % 2] for i in range(len(texts))])
    assert mismatches(encoding, learnt, learnt.backend, rows) == 0
    part, _ = encode_part(encoding, learnt, rows)
    full = learnt.ids(texts)
    for row, (start, stop) in enumerate(zip(part.encoded.offsets[:-1], part.encoded.offsets[1:], strict=True)):
        ids, labels = part.encoded.ids[start:stop].tolist(), part.encoded.labels[start:stop].tolist()
        assert labels == [IGNORE_INDEX] * (len(ids) - 1) + [encoding.label_ids[part.class_ids[row]]]
        assert ids[-2:] == [encoding.special["eos"], labels[-1]]
        assert len(ids) == min(len(full[row]) + 2, length) == len(full[row]) + 2 - part.encoded.cut[row]
    assert part.encoded.supervised().tolist() == [1] * len(texts)
    certify_part(encoding, learnt, part, rows).require("train")


def test_last_tokens_are_kept_and_the_label_survives(learnt: TextTokenizer) -> None:
    text = "one two three four five six seven eight nine ten " * 50
    for length in (3, 4, 32):
        encoded = generative(learnt, max_length=length).encode(learnt, [text], ["pos"])
        eos, word = learnt.special["eos"], learnt.ids(["pos"])[0][0]
        assert encoded.ids.tolist() == [*learnt.ids([text])[0][2 - length :], eos, word]
        assert encoded.labels.tolist() == [IGNORE_INDEX] * (length - 1) + [word]
        assert encoded.cut.tolist() == [len(learnt.ids([text])[0]) + 2 - length]


def test_a_pad_id_that_is_a_real_token_clobbers_none(learnt: TextTokenizer) -> None:
    bang = learnt.ids(["!"])[0][0]
    encoding = generative(learnt, pad_token_id=bang)
    encoded = encoding.encode(learnt, ["!!!", "a much longer text than that!"], ["neg", "pos"])
    batch = pad_rows(encoded, [0, 1], encoding.pad_id)
    real = int(encoded.lengths[0])
    assert batch["input_ids"][0, 0] == bang and (batch["input_ids"][0, real:] == bang).all()
    assert batch["attention_mask"][0].tolist() == [1] * real + [0] * (batch["input_ids"].shape[1] - real)
    assert (batch["labels"][0, real:] == IGNORE_INDEX).all() and batch["labels"][0, real - 1] == encoding.label_ids[0]


def test_pad_equal_to_eos_keeps_the_real_eos_attended(learnt: TextTokenizer) -> None:
    eos = learnt.special["eos"]
    encoding = generative(learnt, pad_token_id=eos, padding="max_length")
    rows = frame(["short", "a little longer"])
    part, _ = encode_part(encoding, learnt, rows)
    batch = pad_rows(part.encoded, [0, 1], eos, 32)
    assert batch["attention_mask"].sum(1).tolist() == part.encoded.lengths.tolist()
    for row, length in enumerate(part.encoded.lengths):
        assert batch["input_ids"][row, length - 2] == eos and batch["attention_mask"][row, length - 2] == 1
        assert (batch["input_ids"][row, length:] == eos).all() and not batch["attention_mask"][row, length:].any()
    assert certify_part(encoding, learnt, part, rows).as_dict() | {"pad_is_eos": True, "holds": True} == (
        certify_part(encoding, learnt, part, rows).as_dict()
    )


def test_attention_goes_by_length(learnt: TextTokenizer) -> None:
    texts = generated_texts(300, seed=3)
    encoding = generative(learnt)
    encoded = encoding.encode(learnt, texts, ["neg"] * 300)
    order = np.random.default_rng(0).permutation(300)
    for width in (None, 40):
        batch = pad_rows(encoded, order, 0, width)
        columns = np.arange(batch["input_ids"].shape[1])
        assert (batch["attention_mask"] == (columns < encoded.lengths[order][:, None])).all()
        assert batch["input_ids"].shape[1] == (width or encoded.lengths.max())
        assert {array.dtype for array in batch.values()} == {np.dtype(np.int64)}


def test_label_words_that_begin_alike_are_refused(learnt: TextTokenizer) -> None:
    with pytest.raises(DataError, match=r"'! bad' and '! good' begin with the same token"):
        generative(learnt, label_words={"neg": "! bad", "pos": "! good"})
    with pytest.raises(DataError, match="begin with the same token"):
        generative(learnt, label_words={"neg": "!", "pos": "! not at all"})
    encoding = generative(learnt, label_words={"neg": "bad", "pos": "good"})
    assert encoding.label_ids == tuple(ids[0] for ids in learnt.ids(["bad", "good"]))


def test_label_words_that_are_missing_or_empty_are_refused(learnt: TextTokenizer) -> None:
    with pytest.raises(DataError, match="no word for the label 'pos'"):
        generative(learnt, label_words={"neg": "bad"})
    with pytest.raises(DataError, match="the label word '' has no token"):
        generative(learnt, label_words={"neg": "", "pos": "good"})
    with pytest.raises(ValueError, match=r"tuple\.index|not in"):
        encode_part(generative(learnt), learnt, frame(["a"], ["neutral"]))


def test_tokenizers_without_the_special_tokens_are_refused(learnt: TextTokenizer) -> None:
    with pytest.raises(DataError, match="needs a tokenizer with eos token"):
        generative(replace(learnt, special={}))
    with pytest.raises(DataError, match="needs a tokenizer with cls and sep token"):
        make_encoding(ClassifierEncode(kind="classifier", tokenizer=NOWHERE), learnt, LABELS)
    with pytest.raises(DataError, match="pad_token_id 900 is outside the vocabulary"):
        generative(learnt, pad_token_id=learnt.size)
    unpadded = TextTokenizer(learnt.backend, {"eos": learnt.special["eos"]})
    assert generative(unpadded).pad_id == learnt.special["eos"] and generative(learnt).pad_id == learnt.special["pad"]


class BareEncoding(LabelWordEncoding):
    """A renderer without end of text: an empty text leaves the label at position 0, where nothing is trained."""

    def render(self, text: str, label: str | None) -> list[Segment]:
        return [Segment(text), Segment(None, (self.label_ids[self.labels.index(str(label))],), supervised=True)]


def test_rows_without_a_target_are_dropped_and_counted(learnt: TextTokenizer) -> None:
    encoding = BareEncoding(**vars(generative(learnt)))
    rows = frame(["good", "", "bad", "", ""])
    part, dropped = encode_part(encoding, learnt, rows)
    assert part.ids == [rows["id"][0], rows["id"][2]] and part.encoded.supervised().tolist() == [1, 1]
    assert dropped["id"].tolist() == [rows["id"][i] for i in (1, 3, 4)] and set(dropped["reason"]) == {NO_TARGET}
    conserve(rows["id"], part.ids, dropped)
    none, dropped = encode_part(encoding, learnt, frame(["", ""]))
    assert len(none) == 0 and len(dropped) == 2


def test_a_label_at_position_0_is_not_counted() -> None:
    rows = [
        [Segment(None, (7,), True)],
        [Segment(None, (5,)), Segment(None, (7,), True)],
        [Segment(None, (7, 8), True)],
    ]
    encoded = encode_segments([*rows, []], lambda texts: [[1]] * len(texts), 8, keep="last")
    assert encoded.labels.tolist() == [7, IGNORED, 7, 7, 8]
    assert encoded.supervised().tolist() == [0, 1, 1, 0] and encoded.lengths.tolist() == [1, 2, 2, 0]


def test_fixed_ids_and_supervised_texts_are_never_cut() -> None:
    row = [Segment("abcd"), Segment(None, (0,)), Segment("xy", supervised=True), Segment("efgh")]
    spell = lambda texts: [[ord(c) for c in text] for text in texts]  # noqa: E731
    for budget in range(13):
        for keep in ("first", "last"):
            encoded = encode_segments([row, row[:1]], spell, budget, keep=keep)  # type: ignore[arg-type]
            left = "".join(chr(i) if i else "." for i in encoded.ids[: encoded.offsets[1]])
            loose = max(budget - 3, 0)
            kept = ("abcdefgh"[-loose:] if loose else "") if keep == "last" else "abcdefgh"[:loose]
            head = "".join(c for c in kept if c in "abcd")
            assert left == head + ".xy" + kept[len(head) :]
            assert encoded.cut.tolist() == [max(11 - max(budget, 3), 0), max(4 - budget, 0)]


# The certificate on planted faults


def unpack(encoded: Encoded) -> Rows:
    spans = zip(encoded.offsets[:-1], encoded.offsets[1:], strict=True)
    return [(encoded.ids[a:b].tolist(), encoded.labels[a:b].tolist()) for a, b in spans]


def repack(rows: Rows) -> Encoded:
    sizes = [len(ids) for ids, _ in rows]
    ids, labels = (np.array(list(chain.from_iterable(row[i] for row in rows)), np.int32) for i in (0, 1))
    return Encoded(ids, labels, np.concatenate([[0], np.cumsum(sizes)]), np.zeros(len(rows), np.int32))


def planted(fault: str, ids: list[int], labels: list[int], encoding: Encoding) -> tuple[list[int], list[int]]:
    """One row with a fault in it."""
    word = ids[-1]
    other = next((i for i in encoding.label_ids if i != word), 0)
    return {
        "labels shifted by one": lambda: (ids, [*labels[1:], IGNORE_INDEX]),
        "prompt token supervised": lambda: (ids, [labels[0], ids[1], *labels[2:]]),
        "eos supervised": lambda: (ids, [*labels[:-2], ids[-2], labels[-1]]),
        "all masked": lambda: (ids, [IGNORE_INDEX] * len(ids)),
        "other label, both": lambda: ([*ids[:-1], other], [*labels[:-1], other]),
        "other label, target only": lambda: (ids, [*labels[:-1], other]),
        "eos missing": lambda: (ids[:-2] + ids[-1:], labels[:-2] + labels[-1:]),
        "text lost": lambda: (ids[-2:], labels[-2:]),
        "text cut without need": lambda: (ids[1:], labels[1:]),
        "token labelled": lambda: (ids, [*labels[:-1], ids[-1]]),
        "first token lost": lambda: (ids[1:], labels[1:]),
        "last token lost": lambda: (ids[:-1], labels[:-1]),
        "middle lost": lambda: (ids[:1] + ids[-1:], labels[:1] + labels[-1:]),
    }[fault]()


def refuse(result: Certificate, check: str, ids: list[str]) -> None:
    """The check names exactly these rows; the run would stop, naming check and rows."""
    assert result.violations[check] == ids and not result.as_dict()["holds"]
    with pytest.raises(MaskError, match=r"train: \d rows break the mask check"):
        result.require("train")
    result.violations = {check: result.violations[check]}
    with pytest.raises(MaskError) as stopped:
        result.require("train")
    assert check in str(stopped.value) and all(repr(row) in str(stopped.value) for row in ids)


GENERATIVE = [
    ("labels shifted by one", "the label is not the last token"),
    ("labels shifted by one", "label ids differ from input ids"),
    ("prompt token supervised", "more than the label is supervised"),
    ("eos supervised", "more than the label is supervised"),
    ("all masked", "no supervised token"),
    ("other label, both", "the supervised token is not the row's label"),
    ("other label, target only", "label ids differ from input ids"),
    ("eos missing", "end of text is missing before the label"),
    ("text lost", "the given text is not the row's"),
    ("text cut without need", "the given text is not the row's"),
]


@pytest.mark.parametrize(("fault", "check"), GENERATIVE)
def test_the_certificate_catches(fault: str, check: str, learnt: TextTokenizer, reviews: pd.DataFrame) -> None:
    encoding = generative(learnt, max_length=200)
    rows = reviews.head(8).reset_index(drop=True)
    part, _ = encode_part(encoding, learnt, rows)
    certify_part(encoding, learnt, part, rows).require("train")
    broken = unpack(part.encoded)
    for row in (1, 4):
        broken[row] = planted(fault, *broken[row], encoding)
    result = certify_part(encoding, learnt, replace(part, encoded=repack(broken)), rows)
    refuse(result, check, [rows["id"][1], rows["id"][4]])


def test_the_certificate_catches_swapped_texts(learnt: TextTokenizer, reviews: pd.DataFrame) -> None:
    rows = reviews[reviews["label"] == "pos"].head(6).reset_index(drop=True)
    for length in (200, 10):
        encoding = generative(learnt, max_length=length)
        part, _ = encode_part(encoding, learnt, rows)
        swapped = unpack(part.encoded)
        swapped[0], swapped[3] = swapped[3], swapped[0]
        result = certify_part(encoding, learnt, replace(part, encoded=repack(swapped)), rows)
        refuse(result, "the given text is not the row's", [rows["id"][0], rows["id"][3]])


@pytest.mark.parametrize("check", ["attention is not the row's length", "end of text is not attended"])
def test_the_certificate_catches_attention_by_pad_id(
    check: str, learnt: TextTokenizer, reviews: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The fault of many collators: pad == eos, and whatever looks like a pad is masked, the real end too."""

    def by_id(encoded: Encoded, rows: Sequence[int], pad_id: int, width: int | None = None) -> dict[str, Any]:
        batch = pad_rows(encoded, rows, pad_id, width)
        return {**batch, "attention_mask": (batch["input_ids"] != pad_id).astype(np.int64)}

    encoding = generative(learnt, pad_token_id=learnt.special["eos"])
    rows = reviews.head(5)
    part, _ = encode_part(encoding, learnt, rows)
    certify_part(encoding, learnt, part, rows).require("train")
    monkeypatch.setattr(certificate_module, "pad_rows", by_id)
    refuse(certify_part(encoding, learnt, part, rows), check, rows["id"].tolist())


CLASSIFIER = [
    ("token labelled", "a token carries a label"),
    ("first token lost", "the first token is not the class token"),
    ("last token lost", "the last token is not the separator"),
    ("middle lost", "the given text is not the row's"),
]


@pytest.fixture
def pieces(tmp_path: Path, reviews: pd.DataFrame) -> TextTokenizer:
    """A small WordPiece of the reviews' own characters and words."""
    words = sorted({word.strip(".,!?") for text in reviews["text"][:200] for word in text.lower().split()} - {""})
    letters = sorted({c for word in words for c in word})
    listed = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *letters, *(f"##{c}" for c in letters), "!", ".", ","]
    (tmp_path / "vocab.txt").write_text("\n".join(dict.fromkeys(listed + words)), encoding="utf-8")
    return read_folder(tmp_path, lowercase=True)


def classifier(tokenizer: TextTokenizer, length: int) -> Encoding:
    section = ClassifierEncode(kind="classifier", tokenizer=NOWHERE, max_length=length)
    return make_encoding(section, tokenizer, LABELS)


@pytest.mark.parametrize(("fault", "check"), CLASSIFIER)
def test_the_classifiers_certificate_catches(
    fault: str, check: str, pieces: TextTokenizer, reviews: pd.DataFrame
) -> None:
    encoding = classifier(pieces, 200)
    rows = reviews.head(5)
    part, _ = encode_part(encoding, pieces, rows)
    certify_part(encoding, pieces, part, rows).require("train")
    broken = unpack(part.encoded)
    broken[2] = planted(fault, *broken[2], encoding)
    result = certify_part(encoding, pieces, replace(part, encoded=repack(broken)), rows)
    refuse(result, check, [rows["id"][2]])
    unknown = certify(encoding, pieces, part, RawRows(rows["text"].tolist(), ["neutral"] * 5))
    refuse(unknown, "the label is unknown", rows["id"].tolist())


@pytest.mark.parametrize("which", ["small", "bert"])
def test_classifier_rows_are_cls_text_sep(which: str, request: pytest.FixtureRequest, reviews: pd.DataFrame) -> None:
    from transformers import BertTokenizer

    if which == "bert":
        folder = request.getfixturevalue("datasets") / "bert-base-uncased-vocab"
        if not folder.is_dir():
            pytest.skip("BERT's vocab.txt is not on this machine")
        tokenizer, length = read_folder(folder, lowercase=True), 24
    else:
        tokenizer, length = request.getfixturevalue("pieces"), 24
        folder = request.getfixturevalue("tmp_path")
    own = BertTokenizer(vocab=str(folder / "vocab.txt"))
    texts = reviews["text"].tolist() + [t for t in generated_texts(1000, seed=4) if "[SEP]" not in t]
    encoding, rows = classifier(tokenizer, length), frame(texts)
    part, dropped = encode_part(encoding, tokenizer, rows)
    assert dropped.empty and (part.encoded.cut > 0).sum() > 50
    for text, (ids, labels) in zip(texts, unpack(part.encoded), strict=True):
        assert ids == own(text, truncation=True, max_length=length)["input_ids"], text
        assert (ids[0], ids[-1]) == (encoding.special["cls"], encoding.special["sep"]) and set(labels) == {IGNORED}
    certify_part(encoding, tokenizer, part, rows).require("train")
    assert [LABELS[i] for i in part.class_ids] == rows["label"].tolist()


@pytest.mark.parametrize("kind", ["label_word", "classifier"])
def test_f15_training_and_inference_build_the_same_prompt(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path, reviews: pd.DataFrame
) -> None:
    """1,000 records: what training saw before the label is what a reloaded model is given, one text at a time."""
    tokenizer = request.getfixturevalue("learnt" if kind == "label_word" else "pieces")
    encoding = generative(tokenizer) if kind == "label_word" else classifier(tokenizer, 32)
    texts = (reviews["text"].tolist() + generated_texts(1000, seed=5))[:1000]
    part, _ = encode_part(encoding, tokenizer, frame(texts))
    tail = 1 if kind == "label_word" else 0
    trained = [ids[: len(ids) - tail] for ids, _ in unpack(part.encoded)]
    (saved := tmp_path / "model").mkdir()
    tokenizer.save(saved)
    encoding.save(saved)
    served, again = load_encoding(saved / "encoding.json"), load_tokenizer(saved, encoding.special)
    assert served == encoding
    single = [served.encode(again, [text]) for text in texts]
    assert sum(one.ids.tolist() != ids for one, ids in zip(single, trained, strict=True)) == 0
    together = served.encode(again, texts)
    assert [ids for ids, _ in unpack(together)] == trained and (together.labels == IGNORED).all()
    lengths = [len(ids) for ids in trained]
    assert max(lengths) == 32 - tail and all(ids[-1] == list(encoding.special.values())[-1] for ids in trained)
    careless = encode_segments(
        [encoding.render(t, None) for t in texts], tokenizer.ids, 32, keep="last" if tail else "first"
    )
    assert tail == 0 or [ids for ids, _ in unpack(careless)] != trained, "the label's place must be left free"


FRAME_OF = {"classifier": FRAMES["classifier"], "regression": regression.FRAME, "masked": masked_lm.FRAME}


@pytest.mark.parametrize("kind", FRAME_OF)
def test_a_learnt_tokenizer_has_the_tokens_that_frame_its_rows(kind: str) -> None:
    """Nothing but the encode stage found out that they were lacking."""
    section = TypeAdapter(Encode).validate_python({"kind": kind, "tokenizer": {"kind": "train", "vocab_size": 400}})
    found = tokenizer_for(section, ["good", "bad"], FRAME_OF[kind]).special
    assert {"cls", "sep", "pad"} | ({"mask"} if kind == "masked" else set()) <= set(found)
    assert len(set(found.values())) == len(found)
    generative = TypeAdapter(Encode).validate_python({"kind": "label_word", "tokenizer": {"kind": "train"}})
    assert set(tokenizer_for(generative, ["good", "bad"], FRAMES["label_word"]).special) == {"eos", "pad"}


@pytest.mark.parametrize("kind", ["label_word", "classifier"])
def test_other_tokens_at_inference_are_seen_though_there_are_as_many(
    kind: str, reviews: pd.DataFrame, tmp_path: Path
) -> None:
    texts = ["A good film.", "No film.", "Bad."]
    section = TypeAdapter(Encode).validate_python({"kind": kind, "tokenizer": {"kind": "train", "vocab_size": 400}})
    tokenizer = tokenizer_for(section, reviews["text"].tolist(), FRAMES[kind])
    encoding = make_encoding(section, tokenizer, LABELS)
    encoding.save(tmp_path)
    tokenizer.save(tmp_path)
    part, _ = encode_part(encoding, tokenizer, frame(texts))
    domain = open_training(tmp_path)
    assert not len(TextClassifier(domain).odd_inputs(texts, part))
    ids = part.encoded.ids.copy()
    ids[part.encoded.offsets[1]] += 1
    assert TextClassifier(domain).odd_inputs(texts, replace(part, encoded=replace(part.encoded, ids=ids))).tolist() == [
        1
    ]
