"""The loss of preference next to TRL's DPOTrainer, on the same tokens: the extra `bench`."""

import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM, GPT2Config, PreTrainedTokenizerFast

from tasks.kinds.preference.feed import ComparedPart, Pairs, collate_pairs
from tasks.kinds.preference.forward import PreferredReplies
from tasks.kinds.preference.log_probabilities import Batches, log_probabilities
from tasks.learn.labels import IGNORE_INDEX
from tasks.text.models import take_forward
from tasks.text.segments import Encoded

PAD, BETA = 0, 0.3
Pair = tuple[list[int], list[int], list[int]]
ROWS: list[Pair] = [
    ([5, 6, 7], [8, 9], [10]),
    ([11, 12], [13], [14, 15, 16, 17]),
    ([3, 4, 5, 6, 7, 8], [9, 10, 11], [12, 10, 11]),
]
"""Prompt, chosen and rejected reply, in token ids."""


class Padding:
    """What collation asks of an encoding."""

    max_length, padding, pad_id = 32, "longest", PAD


def net(seed: int) -> Any:
    torch.manual_seed(seed)
    still = {"attn_pdrop": 0.0, "embd_pdrop": 0.0, "resid_pdrop": 0.0}
    config = GPT2Config(vocab_size=32, n_layer=2, n_head=2, n_embd=16, n_positions=32, **still)
    return AutoModelForCausalLM.from_config(config, dtype=torch.float32)


def encoded(pairs: Sequence[Pair]) -> Encoded:
    sequences = [(prompt, reply) for prompt, *both in pairs for reply in both]
    ids = [prompt + reply for prompt, reply in sequences]
    labels = [[IGNORE_INDEX] * len(prompt) + reply for prompt, reply in sequences]
    flat = [np.array([token for row in rows for token in row], np.int32) for rows in (ids, labels)]
    offsets = np.concatenate([[0], np.cumsum([len(row) for row in ids])])
    return Encoded(*flat, offsets, np.zeros(len(ids), np.int32))


def gradients(model: Any, loss: torch.Tensor) -> dict[str, torch.Tensor]:
    model.zero_grad()
    loss.backward()
    return {name: value.grad.clone() for name, value in model.named_parameters() if value.requires_grad}


def trl_trainer(trl: Any, model: Any, reference: Any, folder: Path, smoothing: float) -> Any:
    """TRL's own trainer, which wants a data set of texts to be made; the batches below are given to it by hand."""
    from datasets import Dataset
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel

    words = {"<pad>": PAD, "<eos>": 1, "a": 2, "b": 3, "c": 4}
    backend = Tokenizer(WordLevel(words, unk_token="<pad>"))
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend, pad_token="<pad>", eos_token="<eos>")
    rows = Dataset.from_list([{"prompt": "a", "chosen": "b", "rejected": "c"}])
    how = trl.DPOConfig(
        output_dir=str(folder),
        beta=BETA,
        label_smoothing=smoothing,
        loss_type="aot" if smoothing else "sigmoid",
        report_to="none",
        use_cpu=True,
        bf16=False,
        gradient_checkpointing=False,
    )
    return trl.DPOTrainer(model, reference, args=how, train_dataset=rows, processing_class=tokenizer)


def of_trl(
    model: Any,
    reference: Any,
    pairs: Sequence[Pair],
    smoothing: float,
    folder: Path,
    learnt: Callable[[Any], None] = lambda model: None,
) -> Any:
    """TRL's loss of pairs; without a reference it holds the model to what its adapters are before `learnt`."""
    trl = pytest.importorskip("trl", reason="the extra bench is not installed")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # TRL's own
        from trl.trainer.dpo_trainer import DataCollatorForPreference

        trainer = trl_trainer(trl, model, reference, folder, smoothing)
        learnt(model)
        examples = [{"prompt_ids": p, "chosen_ids": c, "rejected_ids": r} for p, c, r in pairs]
        batch = DataCollatorForPreference(pad_token_id=PAD)(examples)
        return trainer.compute_loss(model.eval(), dict(batch))


def of_temper(model: Any, reference: Any, pairs: Sequence[Pair], smoothing: float) -> Any:
    """Temper's loss of the same pairs; the model takes the forward of its trainings."""
    ids = [name for name in "abc"[: len(pairs)] for _ in range(2)]
    part = ComparedPart(ids, np.zeros(len(ids), np.int64), encoded(pairs))
    scored = log_probabilities(reference.eval(), Batches(part.encoded, PAD, 4))
    rows = Pairs(ComparedPart(part.ids, part.class_ids, part.encoded, reference=scored))
    take_forward(model, PreferredReplies).eval()
    model.beta, model.smoothing = BETA, smoothing
    return model(**collate_pairs(Padding())([rows[n] for n in range(len(rows))])).loss


def require_equal(found: dict[str, torch.Tensor], due: dict[str, torch.Tensor]) -> None:
    assert found.keys() == due.keys()
    for name, value in found.items():
        torch.testing.assert_close(value, due[name], atol=1e-5, rtol=1e-5, msg=name)
    assert max(float(value.abs().max()) for value in found.values()) > 1e-3


@pytest.mark.parametrize(("pairs", "smoothing"), [(ROWS, 0.0), (ROWS[:1], 0.2), (ROWS[1:2], 0.4)])
def test_loss_and_gradients_are_those_of_trl(tmp_path: Path, pairs: Sequence[Pair], smoothing: float) -> None:
    """TRL smooths no labels of `sigmoid`; its `aot`, which sorts the pairs of a batch, is that loss of a single one."""
    theirs, ours = net(1), net(1)
    due = of_trl(theirs, net(2), pairs, smoothing, tmp_path)
    due_gradients = gradients(theirs, due)
    loss = of_temper(ours, net(2), pairs, smoothing)
    assert float(loss.detach()) == pytest.approx(float(due.detach()), abs=1e-5)
    require_equal(gradients(ours, loss), due_gradients)


def test_adapters_are_held_to_their_base_as_trl_holds_them(tmp_path: Path) -> None:
    peft = pytest.importorskip("peft", reason="the extra lora is not installed")
    how = {"r": 2, "lora_alpha": 8, "target_modules": ["c_attn"], "fan_in_fan_out": True}
    theirs = peft.get_peft_model(net(1), peft.LoraConfig(**how, task_type="CAUSAL_LM"))
    ours = peft.inject_adapter_in_model(peft.LoraConfig(**how), net(1))
    torch.manual_seed(3)
    adapters = {name: torch.randn_like(value) / 4 for name, value in ours.named_parameters() if "lora_" in name}

    def learn(model: Any) -> None:
        with torch.no_grad():
            for name, value in model.named_parameters():
                if (plain := name.removeprefix("base_model.model.")) in adapters:
                    value.copy_(adapters[plain])

    learn(ours)
    due = of_trl(theirs, None, ROWS, 0.0, tmp_path, learn)
    due_gradients = gradients(theirs, due)
    loss = of_temper(ours, net(1), ROWS, 0.0)
    assert float(loss.detach()) == pytest.approx(float(due.detach()), abs=1e-5)
    assert abs(float(loss.detach()) - np.log(2)) > 1e-3, "the adapters move the model away from its base"
    require_equal(
        {name: value for name, value in gradients(ours, loss).items() if "lora_" in name},
        {name.removeprefix("base_model.model."): value for name, value in due_gradients.items()},
    )
