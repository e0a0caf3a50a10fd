"""Models: the head at supervised positions alone, gradients whatever the micro-batch, and starts that are refused."""

import json
import logging
import os
import pickle
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from sampled import sampled
from tokenizers import Tokenizer, models
from torch import Tensor, nn
from transformers import (
    AutoModelForSequenceClassification,
    BertConfig,
    BertForMaskedLM,
    BertForSequenceClassification,
    GPT2Config,
    GPT2LMHeadModel,
    TrainerCallback,
)
from transformers.utils import logging as hf_logging

from configs.models import LocalModel, NewModel
from configs.schema import Train
from tasks.data.errors import DataError
from tasks.kinds.text_classification.encoding import LabelWordEncoding
from tasks.kinds.text_classification.feed import collate_rows
from tasks.kinds.text_classification.training import FORMS, TextClassification
from tasks.learn.labels import IGNORE_INDEX
from tasks.learn.phases import Plan
from tasks.learn.trainer import CertifiedTrainer, Targets
from tasks.learn.trainer_arguments import training_arguments
from tasks.text.baselines import WORD, tfidf
from tasks.text.encoding import Encoding
from tasks.text.feed import Rows
from tasks.text.loading import read_weights
from tasks.text.models import build_model, take_forward
from tasks.text.parts import Part
from tasks.text.segments import Encoded
from tasks.text.supervision import SupervisedTokens
from tasks.text.tokenizer import TextTokenizer

WORDS = 40
TOKENIZER = TextTokenizer(Tokenizer(models.WordLevel({f"w{i}": i for i in range(WORDS)}, unk_token="w0")), {"eos": 0})
WRITER = LabelWordEncoding("label_word", ("neg", "pos"), (4, 5), {"eos": 0}, 16, "longest", 1)
READER = Encoding("classifier", ("neg", "pos", "so-so"), (), {"cls": 2, "sep": 3}, 16, "longest", 1)
GPT2 = {"n_embd": 16, "n_layer": 2, "n_head": 2, "n_positions": 16}
BERT = {
    "hidden_size": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 16,
    "max_position_embeddings": 16,
}
STILL = {"resid_pdrop": 0.0, "embd_pdrop": 0.0, "attn_pdrop": 0.0}
QUIET = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def part(rows: int, seed: int = 0) -> Part:
    """Rows of unequal lengths (2 to 15) with unequal numbers of supervised tokens, and class ids."""
    draw = np.random.default_rng(seed)
    lengths = [(2, 15, 2, 15, 7, 4)[i % 6] for i in range(rows)]
    ids = draw.integers(6, WORDS, sum(lengths)).astype(np.int32)
    labels = np.full_like(ids, IGNORE_INDEX)
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    for stop, length in zip(offsets[1:], lengths, strict=True):
        count = int(draw.integers(1, length))
        labels[stop - count : stop] = ids[stop - count : stop]
    encoded = Encoded(ids, labels, offsets, np.zeros(rows, np.int32))
    return Part([str(i) for i in range(rows)], draw.integers(0, 3, rows), encoded)


def writer(seed: int = 0) -> Any:
    torch.manual_seed(seed)
    return GPT2LMHeadModel(
        GPT2Config(vocab_size=WORDS, bos_token_id=0, eos_token_id=0, pad_token_id=1, **GPT2, **STILL)
    )


def reader(seed: int = 0) -> Any:
    torch.manual_seed(seed)
    return BertForSequenceClassification(BertConfig(vocab_size=WORDS, pad_token_id=1, num_labels=3, **BERT, **QUIET))


def gradient(model: nn.Module) -> Tensor:
    return torch.cat([p.grad.reshape(-1) for p in model.parameters() if p.grad is not None]).clone()


def relative(found: Tensor, wanted: Tensor) -> float:
    return float((found - wanted).norm() / wanted.norm())


@pytest.mark.parametrize("kind", ["label_word", "classifier"])
def test_loss_and_gradients_are_those_of_transformers(kind: str) -> None:
    make, encoding = (writer, WRITER) if kind == "label_word" else (reader, READER)
    rows = Rows(part(11))
    batch = collate_rows(encoding)([rows[i] for i in range(11)])
    whole, ours = make(), take_forward(make(), FORMS[kind].forward)
    theirs = whole(**batch)
    theirs.loss.backward()
    found = ours(**batch)
    found.loss.backward()
    errors = [abs(found.loss.item() / theirs.loss.item() - 1), relative(gradient(ours), gradient(whole))]
    print("relative errors", errors)
    assert max(errors) <= 1e-4, errors
    if kind == "label_word":
        targets = int((batch["labels"][:, 1:] != IGNORE_INDEX).sum())
        assert found.logits.shape == (targets, WORDS) and targets < batch["labels"].numel() / 2
    half = ours(**batch, num_items_in_batch=2).loss.item()
    count = targets if kind == "label_word" else 11
    assert half == pytest.approx(found.loss.item() * count / 2, rel=1e-5)


class Grab(TrainerCallback):
    """Keeps the gradient of every optimiser step."""

    def __init__(self) -> None:
        self.steps: list[Tensor] = []

    def on_pre_optimizer_step(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self.steps.append(gradient(kwargs["model"]))


def section(**changes: Any) -> Train:
    silent = {"learning_rate": 1e-12, "logging_steps": 1, "eval_steps": 100}
    return Train(model=NewModel(kind="new", family="gpt2"), **{**silent, **changes})


def gradients(model: Any, encoding: Encoding, root: Path, **changes: Any) -> list[Tensor]:
    """Of each optimiser step of one epoch over 13 rows, with a learning rate that moves nothing."""
    rows, grab = Rows(part(13)), Grab()
    CertifiedTrainer(
        plan=Plan(section(**changes), frozenset(), {name: 1e-3 for name, _ in model.named_parameters()}),
        targets=Targets(encoding.label_ids, "classes"),
        model=model,
        args=training_arguments(section(**changes), root, len(rows), False),
        train_dataset=rows,
        data_collator=collate_rows(encoding),
        callbacks=[grab],
    ).train()
    return grab.steps


class Naive(nn.Module):
    """The planted fault: each micro-batch takes its own mean, and the Trainer averages the means."""

    accepts_loss_kwargs = False

    def forward(self, input_ids: Tensor, attention_mask: Tensor, labels: Tensor) -> Any:
        return super().forward(input_ids=input_ids, attention_mask=attention_mask, labels=labels)  # type: ignore[misc]


@pytest.mark.parametrize("kind", sampled(["label_word", "classifier"], "label_word"))
@pytest.mark.faults
def test_f16_the_gradient_does_not_depend_on_the_micro_batch(kind: str, tmp_path: Path) -> None:
    """13 rows: groups of 8 and 5, as 8x1, 4x2, 2x4 (its last micro-batch has one row) and 1x8."""
    make, encoding = (writer, WRITER) if kind == "label_word" else (reader, READER)
    wanted = gradients(take_forward(make(), FORMS[kind].forward), encoding, tmp_path / "8", batch_size=8)
    assert len(wanted) == 2, "8 rows, then an incomplete group of 5"
    worst = 0.0
    for size in (1, 2, 4):
        model = take_forward(make(), FORMS[kind].forward)
        found = gradients(model, encoding, tmp_path / str(size), batch_size=size, accumulation=8 // size)
        worst = max(worst, *(relative(a, b) for a, b in zip(found, wanted, strict=True)))
    print("relative error", worst)
    assert worst <= 1e-4
    naive = make()
    naive.__class__ = type(type(naive).__name__, (Naive, type(naive)), {})
    planted = gradients(naive, encoding, tmp_path / "naive", batch_size=2, accumulation=4)
    differs = max(relative(a, b) for a, b in zip(planted, wanted, strict=True))
    print("naive relative error", differs)
    assert differs > 0.05, "a mean per micro-batch is another gradient"


def test_the_effective_batch_is_the_mean_over_its_targets(tmp_path: Path) -> None:
    """All 13 rows as one effective batch, against transformers' own loss over them at once."""
    rows = Rows(part(13))
    whole = writer()
    whole(**collate_rows(WRITER)([rows[i] for i in range(13)])).loss.backward()
    for size in (1, 3):
        [found] = gradients(
            take_forward(writer(), SupervisedTokens), WRITER, tmp_path / str(size), batch_size=size, accumulation=13
        )
        assert relative(found, gradient(whole)) <= 1e-4


@pytest.mark.parametrize("kind", ["label_word", "classifier"])
@pytest.mark.faults
def test_gradient_checkpointing_changes_no_gradient(kind: str, tmp_path: Path) -> None:
    make, encoding = (writer, WRITER) if kind == "label_word" else (reader, READER)
    steps = []
    for saving in (False, True):
        model = take_forward(make(), FORMS[kind].forward)
        root = tmp_path / str(saving)
        steps.append(gradients(model, encoding, root, batch_size=8, gradient_checkpointing=saving))
        assert model.is_gradient_checkpointing is saving
    assert all(relative(a, b) <= 1e-4 for a, b in zip(*steps, strict=True))


def new(family: str, encoding: Encoding = WRITER, **config: Any) -> Any:
    return build_model(NewModel(kind="new", family=family, config=config), FORMS[encoding.kind], encoding, TOKENIZER, 7)


def test_new_models_are_seeded_and_fit_their_tokenizer() -> None:
    first, again = new("gpt2", **GPT2), new("gpt2", **GPT2)
    other = build_model(NewModel(kind="new", family="gpt2", config=GPT2), FORMS[WRITER.kind], WRITER, TOKENIZER, 8)
    weights = [model.state_dict() for model in (first, again, other)]
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])
    assert not torch.equal(weights[0]["transformer.wte.weight"], weights[2]["transformer.wte.weight"])
    config = first.config
    assert (config.vocab_size, config.eos_token_id, config.pad_token_id) == (WORDS, 0, 1)
    for family in ("bert", "roberta"):
        classes = new(family, READER, **{**BERT, "max_position_embeddings": 18})
        assert classes.config.id2label == dict(enumerate(READER.labels)) and classes.classifier is not None


@pytest.mark.parametrize(
    ("family", "encoding", "config", "message"),
    [
        ("gpt-2", WRITER, {}, "'gpt-2' is not a model type of transformers"),
        ("gpt2", WRITER, {"n_layers": 2}, "train.model.config.n_layers is not a field of GPT2Config"),
        ("gpt2", WRITER, {**GPT2, "n_embd": 15}, "train.model gpt2: .*divisible"),
        ("gpt2", WRITER, {**GPT2, "vocab_size": 39}, "the tokenizer has 40 tokens, the model's embedding only 39"),
        ("gpt2", WRITER, {**GPT2, "n_positions": 15}, "max_length 16 is above the model's 15 positions"),
        ("bert", READER, {**BERT, "max_position_embeddings": 15}, "max_length 16 is above the model's 15 positions"),
        ("roberta", READER, {**BERT, "max_position_embeddings": 17}, "16 is above the model's 15 positions"),
        ("distilbert", WRITER, {"dim": 16, "n_heads": 2, "n_layers": 1}, "train.model distilbert: Unrecognized"),
        ("bert", WRITER, BERT, "BertLMHeadModel lets a token see later ones"),
        (
            "cohere",
            WRITER,
            {
                "hidden_size": 16,
                "num_hidden_layers": 1,
                "num_attention_heads": 2,
                "intermediate_size": 8,
                "num_key_value_heads": 2,
            },
            "head of CohereForCausalLM is more than one layer",
        ),
    ],
)
def test_new_models_that_cannot_work_are_refused(
    family: str, encoding: Encoding, config: dict[str, Any], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        new(family, encoding, **config)


def load(folder: Path, encoding: Encoding = WRITER) -> Any:
    return build_model(LocalModel(kind="files", path=str(folder)), FORMS[encoding.kind], encoding, TOKENIZER, 7)


def test_reading_weights_draws_no_bar(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    writer().save_pretrained(tmp_path)
    hf_logging.enable_progress_bar()
    GPT2LMHeadModel.from_pretrained(tmp_path)
    assert "Loading weights" in capfd.readouterr().err, "or the bar is called otherwise by now"
    load(tmp_path)
    said = capfd.readouterr()
    assert said.err == "" and said.out == ""


def test_local_weights_are_loaded_and_only_a_head_may_be_new(tmp_path: Path) -> None:
    torch.manual_seed(1)
    start = BertForMaskedLM(BertConfig(vocab_size=WORDS, **BERT))
    start.save_pretrained(tmp_path / "mlm")
    model = load(tmp_path / "mlm", READER)
    kept, own = start.bert.state_dict(), model.bert.state_dict()
    assert kept and all(torch.equal(kept[name], own[name]) for name in kept)
    assert model.classifier.weight.shape == (3, 16) and model.config.label2id["so-so"] == 2
    reader().save_pretrained(tmp_path / "three")
    two = Encoding("classifier", ("neg", "pos"), (), {"cls": 2, "sep": 3}, 16, "longest", 1)
    assert load(tmp_path / "three", two).classifier.weight.shape == (2, 16)
    writer().save_pretrained(tmp_path / "gpt2")
    again = load(tmp_path / "gpt2").state_dict()
    assert all(torch.equal(value, again[name]) for name, value in writer().state_dict().items())


def test_what_is_new_and_what_is_left_over_is_told_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """transformers prints a table of it amid the stages' lines; Temper has it in the page of the training."""
    hf_logging.set_verbosity_warning()
    logging.getLogger("transformers.modeling_utils").addHandler(caplog.handler)  # transformers keeps them to itself
    BertForMaskedLM(BertConfig(vocab_size=WORDS, **BERT)).save_pretrained(tmp_path)
    new, left = load(tmp_path, READER).loaded.splitlines()
    assert new.startswith("- new weights: bert.pooler.dense.bias, ") and new.endswith("classifier.weight")
    assert left.startswith("- left over there: cls.predictions.bias, ")
    assert "LOAD REPORT" not in caplog.text
    read_weights(AutoModelForSequenceClassification, tmp_path)
    logging.getLogger("transformers.modeling_utils").removeHandler(caplog.handler)
    assert "LOAD REPORT" in caplog.text, "or the table is called otherwise by now"


@pytest.mark.parametrize("damage", ["garbage", "weights of another model", "a weight is missing", "another size"])
def test_local_weights_that_do_not_fit_are_refused(damage: str, tmp_path: Path) -> None:
    """transformers would go on with new random weights and a line in the log."""
    reader().save_pretrained(tmp_path / "bert")
    writer().save_pretrained(tmp_path / "gpt2")
    folder, encoding = tmp_path / "gpt2", WRITER
    weights = folder / "model.safetensors"
    if damage == "garbage":
        weights.write_bytes(b"not safetensors at all")
    if damage == "weights of another model":
        shutil.copyfile(tmp_path / "bert" / "model.safetensors", weights)
    if damage == "a weight is missing":
        tensors = load_file(weights)
        del tensors["transformer.h.0.attn.c_attn.weight"]
        save_file(tensors, weights, {"format": "pt"})
    if damage == "another size":
        folder, encoding = tmp_path / "bert", READER
        config = json.loads((folder / "config.json").read_text())
        (folder / "config.json").write_text(json.dumps({**config, "hidden_size": 32}))
    with pytest.raises(DataError, match=r"not a model that .* can load|weights are absent or of another size"):
        load(folder, encoding)


class Canary:
    """What a hostile weights file may hold."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("name", ["pytorch_model.bin", "model.pt", "model.safetensors"])
def test_pickled_weights_are_refused_and_never_run(name: str, tmp_path: Path) -> None:
    canary, folder = tmp_path / "executed", tmp_path / "gpt2"
    writer().save_pretrained(folder)
    (folder / "model.safetensors").unlink()
    (folder / name).write_bytes(pickle.dumps(Canary(canary)))
    with pytest.raises(DataError, match=r"no safetensors weights|not a model that"):
        load(folder)
    assert not canary.exists()
    pickle.loads((folder / name).read_bytes())
    assert canary.exists(), "the canary does sing when it is let out"


def test_the_word_baseline_reads_scripts_without_spaces() -> None:
    """Each letter is a word there; elsewhere words are whole."""
    assert re.findall(WORD, "Das ist gut, 房间很好 ok_1") == ["Das", "ist", "gut", "房", "间", "很", "好", "ok_1"]
    good, bad = (
        ["房间很好，服务也好", "早餐好，位置很好", "很好很好"],
        ["房间太差，服务也差", "早餐差，位置太差", "太差太差"],
    )
    labels = np.array([1, 1, 1, 0, 0, 0])
    assert tfidf(good + bad, labels, ["泳池很好", "电梯太差"]).tolist() == [1, 0]


def test_a_text_classifier_has_the_recipes_loss() -> None:
    """Balanced class weights are those of the training rows; the loss is torch's with them."""
    how = Train(
        model=NewModel(kind="new", family="bert", config=BERT | QUIET), class_weights="balanced", label_smoothing=0.1
    )
    rows = part(13)
    model = TextClassification(READER, TOKENIZER).model(how, rows)
    batch = collate_rows(READER)([Rows(rows)[i] for i in range(13)])
    found = model(**batch)
    weights = torch.tensor(len(rows) / (3 * np.bincount(rows.class_ids, minlength=3)), dtype=torch.float32)
    losses = nn.CrossEntropyLoss(reduction="none", label_smoothing=0.1)(found.logits, batch["labels"])
    assert found.loss.item() == pytest.approx((losses * weights[batch["labels"]]).mean().item(), rel=1e-5)
    assert found.loss.item() != pytest.approx(losses.mean().item(), rel=1e-4)
