"""Pairs of texts: the tokenizer's own encoding, certified; copies and leakage by the pair; named errors of one side."""

import random
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.stats import pearsonr
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import AutoModelForSequenceClassification, BertTokenizerFast

from configs.cleaning import Contradictions, Duplicates, Missing
from configs.encodings import ClassifierEncode, RegressionEncode
from configs.expectations import Validate
from configs.load import RecipeError, load_recipe
from configs.models import LocalTokenizer, NewModel, TrainedTokenizer
from configs.sources import Columns
from configs.splitting import HashSplit
from tasks.autodetect.table import pair_of
from tasks.data.checks.expectations import check_rows
from tasks.data.cleaning.duplicates import contradictions, duplicates
from tasks.data.cleaning.pipeline import missing
from tasks.data.errors import DataError
from tasks.data.leakage import near_copies, shared_sides
from tasks.data.pairs import contents, distinct, every_text
from tasks.data.rows import with_ids
from tasks.data.sources.columns import take_columns
from tasks.kinds.order_symmetry import class_symmetry, describe_symmetry, number_symmetry, swap
from tasks.kinds.regression import encode as regression_rows
from tasks.kinds.regression.metrics import moments, pearson, score_numbers
from tasks.kinds.text_classification import encode as classes
from tasks.kinds.text_classification.training import FORMS
from tasks.learn.resampling import Resampling
from tasks.text.baselines import tfidf, tfidf_features, tfidf_ridge
from tasks.text.encoding import FILE, Encoding, read_encoding
from tasks.text.feed import collate_rows
from tasks.text.models import build_model
from tasks.text.pairs import NO_ROOM, ONE_SIDED, Truncation, pair_form
from tasks.text.parts import Part, read_part, write_part
from tasks.text.segments import Encoded
from tasks.text.served_inputs import require_contents
from tasks.text.tokenizer import TextTokenizer, plain_tokenizer
from tasks.text.vocabulary import make_tokenizer

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "b", "the", "cat", "dog", "sat", "ran", "##s", "on", "mat"]
HOW = Resampling(200)
Made = tuple[Encoding, TextTokenizer, Part]


def pairs(rows: int = 60, seed: int = 0) -> pd.DataFrame:
    """Pairs of all lengths, labelled by whether their first words are the same."""
    draw = random.Random(seed)
    texts = [[" ".join(draw.choices(WORDS[5:], k=draw.randrange(1, 14))) for _ in range(2)] for _ in range(rows)]
    labels = ["same" if a.split()[0] == b.split()[0] else "other" for a, b in texts]
    return frame(texts, labels)


def frame(texts: list[list[Any]], labels: list[str]) -> pd.DataFrame:
    first, second = zip(*texts, strict=True)
    columns = {"text": first, "text_pair": second, "label": labels, "split": None}
    return with_ids(pd.DataFrame(columns).astype({"text": "str", "text_pair": "str", "label": "str", "split": "str"}))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("vocab")
    (found / "vocab.txt").write_text("\n".join(WORDS), encoding="utf-8")
    return found


def made(folder: Path, rows: pd.DataFrame, **options: Any) -> Made:
    section = ClassifierEncode(kind="classifier", tokenizer=LocalTokenizer(kind="files", path=str(folder)), **options)
    tokenizer = make_tokenizer(section.tokenizer, [])
    encoding = classes.make_encoding(section, tokenizer, ["other", "same"], pairs=True)
    return encoding, tokenizer, classes.encode_part(encoding, tokenizer, rows)[0]


@pytest.mark.parametrize("truncation", ["longest_first", "second_only"])
@pytest.mark.parametrize("longest", [10, 11, 18, 64])
def test_every_pair_is_encoded_as_the_models_own_tokenizer_does(
    folder: Path, truncation: Truncation, longest: int
) -> None:
    """transformers' tokenizer is the oracle: ids, separators, token types, and what truncation leaves."""
    rows = pairs(120, longest)
    encoding, tokenizer, part = made(folder, rows, max_length=longest, truncation=truncation)
    own = BertTokenizerFast(vocab=str(folder / "vocab.txt"))
    strategy = "longest_first" if truncation == "longest_first" else "only_second"
    known = rows.set_index("id").loc[part.ids]
    due = own(known["text"].tolist(), known["text_pair"].tolist(), truncation=strategy, max_length=longest)
    assert part.encoded.types is not None
    bounds = part.encoded.offsets
    for row, (ids, types) in enumerate(zip(due["input_ids"], due["token_type_ids"], strict=True)):
        assert part.encoded.ids[bounds[row] : bounds[row + 1]].tolist() == ids
        assert part.encoded.types[bounds[row] : bounds[row + 1]].tolist() == types
    certificate = classes.certify_part(encoding, tokenizer, part, rows)
    assert certificate.as_dict()["holds"] and certificate.rows == len(part)
    assert (certificate.cut_rows > 0) == (longest < 64)
    assert (len(part) < len(rows)) == (truncation == "second_only" and longest < 64)


def test_separators_and_types_are_those_of_the_tokenizer_not_berts() -> None:
    vocabulary = {word: number for number, word in enumerate(["<s>", "</s>", "<unk>", "a", "b", "c"])}
    backend = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    backend.pre_tokenizer = pre_tokenizers.Whitespace()
    backend.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> </s> $B </s>", special_tokens=[("<s>", 0), ("</s>", 1)]
    )
    tokenizer = plain_tokenizer(backend, {"cls": 0, "sep": 1})
    form = pair_form(tokenizer, "longest_first")
    assert (form.before, form.between, form.after, set(form.types)) == ((0,), (1, 1), (1,), {0})
    encoding = Encoding("classifier", ("x",), (), {"cls": 0, "sep": 1}, 8, "longest", 1, pair=form)
    assert encoding.encode(tokenizer, [{"text": "a b", "text_pair": "c"}]).ids.tolist() == [0, 3, 4, 1, 1, 5, 1]


def test_a_tokenizer_that_is_learnt_lays_pairs_out_as_bert_does(tmp_path: Path) -> None:
    rows = pairs()
    section = RegressionEncode(kind="regression", tokenizer=TrainedTokenizer(kind="train", vocab_size=300))
    encoding, tokenizer = regression_rows.make_encoding(section, rows.assign(target=[str(n) for n in range(60)]))
    assert encoding.pair is not None and encoding.pair.types == (0, 0, 0, 1, 1)
    encoding.save(tmp_path)
    assert read_encoding(tmp_path / FILE, type(encoding)) == encoding
    tokenizer.save(tmp_path)
    own = Tokenizer.from_file(str(tmp_path / "tokenizer.json")).encode("a cat", "the dog")
    assert own.ids == encoding.encode(tokenizer, [{"text": "a cat", "text_pair": "the dog"}]).ids.tolist()
    assert set(every_text(rows)) == {*rows["text"], *rows["text_pair"]}


def test_a_pair_with_one_side_empty_or_cut_away_is_a_counted_reason(folder: Path) -> None:
    rows = frame([["a cat", "the dog"], ["a", "\u200b"], ["a " * 20, "b"], ["\u200b", "b"]], ["same"] * 4)
    encoding, tokenizer, _ = made(folder, rows.head(1), max_length=12, truncation="second_only")
    part, dropped = classes.encode_part(encoding, tokenizer, rows)
    assert part.ids == rows["id"][:1].tolist()
    assert dict(zip(dropped["id"], dropped["reason"], strict=True)) == {
        rows["id"][1]: ONE_SIDED, rows["id"][3]: ONE_SIDED, rows["id"][2]: NO_ROOM,
    }  # fmt: skip
    with pytest.raises(ValueError, match="row 0: no room for the second text of the pair"):
        encoding.encode(tokenizer, contents(rows[2:3]))
    numbers = rows.assign(target="1").head(2)
    both = regression_rows.encode_part(
        replace(regression(folder, pairs()), max_length=12), tokenizer, numbers.assign(target=["2", "2"])
    )
    assert both[1]["reason"].tolist() == [ONE_SIDED]


def regression(folder: Path, rows: pd.DataFrame) -> Any:
    section = RegressionEncode(kind="regression", tokenizer=LocalTokenizer(kind="files", path=str(folder)))
    return regression_rows.make_encoding(section, rows.assign(target=[str(n) for n in range(len(rows))]))[0]


def planted(part: Part, name: str) -> Part:
    """The part with one row spoilt."""
    ids, offsets, types = part.encoded.ids.copy(), part.encoded.offsets, part.encoded.types
    assert types is not None
    types, start, stop = types.copy(), offsets[3], offsets[4]
    middle = start + int(np.flatnonzero(ids[start:stop] == 3)[0])
    if name == "types":
        types[start:stop] = 0
    elif name == "order":
        first, second = ids[start + 1 : middle].copy(), ids[middle + 1 : stop - 1].copy()
        ids[start + 1 : stop - 1] = [*second, 3, *first]
    elif name == "separator":
        ids[middle] = 7
    else:
        keep = np.r_[0:middle, stop - 1 : len(ids)]
        ids, types = ids[keep], types[keep]
        offsets = offsets - np.where(np.arange(len(offsets)) > 3, stop - 1 - middle, 0)
    encoded = Encoded(ids, np.full(len(ids), -100, np.int32), offsets, part.encoded.cut, types)
    return Part(part.ids, part.class_ids, encoded)


@pytest.mark.parametrize(
    ("name", "check"),
    [
        ("types", "the token types are not the tokenizer's own"),
        ("order", "the tokens are not the tokenizer's own of the pair"),
        ("separator", "the tokens are not the tokenizer's own of the pair"),
        ("side", "the row is not as long as the tokenizer's own encoding of its pair"),
    ],
)
def test_the_certificate_sees_planted_faults(folder: Path, name: str, check: str) -> None:
    rows = pairs()
    encoding, tokenizer, part = made(folder, rows, max_length=64)
    broken = classes.certify_part(encoding, tokenizer, planted(part, name), rows)
    assert broken.violations[check] == [part.ids[3]]
    assert classes.certify_part(encoding, tokenizer, part, rows).as_dict()["holds"]


def test_the_certificate_sees_a_side_without_tokens(folder: Path) -> None:
    rows = frame([["a cat", "the dog"]] * 2, ["same"] * 2)
    encoding, tokenizer, part = made(folder, rows, max_length=64)
    odd = classes.certify_part(encoding, tokenizer, part, rows.assign(text_pair=["the dog", "\u200b"]))
    assert odd.violations["a text of the pair has no token"] == [rows["id"][1]]


def test_a_model_is_given_the_token_types(folder: Path, tmp_path: Path) -> None:
    encoding, tokenizer, part = made(folder, pairs(), max_length=64)
    write_part(part, tmp_path / "part")
    read = read_part(tmp_path / "part")
    assert read.encoded.types is not None and (read.encoded.types == part.encoded.types).all()
    small = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 24}
    model = build_model(NewModel(kind="new", family="bert", config=small), FORMS["classifier"], encoding, tokenizer, 0)
    batch = collate_rows(encoding)([(read, row) for row in range(8)])
    assert set(batch) == {"input_ids", "attention_mask", "labels", "token_type_ids"}
    labels = torch.zeros(8, dtype=torch.int64)
    logits = model.eval()(**batch | {"labels": labels}).logits
    model.save_pretrained(tmp_path)
    plain = AutoModelForSequenceClassification.from_pretrained(tmp_path).eval()
    due = plain(**{name: value for name, value in batch.items() if name != "labels"}).logits
    assert torch.allclose(logits, due, atol=1e-6)
    del batch["token_type_ids"]
    assert not torch.allclose(model(**batch | {"labels": labels}).logits, due, atol=1e-6)
    one = NewModel(kind="new", family="bert", config={**small, "type_vocab_size": 1})
    with pytest.raises(DataError, match=r"token type 1, but train\.model knows 1 .*type_vocab_size: 2"):
        build_model(one, FORMS["classifier"], encoding, tokenizer, 0)


def test_rows_are_the_same_by_both_texts() -> None:
    rows = frame([["p", "x"], ["p", "y"], ["p", "x"], ["p", None], [None, "p"], ["p", "x"]],
                 ["1", "1", "1", "1", "1", "2"])  # fmt: skip
    assert rows["id"].nunique() == 6 and [one[-1] for one in rows["id"]] == ["0", "0", "1", "0", "0", "0"]
    gone = duplicates(rows, Duplicates(kind="duplicates")).reasons
    assert gone.notna().tolist() == [False, False, True, False, False, False]
    told = contradictions(rows, Contradictions(kind="contradictions")).reasons
    assert told.notna().tolist() == [True, False, True, False, False, True]
    reasons = missing(rows, Missing(kind="missing")).reasons
    assert reasons.dropna().tolist() == ["missing text_pair", "missing text"]
    assert distinct(frame([['a", "b', "c"], ["a", 'b", "c']], ["1", "1"]), "text").nunique() == 2


def test_a_premise_of_several_pairs_is_no_repetition_and_either_text_is_checked() -> None:
    rows = frame([["the premise", f"hypothesis {n}"] for n in range(20)], ["x", "y"] * 10)
    section = Validate(min_rows=1, max_missing=0.0, max_duplicates=0.0, max_chars=40)
    odd = rows.assign(text_pair=rows["text_pair"].where(rows.index > 0, " ").where(rows.index != 1, "x" * 50))
    broken = {verdict.name for verdict in check_rows(odd, section)[0] if not verdict.success}
    assert broken == {
        "no text_pair is missing",
        "each text_pair has from 1 to 40 characters",
    }
    twice = pd.concat([rows, rows.head(1).assign(id="again")], ignore_index=True)
    assert [v.name for v in check_rows(twice, section)[0] if not v.success] == [
        "the share of different values in both texts is at least 1.0"
    ]


def test_copies_are_judged_on_the_pair_and_reported_for_either_side() -> None:
    draw = random.Random(1)
    text = [" ".join("".join(draw.choices("abcdefghij", k=6)) for _ in range(8)) for _ in range(9)]
    rows = frame([[text[0], text[1]], [text[0], text[1] + "."], [text[0], text[2]], [text[3], text[0]],
                  [text[4], text[5]]], list("xyxyx"))  # fmt: skip
    parts = pd.Series(["test", "train", "train", "validation", "train"])
    copies = near_copies(rows, parts, HashSplit())
    assert copies["id"].tolist() == [rows["id"][1]]
    stay = rows.index != 1
    shared = shared_sides(rows[stay], parts[stay], HashSplit())
    told = {tuple(one) for one in shared[["id", "side", "other", "other_side", "part"]].to_numpy().tolist()}
    assert told == {
        (rows["id"][2], "text", rows["id"][0], "text", "train"),
        (rows["id"][3], "text_pair", rows["id"][0], "text", "validation"),
    }
    none = shared_sides(rows, parts, HashSplit(near_copies="keep"))
    assert none.empty and {"side", "other_side"} <= {*none}


def test_pearson_is_scipys_and_its_interval_covers_it() -> None:
    draw = np.random.default_rng(0)
    for size, offset in ((3, 0.0), (50, 1e6), (500, -3.0)):
        truth = draw.normal(size=size) + offset
        found = truth + draw.normal(size=size)
        scores = score_numbers(truth, found, HOW)
        assert scores["pearson"] == pytest.approx(pearsonr(truth, found).statistic, abs=1e-7)
        low, high = scores["pearson_interval"]
        assert -1 <= low <= scores["pearson"] <= high <= 1 + 1e-9
    assert score_numbers(truth, np.ones(500), HOW)["pearson"] is None
    counts = np.bincount(draw.integers(0, 500, 500), minlength=500)
    again = pearsonr(np.repeat(truth, counts), np.repeat(found, counts)).statistic
    assert pearson(counts @ np.stack(moments(truth, found), axis=-1)) == pytest.approx(again)


def test_the_baselines_see_what_the_two_texts_share() -> None:
    rows = pairs(200, 3)
    features = tfidf_features(contents(rows), contents(rows[:2]))
    assert features is not None
    cosine = features[0][:, -1].toarray().ravel()
    assert cosine.min() >= 0 and cosine.max() <= 1 + 1e-9
    truth = np.array([len({*a.split()} & {*b.split()}) for a, b in zip(rows["text"], rows["text_pair"], strict=True)])
    found = tfidf_ridge(contents(rows[:150]), truth[:150].astype(float), contents(rows[150:]))
    assert np.mean((found - truth[150:]) ** 2) < 0.7 * np.var(truth[150:])
    assert len(tfidf(contents(rows[:150]), truth[:150], contents(rows[150:]))) == 50


def test_the_order_of_texts_is_reported() -> None:
    assert swap([{"text": "a", "text_pair": "b"}]) == [{"text": "b", "text_pair": "a"}]
    told = number_symmetry(np.array([1.0, 2.0, 3.0]), np.array([1.0, 2.5, 4.0]), HOW)
    assert (told["mean_difference"], told["largest_difference"]) == (0.5, 1.0)
    one, other = np.array([[0.9, 0.1], [0.6, 0.4]]), np.array([[0.8, 0.2], [0.2, 0.8]])
    facts = {"order_symmetry": class_symmetry(one, other, HOW)}
    assert facts["order_symmetry"]["same_label"] == 0.5
    assert facts["order_symmetry"]["mean_difference"] == pytest.approx(0.25)
    assert "the same label in 0.5000 of the rows" in describe_symmetry(facts)[0] and describe_symmetry({}) == []


@pytest.mark.parametrize(
    "odd", ["a text", {"text": "a"}, {"text": "a", "text_pair": " "}, {"text": 1, "text_pair": "b"}]
)
def test_what_is_no_pair_is_refused_by_name(odd: Any) -> None:
    require_contents([{"text": "a", "text_pair": "b"}], pairs=True)
    with pytest.raises(ValueError, match="each row needs two texts, `text` and `text_pair`, got"):
        require_contents([odd], pairs=True)
    with pytest.raises(ValueError, match=r"each row needs a text, got \{'text'"):
        require_contents([{"text": "a", "text_pair": "b"}], pairs=False)


def test_columns_of_pairs_are_named_and_found() -> None:
    table = pd.DataFrame({"Sentence 1": ["a cat", "b"], "sentence_2": ["c", "d dog"], "label": ["x", "y"]})
    rows = take_columns(table, Columns(text="Sentence 1", text_pair="sentence_2"), "here")
    assert rows["text_pair"].tolist() == ["c", "d dog"]
    with pytest.raises(DataError, match=r"no column 'nope' for `columns\.text_pair`"):
        take_columns(table, Columns(text="Sentence 1", text_pair="nope"), "here")
    assert pair_of(table) == ("Sentence 1", "sentence_2") and pair_of(table, "sentence_2") is None
    assert pair_of(table.rename(columns={"Sentence 1": "other"})) is None
    assert pair_of(table.assign(sentence_2=[1, 2])) is None
    for names, message in ((("a", "a"), "both 'a'"), (("a", None), "")):
        text, pair = names
        if message:
            with pytest.raises(ValueError, match=message):
                Columns(text=text, text_pair=pair)


RECIPE = """
name: paired
download: {kind: file, path: rows.csv, columns: {text_pair: text_pair}}
encode: {kind: KIND, tokenizer: {kind: train, vocab_size: 300}}
train:
  model: {kind: new, family: bert, config: {hidden_size: 16}}
  learning_rate: 1e-2
register: {model: paired}
"""
Kind = Literal["classifier", "label_word"]


@pytest.mark.parametrize(
    ("kind", "changes", "message"),
    [
        ("label_word", [], "reads one text, but download.columns.text_pair names a second; .* classifier, regression"),
        ("classifier", ["download.columns.text_pair=null", "encode.truncation=second_only"],
         r"encode\.truncation is not read without download\.columns\.text_pair"),
        ("classifier", ["download.columns.text_pair=null", "evaluate.order_symmetry=true"],
         r"evaluate\.order_symmetry is not read without download\.columns\.text_pair"),
    ],
)  # fmt: skip
def test_what_only_pairs_read_is_refused_elsewhere(
    tmp_path: Path, kind: Kind, changes: list[str], message: str
) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_text(RECIPE.replace("KIND", kind), encoding="utf-8")
    with pytest.raises(RecipeError, match=message):
        load_recipe(path, changes)
    path.write_text(RECIPE.replace("KIND", "classifier"), encoding="utf-8")
    assert load_recipe(path, ["encode.truncation=second_only", "evaluate.order_symmetry=true"])
