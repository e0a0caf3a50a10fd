"""LoRA: what is trained and what is not, merged = adapted, adapters that peft reads, new tokens, refusals, resuming."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tiny import ROOT, recipe
from tokenizers import Tokenizer, models
from torch import Tensor
from transformers import (
    AutoModelForCausalLM,
    AutoModelForSequenceClassification,
    BertConfig,
    BertForMaskedLM,
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    PhiConfig,
    PhiForCausalLM,
)

from configs.load import RecipeError, load_recipe
from configs.lora import Lora
from configs.models import LocalModel, NewModel
from configs.phases import Phase
from configs.schema import Train
from tasks.data.errors import DataError
from tasks.kinds.text_classification.encoding import LabelWordEncoding
from tasks.kinds.text_classification.training import TextClassification
from tasks.learn.checkpoints import checkpoints
from tasks.learn.fit import Fitted, TrainingCallbacks, TrainingRun, fit
from tasks.learn.labels import IGNORE_INDEX
from tasks.learn.phases import plan_phases
from tasks.text.encoding import Encoding
from tasks.text.lora import add_lora, probe_batch, scores
from tasks.text.merging import TOLERANCE, export_merged
from tasks.text.models import take_forward
from tasks.text.parts import Part
from tasks.text.quantized import require_quantization
from tasks.text.segments import Encoded
from tasks.text.supervision import SupervisedTokens
from tasks.text.tokenizer import TextTokenizer
from tasks.train import libraries

peft = pytest.importorskip("peft")

pytestmark = pytest.mark.faults
WORDS = 40
LABELS = ("neg", "pos")


def tokenizer(words: int = WORDS) -> TextTokenizer:
    return TextTokenizer(Tokenizer(models.WordLevel({f"w{i}": i for i in range(words)}, unk_token="w0")), {"eos": 0})


WRITER = LabelWordEncoding("label_word", LABELS, (4, 5), {"eos": 0}, 12, "longest", 1)
READER = Encoding("classifier", LABELS, (), {"cls": 2, "sep": 3}, 12, "longest", 1)


@dataclass(frozen=True)
class Grown(Encoding):
    """An encoding whose rows have tokens that the model does not know yet."""

    new_tokens: tuple[int, ...] = (WORDS, WORDS + 1)  # type: ignore[misc]


GROWN = Grown("label_word", LABELS, (4, 5), {"eos": 0}, 12, "longest", 1)
DOMAINS = {
    "writer": TextClassification(WRITER, tokenizer()),
    "reader": TextClassification(READER, tokenizer()),
    "grown": TextClassification(GROWN, tokenizer(WORDS + 2)),
}


class Killed(Exception):
    """What ends a training from outside."""


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def part(rows: int, seed: int, encoding: Encoding) -> Part:
    """Six words of w6 to w39; half of them are of w20 to w24 where the label is 1, and none where it is 0."""
    draw = np.random.default_rng(seed)
    ids, labels, offsets, classes = [], [], [0], []
    for number in range(rows):
        label, words = number % 2, draw.choice([*range(6, 20), *range(25, WORDS)], 6)
        words[::2] = draw.integers(20, 25, 3) if label else words[::2]
        if encoding.kind == "label_word":
            head = list(encoding.new_tokens)
            row, tail = [*head, *words.tolist(), 0, 4 + label], [4 + label]
        else:
            row, tail = [2, *words.tolist(), 3], []
        ids += row
        labels += [IGNORE_INDEX] * (len(row) - len(tail)) + tail
        offsets.append(len(ids))
        classes.append(label)
    encoded = Encoded(np.array(ids, np.int32), np.array(labels, np.int32), np.array(offsets), np.zeros(rows, np.int32))
    return Part([str(i) for i in range(rows)], np.array(classes), encoded)


def parts(encoding: Encoding, rows: int = 64) -> dict[str, Part]:
    return {"train": part(rows, 1, encoding), "validation": part(32, 2, encoding)}


@pytest.fixture(scope="module")
def bases(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Folders of untrained models: a GPT-2, an untied Llama with another embedding size, a masked BERT."""
    root = tmp_path_factory.mktemp("bases")
    torch.manual_seed(3)
    usual = {"vocab_size": WORDS, "bos_token_id": 0, "eos_token_id": 0, "pad_token_id": 1, "initializer_range": 0.2}
    made = {
        "gpt2": GPT2LMHeadModel(GPT2Config(n_embd=32, n_layer=2, n_head=2, n_positions=16, **usual)),
        "llama": LlamaForCausalLM(
            LlamaConfig(
                hidden_size=32,
                intermediate_size=32,
                num_hidden_layers=2,
                num_attention_heads=2,
                tie_word_embeddings=False,
                **usual,
            )
        ),
        "bert": BertForMaskedLM(
            BertConfig(
                vocab_size=WORDS,
                hidden_size=32,
                num_hidden_layers=2,
                num_attention_heads=2,
                intermediate_size=32,
                max_position_embeddings=16,
                initializer_range=0.2,
            )
        ),
    }
    for name, model in made.items():
        model.save_pretrained(root / name)
    return {name: str(root / name) for name in made}


def section(base: str, lora: Lora | None = None, **changes: Any) -> Train:
    usual = {"epochs": 1, "batch_size": 8, "eval_steps": 8, "logging_steps": 4, "learning_rate": 1e-2}
    model = LocalModel(kind="files", path=base)
    return Train(model=model, lora=lora or Lora(), **{**usual, **changes})


def build(domain: str, how: Train, rows: int = 64) -> Any:
    return DOMAINS[domain].model(how, parts(DOMAINS[domain].encoding, rows)["train"])


Report = Callable[[Any, int, Any], None]


def train(
    domain: str, how: Train, root: Path, report: Report = lambda *_: None, rows: int = 64
) -> tuple[Any, Fitted, dict[str, Tensor]]:
    """The trained model, what fit says, and the weights it started from."""
    texts, given = DOMAINS[domain], parts(DOMAINS[domain].encoding, rows)
    model = texts.model(how, given["train"])
    start = {name: value.clone() for name, value in model.state_dict().items()}
    torch.seed()
    callbacks = TrainingCallbacks(lambda step, values: report(model, step, values), lambda *a: None, lambda text: None)
    fitted = fit(how, model, texts.feed(given), TrainingRun(root, callbacks, 1), texts.layout(model))
    return model, fitted, start


def best(fitted: Fitted) -> float:
    return max(row["eval_accuracy"] for row in fitted.history if "eval_accuracy" in row)


@pytest.mark.parametrize(
    ("domain", "base"),
    [("writer", "gpt2"), pytest.param("writer", "llama", marks=pytest.mark.faults), ("reader", "bert")],
)
def test_tiny_models_learn_with_their_base_frozen(domain: str, base: str, bases: Any, tmp_path: Path) -> None:
    how = section(bases[base], Lora(rank=8, alpha=16), epochs=12)
    model, fitted, start = train(domain, how, tmp_path)
    assert best(fitted) >= 0.9, fitted.history
    moved = {name for name, value in model.state_dict().items() if not torch.equal(value, start[name])}
    assert moved <= model.adapters and {name for name in moved if "lora_B" in name}
    heads = {"classifier.weight", "classifier.bias", "bert.pooler.dense.weight", "bert.pooler.dense.bias"}
    assert {name for name in moved if "lora_" not in name} == (heads if domain == "reader" else set())
    assert set(fitted.audits[0].still) >= {name for name, _ in model.named_parameters()} - model.adapters
    assert f"{sum(v.numel() for n, v in model.named_parameters() if n in model.adapters):,} of" in model.adapted


@pytest.mark.parametrize("switch", [{}, {"rslora": True}, {"dora": True}, {"targets": ("c_attn",)}])
def test_merged_is_adapted_and_base_plus_adapter_is_merged(switch: Any, bases: Any, tmp_path: Path) -> None:
    how = section(bases["gpt2"], Lora(rank=4, **switch), epochs=3)
    model, _, _ = train("writer", how, tmp_path / "run")
    texts = DOMAINS["writer"]
    batch = probe_batch(model, 12, writer=True)
    adapted = scores(model, batch)
    texts.save(model, how, tmp_path / "model")
    merged = AutoModelForCausalLM.from_pretrained(tmp_path / "model")
    again = AutoModelForCausalLM.from_pretrained(bases["gpt2"])
    plain = logits(again, batch)
    loaded = peft.PeftModel.from_pretrained(again, str(tmp_path / "model" / "adapter"))
    limit = TOLERANCE["float32"] * adapted.abs().max()
    assert (logits(merged, batch).flatten(0, 1) - adapted).abs().max() <= limit
    assert (logits(loaded, batch) - logits(merged, batch)).abs().max() <= limit
    assert (plain.flatten(0, 1) - adapted).abs().max() > 100 * limit, "it has learnt something"
    assert not [name for name in merged.state_dict() if "lora" in name]
    config = json.loads((tmp_path / "model" / "adapter" / "adapter_config.json").read_text())
    flags = (config["r"], config["use_rslora"], config["use_dora"], config["fan_in_fan_out"])
    assert flags == (4, "rslora" in switch, "dora" in switch, True)
    layers = {name.rpartition(".")[2] for name in config["target_modules"]}
    assert layers == ({"c_attn"} if "targets" in switch else {"c_attn", "c_proj", "c_fc"})


def logits(model: Any, batch: dict[str, Tensor]) -> Tensor:
    """Of the model as transformers has it, for the positions that a writer is trained at, or for rows."""
    with torch.inference_mode():
        found = model.eval()(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).logits
    return found[:, :-1] if found.dim() == 3 else found


def test_a_classifiers_adapter_brings_its_head(bases: Any, tmp_path: Path) -> None:
    how = section(bases["bert"], epochs=2)
    model, _, _ = train("reader", how, tmp_path / "run")
    DOMAINS["reader"].save(model, how, tmp_path / "model")
    merged = AutoModelForSequenceClassification.from_pretrained(tmp_path / "model")
    torch.manual_seed(9)
    base = AutoModelForSequenceClassification.from_pretrained(bases["bert"], num_labels=2)
    batch = probe_batch(merged, 12, writer=False)
    before = logits(base, batch)
    found = logits(peft.PeftModel.from_pretrained(base, str(tmp_path / "model" / "adapter")), batch)
    assert torch.allclose(found, logits(merged, batch), atol=1e-5) and not torch.allclose(found, before, atol=1e-2)


def test_the_same_training_writes_the_same_bytes(bases: Any, tmp_path: Path) -> None:
    how = section(bases["gpt2"])
    for name in ("one", "two"):
        model, _, _ = train("writer", how, tmp_path / f"run-{name}", rows=16)
        DOMAINS["writer"].save(model, how, tmp_path / name)
    files = [path.relative_to(tmp_path / "one") for path in (tmp_path / "one").rglob("*") if path.is_file()]
    assert len(files) >= 4
    assert all((tmp_path / "one" / path).read_bytes() == (tmp_path / "two" / path).read_bytes() for path in files)


def test_a_merge_that_changes_the_model_is_caught(bases: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Planted: a layer that merges half of its adapter."""
    how = section(bases["gpt2"], epochs=3)
    model, _, _ = train("writer", how, tmp_path / "run")
    whole = peft.tuners.lora.Linear.get_delta_weight
    monkeypatch.setattr(peft.tuners.lora.Linear, "get_delta_weight", lambda self, name: whole(self, name) / 2)
    with pytest.raises(DataError, match=r"merging the adapters changes scores by .* nothing is saved"):
        export_merged(model, tmp_path / "model", probe_batch(model, 12, writer=True), "float32")
    assert not (tmp_path / "model" / "config.json").exists()


def test_adapters_that_are_not_neutral_at_the_start_are_refused(bases: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Planted: a layer that starts with a B that is not 0."""
    monkeypatch.setattr(peft.tuners.lora.layer.LoraLayer, "reset_lora_parameters", lambda self, name, how: None)
    with pytest.raises(DataError, match="new adapters change the scores of GPT2LMHeadModel"):
        build("writer", section(bases["gpt2"]))


@pytest.mark.parametrize("base", ["gpt2", "llama"])
def test_new_tokens_move_and_old_ones_do_not(base: str, bases: Any, tmp_path: Path) -> None:
    """GPT-2's head is its embedding; Llama's here has weights of its own."""
    how = section(bases[base], epochs=2)
    model, _, start = train("grown", how, tmp_path / "run")
    heads = {"gpt2": "transformer.wte", "llama": "model.embed_tokens"}
    rows = {name for name in model.adapters if "trainable_tokens" in name}
    assert len(rows) == (1 if base == "gpt2" else 2)
    texts = DOMAINS["grown"]
    texts.save(model, how, tmp_path / "model")
    merged = AutoModelForCausalLM.from_pretrained(tmp_path / "model")
    embedding, head = (layer.weight for layer in (merged.get_input_embeddings(), merged.get_output_embeddings()))
    assert (embedding is head) == (base == "gpt2") and len(embedding) == WORDS + 2
    first = start[f"{heads[base]}.token_adapter.base_layer.weight"]
    assert torch.equal(embedding[:WORDS], first[:WORDS]) and (embedding[WORDS:] != first[WORDS:]).any(1).all()
    if base == "llama":
        first = start["lm_head.token_adapter.base_layer.weight"]
        assert torch.equal(head[:WORDS], first[:WORDS]) and (head[WORDS:] != first[WORDS:]).any(1).all()
    again = AutoModelForCausalLM.from_pretrained(bases[base])
    again.resize_token_embeddings(WORDS + 2, mean_resizing=False)
    loaded = peft.PeftModel.from_pretrained(again, str(tmp_path / "model" / "adapter"))
    batch = probe_batch(merged, 12, writer=True, tokens=GROWN.new_tokens)
    assert set(GROWN.new_tokens) <= set(batch["input_ids"].view(-1).tolist())
    assert torch.allclose(logits(loaded, batch), logits(merged, batch), atol=1e-5)


def test_a_head_whose_bias_would_be_lost_is_refused() -> None:
    """peft leaves a head's bias out where rows of the head are trained (0.21)."""
    torch.manual_seed(0)
    model = PhiForCausalLM(
        PhiConfig(vocab_size=WORDS, hidden_size=32, intermediate_size=32, num_hidden_layers=1, num_attention_heads=2)
    )
    torch.nn.init.normal_(model.lm_head.bias)
    take_forward(model, SupervisedTokens)
    batch = probe_batch(model, 12, writer=True)
    with pytest.raises(DataError, match="new adapters change the scores of PhiForCausalLM"):
        add_lora(model, Lora(), batch, heads=(), tokens=(38, 39))


def test_only_new_tokens_make_an_embedding_grow(bases: Any) -> None:
    with pytest.raises(DataError, match="has 42 tokens, the model's embedding only 40"):
        TextClassification(WRITER, tokenizer(WORDS + 2)).model(section(bases["gpt2"]), parts(WRITER)["train"])


@pytest.mark.parametrize(
    ("targets", "message"),
    [
        ("c_atn", r"targets: no linear layer of the model is called 'c_atn'; did you mean .*c_attn"),
        ("xyz", r"called 'xyz'; there are c_attn, c_proj, c_fc"),
        ("lm_head", r"no linear layer of the model is called 'lm_head'"),
    ],
)
def test_targets_that_are_none_are_named(targets: str, message: str, bases: Any) -> None:
    with pytest.raises(DataError, match=message):
        build("writer", section(bases["gpt2"], Lora(targets=targets)))  # type: ignore[arg-type]


def test_targets_by_name_by_part_and_by_wildcard(bases: Any) -> None:
    cases = {"h.0": 4, "attn.c_attn": 2, "*.mlp": 4, "h.[0-1].mlp.c_fc": 2}
    for target, layers in cases.items():
        model = build("writer", section(bases["gpt2"], Lora(targets=(target,))))
        assert sum(hasattr(part, "lora_A") for part in model.modules()) == layers, target


def test_a_base_in_fewer_bits_says_what_it_lacks(bases: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(DataError, match=r"base 4bit needs .*a CUDA GPU; without, set train\.lora\.base: float32"):
        build("writer", section(bases["gpt2"], Lora(base="4bit")))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr("tasks.text.quantized.find_spec", lambda name: None)
    with pytest.raises(DataError, match=r"base 8bit needs the package bitsandbytes \(pip install 'temper\[quantized"):
        require_quantization("8bit")


@pytest.mark.parametrize("base", ["4bit", "8bit"])
def test_a_base_in_fewer_bits_learns_and_merges(
    base: str, bases: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a CPU, where bitsandbytes computes too; the guard leaves it out since it is slow there."""
    pytest.importorskip("bitsandbytes")
    monkeypatch.setattr("tasks.text.quantized.require_quantization", lambda base: None)
    how = section(bases["llama"], Lora(rank=4, base=base), epochs=6)  # type: ignore[arg-type]
    model, fitted, _ = train("writer", how, tmp_path / "run")
    assert best(fitted) >= 0.9
    adapted = scores(model, batch := probe_batch(model, 12, writer=True))
    DOMAINS["writer"].save(model, how, tmp_path / "model")
    merged = AutoModelForCausalLM.from_pretrained(tmp_path / "model")
    assert merged.dtype == torch.float32 and not hasattr(merged.config, "quantization_config")
    error = (logits(merged, batch).flatten(0, 1) - adapted).abs().max() / adapted.abs().max()
    assert error <= TOLERANCE[base]


def test_without_peft_the_extra_is_named(bases: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "peft", None)
    with pytest.raises(DataError, match=r"needs the package peft: pip install 'temper\[lora\]'"):
        build("writer", section(bases["gpt2"]))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (["train.lora.rank=0"], "rank"),
        (["train.lora.targets=[]"], "targets"),
        (["train.lora.dropout=1.0"], "dropout"),
        (["train.lora.base=4bit"], "model.kind new has none"),
        (["train.lora.dora=true", "train.lora.base=8bit"], "dora needs base: float32, not 8bit"),
        (["train.lora.rnak=4"], "rank"),
    ],
)
def test_recipes_that_make_no_sense_are_refused(changes: list[str], message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        recipe(*changes)


def test_lora_is_of_texts_alone() -> None:
    with pytest.raises(RecipeError, match=r"train\.lora is not read with encode\.kind: image"):
        load_recipe(ROOT / "configs" / "digits_demo.yaml", ["train.lora.rank=8"])


def test_peft_is_in_the_key_of_trainings_with_adapters_alone() -> None:
    """Planted beside it: an import by name would have put it into every training's key."""
    from tasks.store.code import closure

    plain, adapted = recipe().train, recipe("train.lora.rank=8").train
    assert "peft" not in libraries(plain) and "peft" in libraries(adapted)
    assert not {"peft", "bitsandbytes"} & set(closure("tasks.train", "tasks.kinds.text_classification.training")[1])


# phases, audit, resuming


def test_phases_are_of_adapters_and_these_are_new(bases: Any) -> None:
    head = Phase(trainable="head", learning_rate=0.5)
    phases = (head, Phase(learning_rate=0.2), Phase(freeze=("encoder.layer.0",)))
    how = section(bases["bert"], phases=phases, epochs=1)
    model = build("reader", how)
    first, everything, last = plan_phases(how, DOMAINS["reader"].layout(model))
    assert first.trained == {"classifier.weight", "classifier.bias"}
    assert everything.trained == model.adapters and set(everything.rates.values()) == {0.2}
    frozen = model.adapters - last.trained
    assert frozen and all(".encoder.layer.0." in name and "lora_" in name for name in frozen)


def test_a_loaded_head_is_trained_at_the_rate_of_loaded_weights(bases: Any, tmp_path: Path) -> None:
    model = build("reader", section(bases["bert"]))
    DOMAINS["reader"].save(model, section(bases["bert"]), tmp_path / "start")
    how = section(str(tmp_path / "start"), phases=(Phase(learning_rate=0.2),))
    plan = plan_phases(how, DOMAINS["reader"].layout(build("reader", how)))[0]
    assert {plan.rates[name] for name in plan.trained if "lora_" in name} == {0.2}
    assert plan.trained > {"classifier.weight", "classifier.bias"}


def test_the_audit_catches_a_base_that_moves(bases: Any, tmp_path: Path) -> None:
    """Planted: something that writes into a frozen weight of the base."""

    def spoil(model: Any, step: int, values: Any) -> None:
        with torch.no_grad():
            model.transformer.h[0].attn.c_attn.base_layer.weight += 1e-3

    with pytest.raises(DataError, match=r"holds still have moved, such as transformer\.h\.0\.attn\.c_attn\.base_layer"):
        train("writer", section(bases["gpt2"]), tmp_path, spoil)


@pytest.mark.parametrize(
    "phases", [(), pytest.param((Phase(trainable="head"), Phase(epochs=1)), marks=pytest.mark.faults)]
)
def test_a_killed_training_ends_bit_equal(phases: tuple[Phase, ...], bases: Any, tmp_path: Path) -> None:
    domain, base = ("reader", "bert") if phases else ("writer", "gpt2")
    how = section(bases[base], Lora(dropout=0.2, dora=True), phases=phases, epochs=1 if phases else 2, eval_steps=3)
    whole, fitted, _ = train(domain, how, tmp_path / "whole")

    def kill(model: Any, step: int, values: Any) -> None:
        if step == 12:
            raise Killed

    with pytest.raises(Killed):
        train(domain, how, tmp_path / "killed", kill)
    model, again, _ = train(domain, how, tmp_path / "killed")
    assert again.resumed_at is not None and again.history == fitted.history
    assert all(torch.equal(value, model.state_dict()[name]) for name, value in whole.state_dict().items())
    newest = max(checkpoints(next((tmp_path / "whole").rglob("checkpoint-*")).parent))[1]
    size = (newest / "model.safetensors").stat().st_size
    total = sum(value.numel() * 4 for value in model.state_dict().values())
    assert size < 0.7 * total, "a checkpoint holds the adapters, not the base"


def test_weights_of_other_adapters_are_refused(bases: Any, tmp_path: Path) -> None:
    from tasks.learn.weight_files import load_weights, save_weights

    save_weights(build("writer", section(bases["gpt2"], Lora(targets=("c_fc",)))), tmp_path)
    with pytest.raises(DataError, match="does not hold what is trained here, such as transformer"):
        load_weights(build("writer", section(bases["gpt2"])), tmp_path)


def test_gradient_checkpointing_changes_nothing(bases: Any, tmp_path: Path) -> None:
    runs = [
        train("writer", section(bases["gpt2"], gradient_checkpointing=choice), tmp_path / str(choice), rows=16)
        for choice in (False, True)
    ]
    one, other = (run[0].state_dict() for run in runs)
    assert all(torch.allclose(one[name], other[name], atol=1e-6) for name in one)


def test_a_new_model_may_have_adapters_too() -> None:
    how = Train(
        model=NewModel(kind="new", family="gpt2", config={"n_embd": 16, "n_layer": 1, "n_head": 2}), lora=Lora()
    )
    model = build("writer", how)
    assert model.adapters and all("lora_" in name for name in model.adapters)
    assert isinstance(model, SupervisedTokens) and type(model).__name__ == "GPT2LMHeadModel"
