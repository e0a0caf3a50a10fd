"""Several labels: encoding and its certificate, loss, thresholds, scores, baselines, predictions."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from configs.label_encodings import MultiLabelEncode
from configs.load import RecipeError, load_recipe
from configs.models import NewModel
from configs.training import Train
from tasks.data.errors import DataError
from tasks.data.label_sets import write_set
from tasks.kinds.multi_label import encode, metrics, outcomes
from tasks.kinds.multi_label.baselines import one_versus_rest, predict_by
from tasks.kinds.multi_label.certificate import LABELS, VALUES, certify_labels
from tasks.kinds.multi_label.encoding import LabelSetEncoding
from tasks.kinds.multi_label.feed import collate_labels, pad_labels
from tasks.kinds.multi_label.forward import SigmoidLoss
from tasks.kinds.multi_label.predictor import Predictor
from tasks.kinds.multi_label.thresholds import best_threshold, choose_thresholds
from tasks.kinds.multi_label.training import MultiLabel, begin_at_shares, positive_weights
from tasks.kinds.outcomes import outcomes as paired
from tasks.learn.resampling import Resampling, estimate, estimate_each
from tasks.text.certificate import RawRows
from tasks.text.parts import Part, read_part, write_part
from tasks.text.token_view import view_row
from tasks.text.tokenizer import TextTokenizer, plain_tokenizer
from tasks.text.vocabulary import learn_bpe

LABELS_OF = ("anger", "joy", "love")
ROWS = pd.DataFrame(
    {
        "id": ["a", "b", "c", "d"],
        "text": ["so happy to see you", "what a day", "I hate and I love it", "it rains " * 20],
        "labels": [write_set(one) for one in (["joy", "love"], [], ["anger", "love"], ["anger"])],
    }
)
HOW = Resampling(200, 0.95, 0)


def tokenizer() -> TextTokenizer:
    learnt = learn_bpe(ROWS["text"].tolist(), 300, encode.FRAME)
    return plain_tokenizer(learnt, {"cls": learnt.token_to_id("[CLS]"), "sep": learnt.token_to_id("[SEP]")})


TOKENIZER = tokenizer()


def encoding(**options: Any) -> LabelSetEncoding:
    asked = {"max_length": 16, "tokenizer": {"kind": "train", "vocab_size": 300}, **options}
    return encode.make_encoding(MultiLabelEncode(kind="multi_label", **asked), TOKENIZER, [*LABELS_OF])


def encoded(**options: Any) -> tuple[LabelSetEncoding, Part]:
    form = encoding(**options)
    part, dropped = encode.encode_part(form, TOKENIZER, ROWS)
    assert not len(dropped)
    return form, part


# Encoding and its certificate ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("padding", ["longest", "max_length"])
def test_rows_are_encoded_certified_and_read_back(padding: str, tmp_path: Path) -> None:
    form, part = encoded(padding=padding)
    assert part.sets == ((1, 2), (), (0, 2), (0,))
    encode.certify_part(form, TOKENIZER, part, ROWS).require("train")
    write_part(part, tmp_path / "train.parquet")
    again = read_part(tmp_path / "train.parquet")
    assert again.sets == part.sets and (again.encoded.ids == part.encoded.ids).all()
    batch = collate_labels(form)([(again, row) for row in range(4)])
    assert batch["labels"].dtype == torch.float32
    assert batch["labels"].tolist() == [[0, 1, 1], [0, 0, 0], [1, 0, 1], [1, 0, 0]]
    shown = [view_row(LABELS_OF, TOKENIZER, again, row).truth for row in range(2)]
    assert shown == ["joy, love", "no label"]


def exchanged(form: LabelSetEncoding, part: Part, rows: Any) -> dict[str, Any]:
    batch = pad_labels(form, part, rows)
    return batch | {"labels": batch["labels"][::-1]}


def valued(value: float) -> Any:
    def collate(form: LabelSetEncoding, part: Part, rows: Any) -> dict[str, Any]:
        batch = pad_labels(form, part, rows)
        batch["labels"][1, 0] = value
        return batch

    return collate


def unattended(form: LabelSetEncoding, part: Part, rows: Any) -> dict[str, Any]:
    batch = pad_labels(form, part, rows)
    batch["attention_mask"][1, 0] = 0
    return batch


def other_token(place: int) -> Any:
    def collate(form: LabelSetEncoding, part: Part, rows: Any) -> dict[str, Any]:
        batch = pad_labels(form, part, rows)
        last = part.encoded.lengths[1] - 1
        batch["input_ids"][1, place if place >= 0 else last] = TOKENIZER.ids(["q"])[0][0]
        return batch

    return collate


def without_a_label(form: LabelSetEncoding, part: Part, rows: Any) -> dict[str, Any]:
    sets = part.sets or ()
    return pad_labels(form, replace(part, sets=(sets[0][:1], *sets[1:])), rows)


@pytest.mark.parametrize(
    ("fault", "check", "ids"),
    [
        (exchanged, LABELS, ["a", "b", "c", "d"]),
        (without_a_label, LABELS, ["a"]),
        (valued(1.0), LABELS, ["b"]),
        (valued(0.5), VALUES, ["b"]),
        (valued(-100), VALUES, ["b"]),
        (unattended, "attention is not the row's length", ["b"]),
        (other_token(0), "the first token is not the class token", ["b"]),
        (other_token(-1), "the last token is not the separator", ["b"]),
        (other_token(1), "the given text is not the row's", ["b"]),
    ],
)
def test_planted_faults_are_caught_by_name(fault: Any, check: str, ids: list[str]) -> None:
    form, part = encoded()
    raw = RawRows(ROWS["text"].tolist(), ROWS["labels"].tolist())
    assert not any(certify_labels(form, TOKENIZER, part, raw).violations.values())
    violations = certify_labels(form, TOKENIZER, part, raw, fault).violations
    assert {name: rows for name, rows in violations.items() if rows} == {check: ids}


def test_the_page_counts_rows_per_label_and_rows_without_one() -> None:
    page = encode.describe_labels([*LABELS_OF], {"train": ROWS, "test": ROWS.head(1)})
    assert "| love | 2 | 1 |" in page and "| (no label) | 1 | 0 |" in page and "train 1.25, test 2.00" in page


# Loss ----------------------------------------------------------------------------------------------------------------


def test_the_loss_is_the_binary_cross_entropy_of_each_label() -> None:
    logits, labels = torch.tensor([[0.5, -2.0], [3.0, 0.1]]), torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    chances = 1 / (1 + np.exp(-logits.double().numpy()))
    truth = labels.numpy()
    wanted = -(truth * np.log(chances) + (1 - truth) * np.log(1 - chances))
    assert float(SigmoidLoss()(logits, labels, None)) == pytest.approx(wanted.mean(), rel=1e-5)
    assert float(SigmoidLoss()(logits, labels, 8)) == pytest.approx(wanted.sum() / 8, rel=1e-5)
    weighted = np.where(truth == 1, np.array([3.0, 0.5]) * wanted, wanted)
    assert float(SigmoidLoss((3.0, 0.5))(logits, labels, 1)) == pytest.approx(weighted.sum(), rel=1e-5)


def section(**options: Any) -> Train:
    return Train(**{"model": NewModel(kind="new", family="bert"), "metric": "loss", **options})


def test_positive_weights_are_the_recipes_or_balance_each_label() -> None:
    targets = np.array([[1, 0, 0], [1, 0, 1], [1, 0, 0], [0, 0, 0]], np.float32)
    assert positive_weights(section(), targets) == ()
    assert positive_weights(section(class_weights="balanced"), targets) == pytest.approx((1 / 3, 1.0, 3.0))
    assert positive_weights(section(class_weights=(1.0, 2.0, 3.0)), targets) == (1.0, 2.0, 3.0)
    with pytest.raises(DataError, match=r"train.class_weights has 2 values, the labels are 3"):
        positive_weights(section(class_weights=(1.0, 2.0)), targets)


def net(*, bias: bool = True) -> Any:
    """A classifier of three labels, as transformers has it, small."""
    torch.manual_seed(0)
    model = torch.nn.Module()
    model.encoder, model.classifier = torch.nn.Linear(4, 4), torch.nn.Linear(4, 3, bias=bias)
    return model


def test_a_new_head_begins_at_the_labels_shares() -> None:
    targets = np.zeros((99, 3), np.float32)
    targets[:9, 0], targets[:49, 1] = 1, 1
    model, plain = net(), net()
    begin_at_shares(model, targets, ())
    shares = torch.sigmoid(model.classifier.bias).tolist()
    assert shares == pytest.approx([9.5 / 100, 49.5 / 100, 0.5 / 100], abs=1e-6)
    assert torch.equal(model.encoder.bias, plain.encoder.bias)
    weighted = net()
    begin_at_shares(weighted, targets, (2.0, 1.0, 1.0))
    assert (weighted.classifier.bias - model.classifier.bias).tolist() == pytest.approx([np.log(2), 0, 0], abs=1e-6)
    begin_at_shares(net(bias=False), targets, ())


def test_a_head_that_is_loaded_keeps_its_bias() -> None:
    targets = np.ones((5, 3), np.float32)
    loaded, fresh = net(), net()
    for model, names in ((loaded, frozenset()), (fresh, frozenset({"classifier.bias", "classifier.weight"}))):
        model.loaded, model.fresh = "", names
        begin_at_shares(model, targets, ())
    assert torch.equal(loaded.classifier.bias, net().classifier.bias)
    assert not torch.equal(fresh.classifier.bias, net().classifier.bias)


# Thresholds ----------------------------------------------------------------------------------------------------------


@settings(max_examples=80, deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.sampled_from([0.0, 0.1, 0.2, 0.5, 0.7, 0.9, 1.0])), min_size=1))
def test_no_other_threshold_has_a_better_f1(rows: list[tuple[bool, float]]) -> None:
    truth, chances = np.array([one for one, _ in rows]), np.array([one for _, one in rows])

    def f1(threshold: float) -> float:
        predicted = chances >= threshold
        return float(2 * (truth & predicted).sum() / max(truth.sum() + predicted.sum(), 1))

    chosen = best_threshold(truth, chances)
    assert 0 <= chosen <= 1
    assert f1(chosen) >= max(f1(one) for one in np.linspace(0, 1, 101)) - 1e-12 or not truth.any()
    if not truth.any():
        assert chosen == 0.5


def test_neighbouring_probabilities_are_told_apart() -> None:
    high = np.nextafter(0.3, 1)
    chosen = best_threshold(np.array([True, False]), np.array([high, 0.3]))
    assert (np.array([high, 0.3]) >= chosen).tolist() == [True, False]


def test_one_threshold_per_label_or_one_for_all() -> None:
    truth = np.array([[True, False], [False, True], [False, False]])
    chances = np.array([[0.9, 0.1], [0.6, 0.3], [0.2, 0.2]])
    assert choose_thresholds(truth, chances, "per_label").tolist() == pytest.approx([0.75, 0.25])
    one = choose_thresholds(truth, chances, "one")
    assert one[0] == one[1] == pytest.approx(0.25)
    assert choose_thresholds(truth, chances, "half").tolist() == [0.5, 0.5]
    assert choose_thresholds(truth[:0], chances[:0], "per_label").tolist() == [0.5, 0.5]
    never = choose_thresholds(truth & np.array([True, False]), chances, "per_label")
    assert never.tolist() == pytest.approx([0.75, 0.5])


def recipe(folder: Path, **changes: Any) -> Any:
    text = """
name: marks
download: {kind: file, path: a.jsonl, columns: {labels: marks}}
encode: {kind: multi_label, tokenizer: {kind: train, vocab_size: 300}}
train: {model: {kind: new, family: bert}, metric: loss}
register: {model: marks, metric: micro_f1}
"""
    path = folder / "a.yaml"
    path.write_text(text, encoding="utf-8")
    return load_recipe(path, [f"{name.replace('__', '.')}={value}" for name, value in changes.items()])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"split": "{validation: 0, train: 0.9, test: 0.1}", "train__metric": "accuracy"},
            "encode.thresholds are chosen on validation rows",
        ),
        ({"train__metric": "accuracy"}, "train.metric accuracy needs correct predictions"),
        ({"train__loss": "mse"}, "loss is not read with encode.kind: multi_label"),
        ({"register__metric": "accuracy"}, "register has accuracy, but models of encode.kind multi_label are judged"),
        ({"validate__max_imbalance": "5"}, "max_imbalance is not read with texts of several labels"),
        ({"download__columns": "{label: a}"}, "reads texts with labels .*, but download gives texts with a label"),
        ({"clean__steps": "[label_errors]"}, "label_errors, which needs one label per row"),
    ],
)
def test_recipes_that_do_not_fit_are_refused(tmp_path: Path, changes: dict[str, str], message: str) -> None:
    assert recipe(tmp_path).encode.thresholds == "one"
    with pytest.raises(RecipeError, match=message):
        recipe(tmp_path, **changes)


# Scores --------------------------------------------------------------------------------------------------------------


def drawn(seed: int, rows: int = 60, labels: int = 5) -> tuple[Any, Any]:
    draw = np.random.default_rng(seed)
    truth = draw.random((rows, labels)) < draw.uniform(0.05, 0.6, labels)
    return truth, np.round(np.clip(draw.normal(0.3 + 0.3 * truth, 0.25), 0, 1), 1)


@pytest.mark.parametrize("seed", range(6))
def test_scores_are_those_of_scikit_learn(seed: int) -> None:
    from sklearn.metrics import accuracy_score, average_precision_score, f1_score

    truth, chances = drawn(seed)
    predicted = chances >= 0.5
    scores = metrics.score_labels(truth, predicted, chances, HOW)
    known = truth.any(0)
    wanted = {
        "micro_f1": f1_score(truth, predicted, average="micro", zero_division=0),
        "macro_f1": f1_score(truth, predicted, average="macro", zero_division=0),
        "average_precision": average_precision_score(truth[:, known], chances[:, known], average="macro"),
        "subset_accuracy": accuracy_score(truth, predicted),
    }
    for name, value in wanted.items():
        assert scores[name] == pytest.approx(value, abs=1e-6), name
        low, high = scores[f"{name}_interval"]
        assert low < value < high, name
    table = metrics.score_each(tuple("abcde"), truth, predicted, HOW)
    each = f1_score(truth, predicted, average=None, zero_division=0)
    assert [one["f1"] or 0.0 for one in table] == pytest.approx(each.tolist())
    assert [one["true"] for one in table] == truth.sum(0).tolist()


def test_resampled_average_precision_is_that_of_the_repeated_rows() -> None:
    truth, chances = drawn(9, rows=30)
    counts = np.random.default_rng(1).multinomial(30, np.full(30, 1 / 30), 4)
    fast = metrics.average_precision(truth, chances, counts)
    for sample, value in zip(counts, fast, strict=True):
        rows = np.repeat(np.arange(30), sample)
        ones = np.ones((1, len(rows)), np.int64)
        assert value == pytest.approx(float(metrics.average_precision(truth[rows], chances[rows], ones)[0]), abs=1e-6)


@pytest.mark.parametrize("seed", range(3))
def test_labels_that_are_resampled_together_have_the_intervals_of_each_alone(seed: int) -> None:
    truth, chances = drawn(seed)
    truth[:, 3], truth[:, 4], chances[:, 3:] = False, np.arange(60) == 7, 0.0  # no row, and a single one
    sums = np.stack([truth & (chances >= 0.5), truth, chances >= 0.5], axis=-1).astype(float)
    alone = [estimate(list(sums[:, at].T), metrics._f1, HOW) for at in range(5)]
    assert estimate_each(sums, metrics._f1, HOW) == alone
    assert alone[3].value is None and alone[4].interval is None and alone[0].interval is not None


def test_what_no_row_has_is_left_undefined() -> None:
    nothing = np.zeros((5, 2), bool)
    scores = metrics.score_labels(nothing, nothing, np.full((5, 2), 0.1), HOW)
    assert scores["average_precision"] is None and scores["subset_accuracy"] == 1 and scores["micro_f1"] == 0
    first, _ = metrics.score_each(("a", "b"), nothing, nothing, HOW)
    assert first["f1"] is None and first["precision"] is None and first["recall"] is None


def test_a_paired_test_reads_sets_row_by_row() -> None:
    table = pd.DataFrame(
        {
            "id": list("abc"),
            "true": [write_set(one) for one in (["x", "y"], [], ["x"])],
            "predicted": [write_set(one) for one in (["x"], [], ["y", "z"])],
        }
    )
    assert outcomes.quality(table).tolist() == [0.5, 1.0, 0.0]
    for score, value in (("micro_f1", 2 / (3 + 3)), ("macro_f1", (2 / 3 + 0) / 2), ("subset_accuracy", 1 / 3)):
        outcome = paired(table, "multi_label", score, ["x", "y"])
        assert float(outcome.metric(outcome.statistics.sum(0))) == pytest.approx(value), score
    with pytest.raises(DataError, match="there is no paired test of average_precision"):
        paired(table, "multi_label", "average_precision", ["x", "y"])


# Baselines -----------------------------------------------------------------------------------------------------------


def test_baselines_learn_from_training_rows_alone() -> None:
    texts = ["joy here", "joy and love", "nothing at all", "love there"] * 10
    known = np.array([[0, 1, 0], [0, 1, 1], [0, 0, 0], [0, 0, 1]] * 10, bool)
    predicted, chances = predict_by("tfidf", texts, known, ["joy", "love joy", "a bus"], "one")
    assert predicted.tolist() == [[False, True, False], [False, True, True], [False, False, False]]
    assert chances[:, 0].tolist() == [0, 0, 0]
    sets, shares = predict_by("majority", texts, known | np.array([False, True, False]), ["joy"], "one")
    assert sets.tolist() == [[False, True, False]] and shares.tolist() == [[0.0, 1.0, 0.5]]
    assert one_versus_rest(["!", "?"], known[:2], ["joy"]).tolist() == [[0.0, 1.0, 0.5]]


# Predictions ---------------------------------------------------------------------------------------------------------


class Words:
    """A stand-in for the net: a label's logit is high where its token is among the input's."""

    def __init__(self, tokens: list[int]) -> None:
        self.tokens = tokens

    def __call__(self, inputs: Any) -> Any:
        has = np.stack([(inputs["input_ids"] == token).any(1) for token in self.tokens], 1)
        return (np.where(has, 1.0, -3.0),)


def predictor(*levels: float) -> Predictor:
    tokens = [TOKENIZER.ids([letter])[0][0] for letter in "qxz"]
    return Predictor(encoding(), TOKENIZER, Words(tokens), np.array(levels or (0.5, 0.5, 0.5)))


def test_predictions_are_lists_of_labels_and_a_probability_of_each() -> None:
    table = predictor().frame(["z q", "", "x"], batch_size=2)
    assert [*table] == ["labels", "probability of anger", "probability of joy", "probability of love"]
    assert [json.loads(one) for one in table["labels"]] == [["anger", "love"], [], ["joy"]]
    high, low = 1 / (1 + np.exp(-1)), 1 / (1 + np.exp(3))
    assert table["probability of love"].tolist() == pytest.approx([high, low, low])
    assert [json.loads(one) for one in predictor(0.9, 0.01, 0.5).frame(["z q"])["labels"]] == [["joy", "love"]]
    assert len(predictor().frame([])) == 0
    with pytest.raises(ValueError, match="each row needs a text, got 5"):
        predictor().frame(["a", 5])  # type: ignore[list-item]


def test_thresholds_are_chosen_with_the_saved_model_on_validation_rows(tmp_path: Path) -> None:
    form, part = encoded(thresholds="per_label")
    training = MultiLabel(form, TOKENIZER)
    config = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 8}
    start = section(model=NewModel(kind="new", family="bert", config=config), class_weights="balanced")
    model = training.model(start, part)
    assert model.criterion.positive == pytest.approx((1.0, 3.0, 1.0))
    assert model.config.problem_type == "multi_label_classification" and model.config.num_labels == 3
    training.save(model, start, tmp_path)
    training.finish(part, tmp_path)
    form.save(tmp_path)
    TOKENIZER.save(tmp_path)
    loaded = Predictor.load(tmp_path)
    truth = form.targets(part.sets or ()) == 1
    wanted = choose_thresholds(truth, loaded.predict(ROWS["text"].tolist()), "per_label")
    assert loaded.thresholds.tolist() == wanted.tolist() and len({*wanted}) > 1
