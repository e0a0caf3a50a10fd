"""Masked language models: what is hidden and what never is, the certificate, resuming, and a classifier from one."""

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import aims
import numpy as np
import pytest
import torch
from tokenizers.models import BPE
from transformers import BertForMaskedLM

from configs.encodings import ClassifierEncode, MaskedEncode
from configs.kinds import kinds, traits_of
from configs.lora import Lora
from configs.models import LocalModel, LocalTokenizer
from tasks.data.errors import DataError
from tasks.kinds.masked_lm import encode as masked_rows
from tasks.kinds.masked_lm import predictor as filler
from tasks.kinds.masked_lm.certificate import certify_masked
from tasks.kinds.masked_lm.encoding import FIXED, MaskedEncoding, pad_masked
from tasks.kinds.masked_lm.feed import ChangingRows, FixedRows, collate_masked
from tasks.kinds.masked_lm.forward import SupervisedMasks, require_bidirectional
from tasks.kinds.masked_lm.report import by_frequency, with_mask
from tasks.kinds.masked_lm.training import FORM, MaskedLm, open_training
from tasks.kinds.text_classification.encode import make_encoding as make_classifier
from tasks.kinds.text_classification.training import FORMS, TextClassification
from tasks.learn.fit import TrainingRun
from tasks.learn.labels import IGNORE_INDEX
from tasks.text.certificate import NO_TARGET, MaskError
from tasks.text.models import build_model
from tasks.text.vocabulary import make_tokenizer

pytestmark = pytest.mark.faults
ROWS = aims.table(150)
TEXTS = ROWS["text"].tolist()


def make(**options: Any) -> Any:
    section = MaskedEncode(kind="masked", tokenizer=aims.LEARNT, **{"max_length": 40, **options})
    return masked_rows.make_encoding(section, ROWS)


ENCODING, TOKENIZER = make()
PART, _ = masked_rows.encode_part(ENCODING, TOKENIZER, ROWS)
EVERY = range(len(PART))


def pad(epoch: int, seed: int = 0, encoding: MaskedEncoding = ENCODING) -> Any:
    return pad_masked(encoding, PART.encoded, PART.ids, EVERY, (epoch, seed))


def test_the_shares_are_bert_s_and_special_tokens_stay() -> None:
    counts: Counter[str] = Counter()
    for epoch in range(60):
        batch = pad(epoch)
        whole = np.where(batch["labels"] == IGNORE_INDEX, batch["input_ids"], batch["labels"])
        predicted = batch["labels"] != IGNORE_INDEX
        assert not np.isin(whole[predicted], ENCODING.special_ids).any()
        counts["plain"] += int((~np.isin(whole, ENCODING.special_ids)).sum())
        counts["predicted"] += int(predicted.sum())
        counts["hidden"] += int((batch["input_ids"][predicted] == ENCODING.special["mask"]).sum())
        counts["kept"] += int((batch["input_ids"] == batch["labels"]).sum())
    assert counts["predicted"] / counts["plain"] == pytest.approx(0.15, abs=0.005)
    assert counts["hidden"] / counts["predicted"] == pytest.approx(0.8, abs=0.015)
    assert counts["kept"] / counts["predicted"] == pytest.approx(0.1, abs=0.012)


def test_what_is_hidden_follows_from_epoch_row_and_seed_alone() -> None:
    first, again, later, other = pad(0), pad(0), pad(1), pad(0, 1)
    assert all((first[name] == again[name]).all() for name in first)
    assert (first["labels"] != later["labels"]).any(1).mean() > 0.75
    assert (first["labels"] != other["labels"]).any(1).mean() > 0.75
    alone = pad_masked(ENCODING, PART.encoded, PART.ids, [7], (0, 0))
    length = int(PART.encoded.lengths[7])
    assert (alone["input_ids"][0] == first["input_ids"][7][:length]).all()
    collate, fixed = collate_masked(ENCODING, 5), FixedRows(PART)
    assert not hasattr(fixed, "begin_epoch")
    assert (collate([fixed[n] for n in EVERY])["labels"].numpy() == pad(FIXED, 0)["labels"]).all()


def test_rows_change_with_the_epoch() -> None:
    rows, collate = ChangingRows(PART), collate_masked(ENCODING, 5)
    rows.begin_epoch(3)
    assert (collate([rows[n] for n in EVERY])["labels"].numpy() == pad(3, 5)["labels"]).all()


def test_texts_without_a_token_to_hide_fall_away() -> None:
    rows = aims.frame(["the bus", "", "the tram"], ["a", "b", "c"])
    part, dropped = masked_rows.encode_part(ENCODING, TOKENIZER, rows)
    assert part.ids == [rows["id"][0], rows["id"][2]]
    assert dropped.to_dict("records") == [{"id": rows["id"][1], "reason": NO_TARGET}]


@pytest.mark.parametrize("padding", ["longest", "max_length"])
def test_the_certificate_holds(padding: Any) -> None:
    found = masked_rows.certify_part(replace(ENCODING, padding=padding), TOKENIZER, PART, ROWS).as_dict()
    assert found["holds"] and found["rows"] == 150 and 100 < found["supervised"] < 350
    cut, tokenizer = make(max_length=7)
    part, _ = masked_rows.encode_part(cut, tokenizer, ROWS)
    found = masked_rows.certify_part(cut, tokenizer, part, ROWS).as_dict()
    assert found["holds"] and found["cut_rows"] == 150


def _special(batch: Any) -> None:
    batch["labels"][:, 0] = batch["input_ids"][:, 0]


def _shift(batch: Any) -> None:
    batch["labels"] = np.roll(batch["labels"], 1, axis=1)


def _unpredicted(batch: Any) -> None:
    batch["labels"][batch["input_ids"] == ENCODING.special["mask"]] = IGNORE_INDEX


def _pads(batch: Any) -> None:
    batch["labels"][batch["attention_mask"] == 0] = ENCODING.pad_id


def _hidden_label(batch: Any) -> None:
    marked = batch["labels"] != IGNORE_INDEX
    batch["labels"][marked] = batch["input_ids"][marked]


def _all(batch: Any) -> None:
    whole = np.where(batch["labels"] == IGNORE_INDEX, batch["input_ids"], batch["labels"])
    plain = ~np.isin(whole, ENCODING.special_ids)
    batch["labels"][plain] = whole[plain]


def _always_mask(batch: Any) -> None:
    batch["input_ids"][batch["labels"] != IGNORE_INDEX] = ENCODING.special["mask"]


def _never_mask(batch: Any) -> None:
    marked = batch["labels"] != IGNORE_INDEX
    batch["input_ids"][marked] = batch["labels"][marked]


def _none(batch: Any) -> None:
    _never_mask(batch)
    batch["labels"][:] = IGNORE_INDEX


@pytest.mark.parametrize(
    ("change", "check"),
    [
        (_special, "a special token is to be predicted"),
        (_shift, "a label is not the token that stood there"),
        (_unpredicted, "a token that is not to be predicted is changed"),
        (_pads, "attention is not the row's length"),
        (_hidden_label, "a label is not the token that stood there"),
        (_all, "the share of predicted tokens is off"),
        (_always_mask, "the share of hidden tokens is off"),
        (_never_mask, "the share of hidden tokens is off"),
        (_none, "no token is to be predicted"),
    ],
)
def test_the_certificate_catches(change: Any, check: str) -> None:
    def faulty(rows: Any) -> Any:
        batch = pad_masked(ENCODING, PART.encoded, PART.ids, rows, (0, 0))
        change(batch)
        return batch

    result = certify_masked(ENCODING, TOKENIZER, PART, TEXTS, faulty)
    assert result.violations[check]
    with pytest.raises(MaskError, match="break the mask check"):
        result.require("train")


def model(**changes: Any) -> Any:
    still = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    return build_model(aims.new("bert", **aims.BERT, **still, **changes), FORM, ENCODING, TOKENIZER, 0)


def test_loss_and_gradients_are_those_of_transformers_with_the_head_at_hidden_tokens_alone() -> None:
    found = model()
    whole = BertForMaskedLM(found.config)
    whole.load_state_dict(found.state_dict())
    rows = ChangingRows(PART)
    batch = collate_masked(ENCODING, 0)([rows[n] for n in range(20)])
    theirs, ours = whole(**batch), found(**batch)
    theirs.loss.backward()
    ours.loss.backward()
    count = int((batch["labels"] != IGNORE_INDEX).sum())
    assert ours.logits.shape == (count, TOKENIZER.size)
    assert ours.loss.item() == pytest.approx(theirs.loss.item(), rel=1e-5)
    pairs = zip(found.parameters(), whole.parameters(), strict=True)
    assert max(float((a.grad - b.grad).abs().max()) for a, b in pairs if b.grad is not None) < 1e-5
    assert found(**batch, num_items_in_batch=3).loss.item() == pytest.approx(ours.loss.item() * count / 3, rel=1e-5)
    nothing = {**batch, "labels": torch.full_like(batch["labels"], IGNORE_INDEX)}
    for items in (None, torch.tensor(0)):
        empty = found(**nothing, num_items_in_batch=items).loss
        assert empty.item() == 0
        empty.backward()


def test_models_that_cannot_predict_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DataError, match="lets no token see later ones"):
        model(is_decoder=True)
    with pytest.raises(DataError, match="gpt2"):
        build_model(aims.new("gpt2", n_embd=8, n_layer=1, n_head=1), FORM, ENCODING, TOKENIZER, 0)
    found = model()
    head = type(found.cls).forward
    monkeypatch.setattr(type(found.cls), "forward", lambda self, states: head(self, states - states.mean(1, True)))
    with pytest.raises(DataError, match="needs every token"):
        require_bidirectional(found)
    assert isinstance(found, SupervisedMasks)


def test_a_tokenizer_without_a_mask_is_refused(tmp_path: Path) -> None:
    (tmp_path / "vocab.txt").write_text("[PAD]\n[UNK]\n[CLS]\n[SEP]\nthe", encoding="utf-8")
    source = LocalTokenizer(kind="files", path=str(tmp_path))
    tokenizer = make_tokenizer(source, [])
    assert "mask" in tokenizer.special, "a vocab.txt without one gets it as a new token"
    plain = aims.LEARNT
    with pytest.raises(DataError, match="needs a tokenizer with cls and sep and mask token"):
        masked_rows.frame_of("masked", make_tokenizer(plain, TEXTS), ("cls", "sep", "mask"))


def saved(folder: Path, **changes: Any) -> Any:
    """A folder as training leaves it; the model, and what training said."""
    domain = MaskedLm(ENCODING, TOKENIZER)
    section = aims.train_section(aims.new("bert", **aims.BERT), **changes)
    found, done = aims.fitted(domain, {"train": PART, "validation": PART}, section, folder / "work")
    domain.save(found, section, folder)
    ENCODING.save(folder)
    TOKENIZER.save(folder)
    return found, done


def test_a_classifier_can_start_from_it(tmp_path: Path) -> None:
    adapted, _ = saved(tmp_path, epochs=1)
    source = LocalTokenizer(kind="files", path=str(tmp_path))
    tokenizer = make_tokenizer(source, [])
    assert isinstance(tokenizer.backend.model, BPE), "as it was learnt, not what transformers has for BERT"
    assert tokenizer.ids(TEXTS) == TOKENIZER.ids(TEXTS) and tokenizer.special == {
        **TOKENIZER.special,
        **ENCODING.special,
    }
    section = ClassifierEncode(kind="classifier", tokenizer=source, max_length=40)
    encoding = make_classifier(section, tokenizer, ["neg", "pos"])
    start = LocalModel(kind="files", path=str(tmp_path))
    classifier = build_model(start, FORMS[encoding.kind], encoding, tokenizer, 1)
    wanted, found = adapted.bert.state_dict(), classifier.bert.state_dict()
    assert len(wanted) > 15 and all(torch.equal(value, found[name]) for name, value in wanted.items())
    fresh = TextClassification(encoding, tokenizer).layout(classifier).fresh
    assert {"classifier.weight", "classifier.bias"} <= fresh
    assert not [name for name in fresh if name.startswith("bert.") and ".pooler." not in name]
    new = build_model(aims.new("bert", **aims.BERT), FORMS[encoding.kind], encoding, tokenizer, 1).bert.state_dict()
    assert not torch.equal(new["embeddings.word_embeddings.weight"], found["embeddings.word_embeddings.weight"])


def test_a_resumed_training_hides_the_same_tokens(tmp_path: Path) -> None:
    """Stopped within the third epoch: weights are bit-equal to those of a training that ran through."""

    class Stop(Exception):
        pass

    options: dict[str, Any] = {"epochs": 4, "eval_steps": 7}
    whole, _ = saved(tmp_path / "whole", **options)
    domain = MaskedLm(ENCODING, TOKENIZER)
    section = aims.train_section(aims.new("bert", **aims.BERT), **options)
    parts, root = {"train": PART, "validation": PART}, tmp_path / "cut"

    def stop(step: int, values: Any) -> None:
        if step >= 50:
            raise Stop

    torch.set_num_threads(1)
    begun = domain.model(section, PART)
    callbacks = aims.TrainingCallbacks(stop, lambda *a: None, lambda *a: None)
    with pytest.raises(Stop):
        aims.fit(
            section, begun, domain.feed(parts, section.seed), TrainingRun(root, callbacks, 1), domain.layout(begun)
        )
    again = domain.model(section, PART)
    quiet = TrainingRun(root, aims.QUIET, 1)
    done = aims.fit(section, again, domain.feed(parts, section.seed), quiet, domain.layout(again))
    assert done.resumed_at is not None and 2 < done.resumed_at / 19 < 3, "in the third epoch of 19 steps"
    assert all(torch.equal(a, b) for a, b in zip(whole.parameters(), again.parameters(), strict=True))


def test_it_learns_to_predict_masked_tokens(tmp_path: Path) -> None:
    _, done = saved(tmp_path, epochs=40, learning_rate=1e-2, eval_steps=190)
    scores = [row for row in done.history if "eval_loss" in row]
    assert scores[-1]["eval_accuracy"] > 0.5 and open_training(tmp_path).kind == "masked"
    predictor = filler.Predictor.load(tmp_path)
    found = predictor.predict_masked(PART.encoded, PART.ids, 16)
    best = min(row["eval_loss"] for row in scores)
    assert found.losses.sum() / found.tokens.sum() == pytest.approx(best, rel=1e-4), "as in training"
    base = by_frequency(predictor, PART.encoded, PART.encoded, PART.ids)
    assert (base.tokens == found.tokens).all() and base.losses.sum() > found.losses.sum()
    told = predictor.frame(["the bus [MASK] three was late again", "the bus number three was [MASK] [MASK]"])
    assert told["filled"][0] == "the bus number three was late again"
    assert told["filled"][1].endswith(" again") and 0 < told["probability"].min() <= told["probability"].max() <= 1
    for text, message in (("the bus", r"has no \[MASK\]"), ("bus " * 60 + "[MASK]", "stands behind the 39 tokens")):
        with pytest.raises(ValueError, match=message):
            predictor.frame([text])
    asked = [with_mask(predictor, row, text) for row, text in zip(PART.ids, TEXTS, strict=True)]
    assert all(text.count("[MASK]") == 1 for text in asked) and len({text.index("[MASK]") for text in asked}) > 3


def test_adapters_train_and_are_merged(tmp_path: Path) -> None:
    pytest.importorskip("peft", reason="the adapters' library is not installed")
    saved(tmp_path, epochs=1, lora=Lora(rank=4))
    assert (tmp_path / "adapter" / "adapter_config.json").is_file()
    assert len(filler.Predictor.load(tmp_path).frame(["the [MASK] was late", "a [MASK]"])) == 2


RECIPE = """
name: gaps
download: {kind: file, path: rows.csv, columns: {label: null}}
validate: {min_rows: 20, max_duplicates: 0.9}
clean: {steps: [missing]}
split: {kind: hash, near_copies: keep}
encode: {kind: masked, tokenizer: {kind: train, vocab_size: 420}, max_length: 40}
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
register: {model: gaps, metric: perplexity}
"""


def test_the_stages_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from flows.cli import mask

    found = aims.stages(tmp_path, ROWS, RECIPE)
    report = json.loads(found["evaluate"].file("report.json").read_text())
    assert set(report["scores"]) == {"perplexity", "accuracy", "loss"} and set(report["baselines"]) == {"majority"}
    samples = json.loads((found["evaluate"].records / "samples.json").read_text())
    folder = found["train"].file("config.json").parent
    again = filler.Predictor.load(folder).frame([one["text"] for one in samples]).to_numpy().tolist()
    assert [one["answer"] for one in samples] == again
    mask.command(tmp_path / "recipe.yaml", [], 4)
    shown = capsys.readouterr().out
    assert "[MASK]=" in shown and "the mask certificate holds" in " ".join(shown.split())


@pytest.mark.parametrize("kind", [kind for kind in kinds() if traits_of(kind).content != "image"])
def test_what_travels_with_a_model_needs_no_recipe(kind: str, tmp_path: Path) -> None:
    from tasks.kinds.spec import module_of
    from tasks.tracking.model_package import carry_code

    carried = carry_code(tmp_path, "carried", module_of(kind, "predictor"))
    code = [path.read_text(encoding="utf-8") for path in carried.rglob("*.py")]
    assert len(code) > 5 and not [text for text in code if "configs" in text.split()]
    assert not [text for text in code if "import pyarrow" in text]
