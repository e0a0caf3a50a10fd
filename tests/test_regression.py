"""Regression on text: numbers read, normalised by training rows, certified; the same answer where it is served."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import aims
import numpy as np
import pandas as pd
import pytest
import torch
from transformers import BertForSequenceClassification

from configs.encodings import RegressionEncode
from configs.load import RecipeError, load_recipe
from configs.lora import Lora
from tasks.data.errors import DataError
from tasks.data.numbers import read_numbers
from tasks.kinds.regression import encode as regression_rows
from tasks.kinds.regression import predictor as regressor
from tasks.kinds.regression.certificate import certify_numbers
from tasks.kinds.regression.encoding import RegressionEncoding, pad_numbers
from tasks.kinds.regression.feed import collate_numbers
from tasks.kinds.regression.training import FORM, Regression, open_training
from tasks.learn.labels import IGNORE_INDEX
from tasks.text.baselines import tfidf_ridge
from tasks.text.certificate import MaskError, RawRows
from tasks.text.feed import Rows
from tasks.text.models import build_model
from tasks.text.parts import Part, read_part, write_part
from tasks.text.tokenizer import TextTokenizer
from tasks.tracking.proof import difference

pytestmark = pytest.mark.faults
WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "number", "was", "again", "today"]


def numbers() -> pd.DataFrame:
    """Texts whose words sum up to a number."""
    rows = aims.table()
    worth = {word: 10.0 * place for place, word in enumerate(aims.STATES)}
    values = [f"{1000 + worth[text.split()[5]]:.1f}" for text in rows["text"]]
    return aims.frame(rows["text"].tolist(), values)


ROWS = numbers()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A vocabulary as BERT has it."""
    found = tmp_path_factory.mktemp("vocab")
    words = [*WORDS, *aims.THINGS, *aims.STATES, *aims.NUMBERS]
    (found / "vocab.txt").write_text("\n".join(words), encoding="utf-8")
    return found


Made = tuple[RegressionEncoding, TextTokenizer, Part]


def make(folder: Path, rows: pd.DataFrame, **options: Any) -> Made:
    source: Any = {"kind": "files", "path": str(folder)}
    section = RegressionEncode(kind="regression", tokenizer=source, **{"max_length": 16, **options})
    encoding, tokenizer = regression_rows.make_encoding(section, rows)
    return encoding, tokenizer, regression_rows.encode_part(encoding, tokenizer, rows)[0]


@pytest.fixture(scope="module")
def made(folder: Path) -> Made:
    return make(folder, ROWS)


def test_numbers_are_read_and_what_is_none_falls_away(made: Made) -> None:
    told = ["1", " -2.5 ", "1e3", ".5", "+3.", "", "nan", "inf", "1e999", "1_000", "1,5", "five", "٣", "0x10"]
    assert read_numbers(told).tolist()[:5] == [1, -2.5, 1000, 0.5, 3]
    assert np.isnan(read_numbers(told)[5:]).all()
    encoding, tokenizer, _ = made
    rows = aims.frame(["the bus"] * 4, ["7", "many", None, "inf"])
    part, dropped = regression_rows.encode_part(encoding, tokenizer, rows)
    assert part.ids == rows["id"][:1].tolist() and part.values is not None and part.values.tolist() == [7]
    assert dropped["id"].tolist() == rows["id"][1:].tolist()
    assert set(dropped["reason"]) == {regression_rows.NO_NUMBER}


def test_labels_have_mean_0_and_deviation_1_and_come_back(made: Made, tmp_path: Path) -> None:
    encoding, _, part = made
    write_part(part, tmp_path / "part")
    values = read_part(tmp_path / "part").values
    assert values is not None and values.tolist() == [float(target) for target in ROWS["target"]]
    normal = encoding.normalise(values)
    assert normal.dtype == np.float32
    assert (normal.mean(), normal.std()) == (pytest.approx(0, abs=1e-5), pytest.approx(1, rel=1e-5))
    assert encoding.restore(normal.astype(np.float64)) == pytest.approx(values, rel=1e-6)
    encoding.save(tmp_path)
    assert replace(open_encoding(tmp_path)) == encoding


def open_encoding(folder: Path) -> RegressionEncoding:
    from tasks.text.encoding import FILE, read_encoding

    return read_encoding(folder / FILE, RegressionEncoding)


def test_only_training_rows_decide_the_scale(made: Made, folder: Path) -> None:
    encoding = made[0]
    known = ROWS["target"].astype(float)
    assert (encoding.mean, encoding.sd) == (pytest.approx(known.mean()), pytest.approx(known.std(ddof=0)))
    with pytest.raises(DataError, match="targets of all 3 training rows are 4"):
        make(folder, aims.frame(["the bus", "the tram", "the taxi"], ["4", "4.0", "4"]))
    with pytest.raises(DataError, match="no target of the 2 training rows is a number, the first is 'good'"):
        make(folder, aims.frame(["the bus", "the tram"], ["good", "bad"]))


def test_a_label_that_the_trainer_would_not_count_is_moved(folder: Path) -> None:
    """One of n rows that is apart lies sqrt(n - 1) deviations away: of 10,001 rows exactly 100."""
    values = ["0"] * 10_000 + ["-10001"]
    encoding, tokenizer, part = make(folder, aims.frame([f"the bus {n}" for n in range(10_001)], values))
    assert part.values is not None
    plain = ((part.values - encoding.mean) / encoding.sd).astype(np.float32)
    assert plain[-1] == IGNORE_INDEX, "the fault that is guarded against"
    normal = encoding.normalise(part.values)
    assert normal[-1] != IGNORE_INDEX and normal[-1] == pytest.approx(-100, rel=1e-6)
    rows = slice(9_990, None)
    some = Part(part.ids[rows], part.class_ids[rows], encoding.encode(tokenizer, ["the bus"] * 11), part.values[rows])

    def planted(*given: Any) -> Any:
        return pad_numbers(*given) | {"labels": plain[rows]}

    raw = RawRows(["the bus"] * 11, values[rows])
    assert certify_numbers(encoding, tokenizer, some, raw).as_dict()["holds"]
    found = certify_numbers(encoding, tokenizer, some, raw, planted)
    assert found.violations["the label is one that the Trainer does not count"] == some.ids[-1:]


@pytest.mark.parametrize("padding", ["longest", "max_length"])
def test_the_certificate_holds(made: Made, padding: str) -> None:
    encoding, tokenizer, part = made
    found = regression_rows.certify_part(replace(encoding, padding=padding), tokenizer, part, ROWS).as_dict()
    assert found["holds"] and found["rows"] == 120 and found["supervised"] == 0


def _raw(batch: Any, encoding: RegressionEncoding) -> None:
    batch["labels"] = encoding.restore(batch["labels"].astype(float)).astype(np.float32)


def _roll(batch: Any, encoding: RegressionEncoding) -> None:
    batch["labels"] = np.roll(batch["labels"], 1)


def _texts(batch: Any, encoding: RegressionEncoding) -> None:
    batch["input_ids"] = np.roll(batch["input_ids"], 1, axis=0)


def _attention(batch: Any, encoding: RegressionEncoding) -> None:
    batch["attention_mask"][:] = 1


def _class_token(batch: Any, encoding: RegressionEncoding) -> None:
    batch["input_ids"][:, 0] = encoding.special["sep"]


@pytest.mark.parametrize(
    ("change", "check"),
    [
        (_raw, "the label is not the row's number"),
        (_roll, "the label is not the row's number"),
        (_texts, "the given text is not the row's"),
        (_attention, "attention is not the row's length"),
        (_class_token, "the first token is not the class token"),
    ],
)
def test_the_certificate_catches(made: Made, change: Any, check: str) -> None:
    encoding, tokenizer, part = made

    def faulty(*given: Any) -> Any:
        batch = pad_numbers(*given)
        change(batch, encoding)
        return batch

    raw = RawRows(ROWS["text"].tolist(), ROWS["target"].tolist())
    result = certify_numbers(encoding, tokenizer, part, raw, faulty)
    assert result.violations[check]
    with pytest.raises(MaskError, match="rows break the mask check"):
        result.require("train")


def test_the_loss_is_the_mean_squared_error_of_transformers(made: Made) -> None:
    encoding, tokenizer, part = made
    still = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    found = build_model(aims.new("bert", **aims.BERT, **still), FORM, encoding, tokenizer, 0)
    assert found.config.num_labels == 1 and found.config.problem_type == "regression"
    whole = BertForSequenceClassification(found.config)
    whole.load_state_dict(found.state_dict())
    batch = collate_numbers(encoding)([Rows(part)[n] for n in range(11)])
    assert batch["labels"].dtype == torch.float32
    theirs, ours = whole(**batch), found(**batch)
    theirs.loss.backward()
    ours.loss.backward()
    assert ours.loss.item() == pytest.approx(theirs.loss.item(), rel=1e-5)
    pairs = zip(found.parameters(), whole.parameters(), strict=True)
    assert max(float((a.grad - b.grad).abs().max()) for a, b in pairs) < 1e-5
    assert found(**batch, num_items_in_batch=4).loss.item() == pytest.approx(ours.loss.item() * 11 / 4, rel=1e-5)


def saved(made: Made, folder: Path, **changes: Any) -> Any:
    """A folder as training leaves it, and what training said."""
    encoding, tokenizer, part = made
    domain = Regression(encoding, tokenizer)
    section = aims.train_section(aims.new("bert", **aims.BERT), **changes)
    model, done = aims.fitted(domain, {"train": part, "validation": part}, section, folder / "work")
    assert domain.layout(model).head == {"classifier.weight", "classifier.bias"}
    assert domain.layout(model).output is model.classifier
    domain.save(model, section, folder)
    encoding.save(folder)
    tokenizer.save(folder)
    return done


def test_it_learns_numbers_in_their_own_unit(made: Made, tmp_path: Path) -> None:
    done = saved(made, tmp_path, epochs=25, learning_rate=1e-2, eval_steps=75)
    scores = [row for row in done.history if "eval_loss" in row]
    assert "eval_accuracy" not in scores[-1] and scores[-1]["eval_loss"] < 0.2
    assert open_training(tmp_path).kind == "regression"
    predictor = regressor.Predictor.load(tmp_path)
    texts, truth = ROWS["text"].tolist(), read_numbers(ROWS["target"].tolist())
    found = predictor.predict(texts, 7)
    best = min(row["eval_loss"] for row in scores)
    assert np.mean(((found - truth) / made[0].sd) ** 2) == pytest.approx(best, rel=1e-3)
    assert found == pytest.approx(predictor.frame(texts)["value"].to_numpy(), rel=1e-6)
    assert 1000 < found.mean() < 1050
    with pytest.raises(ValueError, match="each row needs a text, got 3"):
        predictor.frame([3])  # type: ignore[list-item]


def test_ridge_beats_the_mean_where_words_tell(made: Made) -> None:
    texts, truth = ROWS["text"].tolist(), read_numbers(ROWS["target"].tolist())
    found = tfidf_ridge(texts[:80], truth[:80], texts[80:])
    assert np.mean((found - truth[80:]) ** 2) < np.mean((truth[:80].mean() - truth[80:]) ** 2) / 3
    assert tfidf_ridge(["", "!"], np.array([1.0, 3.0]), ["x"]).tolist() == [2.0]


def test_answers_of_any_size_are_held_against_their_size() -> None:
    assert difference([2_000_000.5], [2_000_000.0]) < 1e-6 < difference([2_000_100.0], [2_000_000.0])
    assert difference([0.2], [0.1]) == pytest.approx(0.1)


def test_adapters_train_and_are_merged(made: Made, tmp_path: Path) -> None:
    pytest.importorskip("peft", reason="the adapters' library is not installed")
    saved(made, tmp_path, epochs=1, lora=Lora(rank=4))
    assert (tmp_path / "adapter" / "adapter_config.json").is_file()
    assert len(regressor.Predictor.load(tmp_path).frame(ROWS["text"][:2].tolist())) == 2


RECIPE = """
name: measured
download: {kind: file, path: rows.csv, columns: {target: target}}
validate: {min_rows: 20, max_duplicates: 0.9}
clean: {steps: [missing]}
split: {kind: hash, near_copies: keep}
encode: {kind: regression, tokenizer: {kind: files, path: vocab}, max_length: 16}
train:
  model:
    kind: new
    family: bert
    config: {hidden_size: 16, num_hidden_layers: 1, num_attention_heads: 2, intermediate_size: 24}
  learning_rate: 1e-2
  epochs: 2
  eval_steps: 10
  metric: loss
evaluate: {bootstrap: 100}
register: {model: measured, metric: rmse}
"""


def test_the_stages_run_and_what_is_no_number_is_accounted_for(
    tmp_path: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from flows.cli import trace

    (tmp_path / "data" / "vocab").mkdir()
    (tmp_path / "data" / "vocab" / "vocab.txt").write_bytes((folder / "vocab.txt").read_bytes())
    odd = aims.frame([f"the late {thing} of {n}" for n, thing in enumerate(aims.THINGS)], ["none"] * 6)
    found = aims.stages(tmp_path, pd.concat([ROWS, odd], ignore_index=True), RECIPE)
    report = json.loads(found["evaluate"].file("report.json").read_text())
    assert set(report["scores"]) >= {"rmse", "mae", "r2"} and set(report["baselines"]) == {"mean", "tfidf"}
    assert (found["evaluate"].records / "numbers.png").stat().st_size > 1000
    ledger = pd.read_parquet(found["encode"].file("ledger.parquet"))
    assert (ledger["reason"] == regression_rows.NO_NUMBER).sum() == 6
    row = int(ledger.loc[ledger["state"] == "train", "number"].iloc[0])
    trace.command(tmp_path / "recipe.yaml", str(row), [], True)
    way = json.loads(capsys.readouterr().out)
    assert way["answer"]["from"] == "the trained model" and way["answer"]["told"]["value"] > 900
    assert float(way["encode"]["class"]) == float(ROWS["target"][row - 1])


def test_recipes_that_cannot_be_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_text(RECIPE, encoding="utf-8")
    for change, message in (
        ("train.metric=accuracy", "accuracy needs correct predictions, which encode.kind regression has not; use loss"),
        ("evaluate.baselines=[majority]", "majority is none for encode.kind regression; take of mean, tfidf"),
        ("train.loss=mse", "train.loss is not read with encode.kind: regression"),
    ):
        with pytest.raises(RecipeError, match=message):
            load_recipe(path, [change])
