"""The loss of preference next to TRL's DPOTrainer, on the same tokens: the extra `bench`."""

import warnings
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
ROWS = [
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


def encoded() -> Encoded:
    sequences = [(prompt, reply) for prompt, *both in ROWS for reply in both]
    ids = [prompt + reply for prompt, reply in sequences]
    labels = [[IGNORE_INDEX] * len(prompt) + reply for prompt, reply in sequences]
    flat = [np.array([token for row in rows for token in row], np.int32) for rows in (ids, labels)]
    offsets = np.concatenate([[0], np.cumsum([len(row) for row in ids])])
    return Encoded(*flat, offsets, np.zeros(len(ids), np.int32))


def gradients(model: Any, loss: torch.Tensor) -> dict[str, torch.Tensor]:
    model.zero_grad()
    loss.backward()
    return {name: value.grad.clone() for name, value in model.named_parameters()}


def trl_trainer(trl: Any, model: Any, reference: Any, folder: Path) -> Any:
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
        loss_type="sigmoid",
        report_to="none",
        use_cpu=True,
        bf16=False,
        gradient_checkpointing=False,
    )
    return trl.DPOTrainer(model, reference, args=how, train_dataset=rows, processing_class=tokenizer)


def test_loss_and_gradients_are_those_of_trl(tmp_path: Path) -> None:
    trl = pytest.importorskip("trl", reason="the extra bench is not installed")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # TRL's own
        from trl.trainer.dpo_trainer import DataCollatorForPreference

        ours, reference = net(1), net(2)
        theirs = net(1)
        trainer = trl_trainer(trl, theirs, net(2), tmp_path)
        examples = [{"prompt_ids": p, "chosen_ids": c, "rejected_ids": r} for p, c, r in ROWS]
        batch = DataCollatorForPreference(pad_token_id=PAD)(examples)
        theirs.eval()
        due = trainer.compute_loss(theirs, dict(batch))
    due_gradients = gradients(theirs, due)
    part = ComparedPart(["a", "a", "b", "b", "c", "c"], np.zeros(6, np.int64), encoded())
    scored = log_probabilities(reference.eval(), Batches(part.encoded, PAD, 4))
    part = ComparedPart(part.ids, part.class_ids, part.encoded, reference=scored)
    model = take_forward(ours, PreferredReplies).eval()
    model.beta = BETA
    rows = Pairs(part)
    output = model(**collate_pairs(Padding())([rows[n] for n in range(len(rows))]))
    assert float(output.loss.detach()) == pytest.approx(float(due.detach()), abs=1e-5)
    found = gradients(model, output.loss)
    assert found.keys() == due_gradients.keys()
    for name, value in found.items():
        torch.testing.assert_close(value, due_gradients[name], atol=1e-5, rtol=1e-5, msg=name)
    assert max(float(value.abs().max()) for value in found.values()) > 1e-3
