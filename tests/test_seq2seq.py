"""Sequence to sequence: pairs laid out and certified, transformers' own loss, the same answer where it is served."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import aims
import numpy as np
import pytest
import torch
from transformers import T5Config, T5ForConditionalGeneration

from configs.encodings import Seq2SeqEncode
from configs.load import RecipeError, load_recipe
from configs.lora import Lora
from configs.models import LocalModel
from tasks.data.errors import DataError
from tasks.kinds.seq2seq import encode as seq2seq_rows
from tasks.kinds.seq2seq import predictor as rewriter
from tasks.kinds.seq2seq.certificate import certify_pairs
from tasks.kinds.seq2seq.encoding import Seq2SeqEncoding, join_pairs, pad_pairs, split_pairs
from tasks.kinds.seq2seq.feed import collate_pairs
from tasks.kinds.seq2seq.training import FORM, Seq2Seq, open_training
from tasks.learn.labels import IGNORE_INDEX
from tasks.text.certificate import MaskError, RawRows
from tasks.text.feed import Rows
from tasks.text.models import build_model
from tasks.text.parts import Part, read_part, write_part
from tasks.text.segments import Encoded
from tasks.text.tokenizer import TextTokenizer

pytestmark = pytest.mark.faults
ROWS = aims.table()
BART = {
    "d_model": 16,
    "encoder_layers": 1,
    "decoder_layers": 1,
    "encoder_attention_heads": 2,
    "decoder_attention_heads": 2,
    "encoder_ffn_dim": 16,
    "decoder_ffn_dim": 16,
    "max_position_embeddings": 40,
}


def made(rows: Any = ROWS, **options: Any) -> tuple[Seq2SeqEncoding, TextTokenizer]:
    usual = {"prefix": "why: ", "max_length": 40, "max_target": 12}
    section = Seq2SeqEncode(kind="seq2seq", tokenizer=aims.LEARNT, **{**usual, **options})
    return seq2seq_rows.make_encoding(section, rows)


ENCODING, TOKENIZER = made()
PART, _ = seq2seq_rows.encode_part(ENCODING, TOKENIZER, ROWS)


def test_a_pair_is_read_with_its_prefix_and_written_to_its_end() -> None:
    batch = pad_pairs(ENCODING, PART.encoded, [0, 1, 2])
    eos = ENCODING.special["eos"]
    for row in range(3):
        read = batch["input_ids"][row][batch["attention_mask"][row] == 1].tolist()
        written = batch["labels"][row][batch["labels"][row] != IGNORE_INDEX].tolist()
        assert TOKENIZER.decode([read[:-1], written[:-1]]) == ["why: " + ROWS["text"][row], ROWS["target"][row]]
        assert read[-1] == written[-1] == eos


def test_pairs_come_back_as_they_were_joined(tmp_path: Path) -> None:
    sources = ENCODING.encode(TOKENIZER, ROWS["text"].tolist())
    targets = ENCODING.encode_targets(TOKENIZER, ROWS["target"].tolist())
    write_part(Part(ROWS["id"].tolist(), np.zeros(len(ROWS), np.int64), join_pairs(sources, targets)), tmp_path / "p")
    rows = [5, 3, 117]
    for before, after in zip((sources, targets), split_pairs(read_part(tmp_path / "p").encoded, rows), strict=True):
        for place, row in enumerate(rows):
            first, last = before.offsets[row], before.offsets[row + 1]
            now = slice(after.offsets[place], after.offsets[place + 1])
            assert before.ids[first:last].tolist() == after.ids[now].tolist()
            assert before.labels[first:last].tolist() == after.labels[now].tolist()


def test_what_cannot_be_a_pair_falls_away_with_its_reason() -> None:
    rows = aims.frame(["a plane", "a bus", "a ship", "a tram"], ["late", None, " ".join(["late"] * 30), ""])
    encoding, tokenizer = made(rows.head(1))
    part, dropped = seq2seq_rows.encode_part(encoding, tokenizer, rows)
    assert part.ids == rows["id"][:1].tolist()
    wanted = {1: seq2seq_rows.ABSENT, 2: seq2seq_rows.TOO_LONG, 3: seq2seq_rows.EMPTY}
    assert dict(zip(dropped["id"], dropped["reason"], strict=True)) == {rows["id"][n]: why for n, why in wanted.items()}


def test_a_long_text_loses_its_end_and_keeps_prefix_and_end_token() -> None:
    rows = aims.frame(["first " + "word " * 60], ["late"])
    encoding, tokenizer = made(rows, max_length=12)
    part, _ = seq2seq_rows.encode_part(encoding, tokenizer, rows)
    read = pad_pairs(encoding, part.encoded, [0])["input_ids"][0].tolist()
    assert len(read) == 12 and read[-1] == encoding.special["eos"]
    assert tokenizer.decode([read])[0].startswith("why: first")
    assert seq2seq_rows.certify_part(encoding, tokenizer, part, rows).as_dict()["holds"]
    assert part.encoded.cut[0] > 0
    with pytest.raises(DataError, match=r"encode\.prefix takes \d+ of 12 tokens"):
        made(rows, prefix="tell me why that is so, in a word or two: ", max_length=12)


@pytest.mark.parametrize("padding", ["longest", "max_length"])
def test_the_certificate_holds(padding: str) -> None:
    encoding = replace(ENCODING, padding=padding)
    found = seq2seq_rows.certify_part(encoding, TOKENIZER, PART, ROWS).as_dict()
    assert found["holds"] and found["rows"] == len(ROWS) == 120
    wanted = sum(map(len, TOKENIZER.ids(ROWS["target"].tolist()))) + len(ROWS)
    assert found["supervised"] == wanted


def planted(change: Any) -> list[str]:
    """The checks that a fault in the batch breaks."""

    def faulty(encoding: Seq2SeqEncoding, encoded: Encoded, rows: Any) -> Any:
        batch = pad_pairs(encoding, encoded, rows)
        change(batch)
        return batch

    raw = RawRows(ROWS["text"].tolist(), ROWS["target"].tolist())
    result = certify_pairs(ENCODING, TOKENIZER, PART, raw, faulty)
    with pytest.raises(MaskError, match="rows break the mask check"):
        result.require("train")
    return [check for check, ids in result.violations.items() if ids]


def _shift(batch: Any) -> None:
    batch["labels"] = np.roll(batch["labels"], 1, axis=1)


def _no_end(batch: Any) -> None:
    batch["labels"][batch["labels"] == ENCODING.special["eos"]] = IGNORE_INDEX


def _pads_by_id(batch: Any) -> None:
    batch["labels"][batch["labels"] == IGNORE_INDEX] = ENCODING.pad_id


def _attend_pads(batch: Any) -> None:
    batch["attention_mask"][:] = 1


def _end_unattended(batch: Any) -> None:
    batch["attention_mask"][batch["input_ids"] == ENCODING.special["eos"]] = 0


def _other_row(batch: Any) -> None:
    batch["labels"] = np.roll(batch["labels"], 1, axis=0)


def _other_text(batch: Any) -> None:
    batch["input_ids"] = np.roll(batch["input_ids"], 1, axis=0)


def _nothing(batch: Any) -> None:
    batch["labels"][:] = IGNORE_INDEX


@pytest.mark.parametrize(
    ("change", "check"),
    [
        (_shift, "the supervised text is not the row's target"),
        (_no_end, "the target does not end with a supervised end token"),
        (_pads_by_id, "what is supervised is not the target's length"),
        (_attend_pads, "attention is not the source's length"),
        (_end_unattended, "attention is not the source's length"),
        (_other_row, "the supervised text is not the row's target"),
        (_other_text, "the given text is not the row's"),
        (_nothing, "no supervised token"),
    ],
)
def test_the_certificate_catches(change: Any, check: str) -> None:
    assert check in planted(change)


def test_a_target_that_is_cut_is_caught() -> None:
    long = replace(ENCODING, max_target=2)
    raw = RawRows(ROWS["text"].tolist(), ROWS["target"].tolist())
    found = certify_pairs(long, TOKENIZER, PART, raw)
    assert found.violations["the target is longer than max_target"]


def test_loss_and_gradients_are_those_of_transformers() -> None:
    batch = collate_pairs(ENCODING)([Rows(PART)[n] for n in range(9)])
    found = build_model(aims.new("t5", **aims.T5, dropout_rate=0.0), FORM, ENCODING, TOKENIZER, 0)
    whole = T5ForConditionalGeneration(found.config)
    whole.load_state_dict(found.state_dict())
    theirs, ours = whole(**batch), found(**batch)
    theirs.loss.backward()
    ours.loss.backward()
    assert ours.loss.item() == pytest.approx(theirs.loss.item(), rel=1e-5)
    pairs = zip(found.parameters(), whole.parameters(), strict=True)
    assert max(float((a.grad - b.grad).abs().max()) for a, b in pairs if b.grad is not None) < 1e-5
    count = int((batch["labels"] != IGNORE_INDEX).sum())
    assert ours.logits.shape == (count, TOKENIZER.size)
    assert found(**batch, num_items_in_batch=5).loss.item() == pytest.approx(ours.loss.item() * count / 5, rel=1e-5)


def test_a_decoder_that_sees_what_it_predicts_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    assert T5Config().is_encoder_decoder
    shift = T5ForConditionalGeneration.prepare_decoder_input_ids_from_labels
    monkeypatch.setattr(
        T5ForConditionalGeneration, "prepare_decoder_input_ids_from_labels", lambda self, labels: labels
    )
    with pytest.raises(DataError, match="is given \\[2, 3, 4, 5\\] to predict"):
        build_model(aims.new("t5", **aims.T5), FORM, ENCODING, TOKENIZER, 0)
    monkeypatch.setattr(T5ForConditionalGeneration, "prepare_decoder_input_ids_from_labels", shift)
    with pytest.raises(DataError, match="gpt2"):
        build_model(aims.new("gpt2", n_embd=8, n_layer=1, n_head=1), FORM, ENCODING, TOKENIZER, 0)


def test_positions_of_targets_are_checked() -> None:
    assert build_model(aims.new("bart", **BART), FORM, ENCODING, TOKENIZER, 0)
    wide = replace(ENCODING, max_target=50)
    with pytest.raises(DataError, match=r"encode\.max_target 50 is above the model's 40 positions"):
        build_model(aims.new("bart", **BART), FORM, wide, TOKENIZER, 0)


def test_phases_name_the_parts_of_a_rewriter() -> None:
    domain = Seq2Seq(ENCODING, TOKENIZER)
    tied = build_model(aims.new("t5", **aims.T5), FORM, ENCODING, TOKENIZER, 0)
    layout = domain.layout(tied)
    assert layout.children == ("shared", "encoder", "decoder") and not layout.head
    assert layout.output is tied.lm_head
    assert {"shared.weight", "decoder.block.0.layer.1.EncDecAttention.q.weight"} == {
        "shared.weight",
        "decoder.block.0.layer.1.EncDecAttention.q.weight",
    } & set(layout.shown)
    wrapped = domain.layout(build_model(aims.new("bart", **BART), FORM, ENCODING, TOKENIZER, 0))
    assert "encoder.layers.0.fc1.weight" in wrapped.shown.values()
    tied.lm_head.weight = torch.nn.Parameter(tied.lm_head.weight.detach().clone())
    assert domain.layout(tied).head == {"lm_head.weight"}
    assert domain.layout(tied).children[-1] == "lm_head"


def test_loss_at_evaluation_is_the_validation_loss_of_training(tmp_path: Path) -> None:
    _, domain = saved(tmp_path, epochs=1)
    model = build_model(LocalModel(kind="files", path=str(tmp_path)), FORM, ENCODING, TOKENIZER, 0).eval()
    batch = collate_pairs(ENCODING)([Rows(PART)[n] for n in range(len(PART))])
    with torch.inference_mode():
        wanted = model(**batch).loss.item()
    predictor = rewriter.Predictor.load(tmp_path)
    assert domain.kind == "seq2seq"
    assert predictor.loss(ROWS["text"].tolist(), ROWS["target"].tolist(), 7) == pytest.approx(wanted, rel=1e-5)


def saved(folder: Path, **changes: Any) -> tuple[Any, Seq2Seq]:
    """A folder as training leaves it."""
    domain = Seq2Seq(ENCODING, TOKENIZER)
    section = aims.train_section(aims.new("t5", **aims.T5), **changes)
    model, done = aims.fitted(domain, {"train": PART, "validation": PART}, section, folder / "work")
    domain.save(model, section, folder)
    ENCODING.save(folder)
    TOKENIZER.save(folder)
    return done, open_training(folder)  # type: ignore[return-value]


def test_it_learns_to_write_and_writes_the_same_in_any_batch(tmp_path: Path) -> None:
    done, _ = saved(tmp_path, epochs=25, learning_rate=1e-2, eval_steps=125)
    scores = [row for row in done.history if "eval_loss" in row]
    assert scores[-1]["eval_loss"] < scores[0]["eval_loss"] / 4
    assert scores[-1]["eval_accuracy"] > 0.9, scores[-1]
    predictor = rewriter.Predictor.load(tmp_path)
    texts = ROWS["text"][:16].tolist()
    together = [one.text for one in predictor.write(texts, 16)]
    assert together == [predictor.write([text])[0].text for text in texts]
    assert sum(a == b for a, b in zip(together, ROWS["target"], strict=False)) >= 12
    assert predictor.frame([]).columns.tolist() == ["written"]
    with pytest.raises(ValueError, match="each row needs a text, got None"):
        predictor.frame([None])  # type: ignore[list-item]


def test_adapters_train_and_are_merged(tmp_path: Path) -> None:
    pytest.importorskip("peft", reason="the adapters' library is not installed")
    saved(tmp_path, epochs=1, lora=Lora(rank=4))
    assert (tmp_path / "adapter" / "adapter_config.json").is_file()
    assert len(rewriter.Predictor.load(tmp_path).frame(ROWS["text"][:2].tolist())) == 2


RECIPE = """
name: rewrites
download: {kind: file, path: rows.csv, columns: {target: target}}
validate: {min_rows: 20, max_duplicates: 0.9}
clean: {steps: [missing]}
split: {kind: hash, near_copies: keep}
encode: {kind: seq2seq, tokenizer: {kind: train, vocab_size: 420}, prefix: "why: ", max_length: 40, max_target: 12}
train:
  model: {kind: new, family: t5, config: {d_model: 16, d_kv: 8, d_ff: 24, num_layers: 1, num_heads: 2}}
  learning_rate: 3e-3
  epochs: 2
  eval_steps: 10
  metric: loss
evaluate: {bootstrap: 100, batch_size: 64}
register: {model: rewrites, metric: exact}
"""


def test_the_stages_run_and_the_report_names_its_baseline(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from flows.cli import mask, trace

    found = aims.stages(tmp_path, ROWS, RECIPE)
    report = json.loads(found["evaluate"].file("report.json").read_text())
    assert set(report["scores"]) >= {"exact", "bleu", "rouge_l", "loss"} and "exact" in report["intervals"]
    assert set(report["baselines"]) == {"nearest"} and report["kind"] == "seq2seq"
    samples = json.loads((found["evaluate"].records / "samples.json").read_text())
    folder = found["train"].file("config.json").parent
    again = rewriter.Predictor.load(folder).frame([one["text"] for one in samples]).to_numpy().tolist()
    assert [one["answer"] for one in samples] == again
    mask.command(tmp_path / "recipe.yaml", [], 2)
    assert "the mask certificate holds" in " ".join(capsys.readouterr().out.split())
    trace.command(tmp_path / "recipe.yaml", str(int(_test_row(found))), [], True)
    way = json.loads(capsys.readouterr().out)
    assert set(way["answer"]["told"]) == {"true", "written", "ended"} and way["encode"]["labels"][-1] >= 0


def _test_row(found: Any) -> int:
    from tasks.data.ledger import read_ledger

    ledger = read_ledger(found["encode"].file("ledger.parquet"))
    return int(ledger.loc[ledger["state"] == "test", "number"].iloc[0])


def test_recipes_that_cannot_be_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_text(RECIPE, encoding="utf-8")
    for change, message in (
        ("evaluate.baselines=[tfidf]", "tfidf is none for encode.kind seq2seq; take of nearest"),
        ("train.metric=macro_f1", "train.metric macro_f1 needs classes"),
        ("register.metric=accuracy", "models of encode.kind seq2seq are judged by exact, bleu"),
        ("download.columns.target=null", "encode.kind seq2seq reads texts with a target"),
    ):
        with pytest.raises(RecipeError, match=message):
            load_recipe(path, [change])
