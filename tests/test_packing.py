"""Packing: rows are filled, sequences do not see one another, and the loss is the unpacked one."""

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn.functional import cross_entropy
from transformers import AutoConfig, AutoModelForCausalLM

from tasks.learn.labels import IGNORE_INDEX
from tasks.text.chat.packing import pack_rows, packs, pad_packed
from tasks.text.collation import pad_rows
from tasks.text.segments import Encoded

SMALL = {"vocab_size": 97, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
SIZES: dict[str, dict[str, Any]] = {
    "gpt2": {"vocab_size": 97, "n_embd": 32, "n_layer": 2, "n_head": 2, "n_positions": 64},
    "llama": {**SMALL, "intermediate_size": 64, "num_key_value_heads": 1},
    "qwen2": {**SMALL, "intermediate_size": 64, "num_key_value_heads": 2},
    "bloom": {"vocab_size": 97, "hidden_size": 32, "n_layer": 2, "n_head": 2},
}


def model_of(family: str, attention: str = "sdpa") -> Any:
    torch.manual_seed(7)
    config = AutoConfig.for_model(family, **SIZES[family], bos_token_id=0, eos_token_id=0, pad_token_id=0)
    model = AutoModelForCausalLM.from_config(config, dtype=torch.float32, attn_implementation=attention).eval()
    for name, weight in model.named_parameters():
        if "wte" not in name and weight.dim() > 1:
            weight.data.mul_(8)  # at their first scale weights mix so little that a leak would hardly show
    return model


def sequences(lengths: list[int]) -> Encoded:
    draw = np.random.default_rng(3)
    ids = draw.integers(1, 97, sum(lengths)).astype(np.int32)
    labels = np.where(draw.random(len(ids)) < 0.5, ids, IGNORE_INDEX).astype(np.int32)
    offsets = np.cumsum([0, *lengths]).astype(np.int64)
    labels[offsets[1]] = ids[offsets[1]]  # a first token with a label, which must not be learnt from its neighbour
    return Encoded(ids, labels, offsets, np.zeros(len(lengths), np.int32))


@torch.inference_mode()
def summed_loss(model: Any, batch: dict[str, Any]) -> float:
    tensors = {name: torch.from_numpy(matrix) for name, matrix in batch.items()}
    labels = tensors.pop("labels")[:, 1:]
    logits = model(**tensors, use_cache=False).logits[:, :-1]
    return float(cross_entropy(logits.transpose(1, 2).double(), labels, reduction="sum"))


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
@pytest.mark.parametrize("family", ["gpt2", "llama", "qwen2"])
def test_packed_loss_is_the_unpacked_one(family: str, attention: str) -> None:
    model = model_of(family, attention)
    encoded = sequences([9, 17, 4, 23, 12, 1, 6, 30])
    rows = pack_rows(encoded.lengths, 40)
    assert len(rows) == 3 and packs(model)
    apart = sum(summed_loss(model, pad_rows(encoded, [n], 0)) for n in range(len(encoded)))
    packed = pad_packed(encoded, rows, 0)
    assert summed_loss(model, packed) == pytest.approx(apart, rel=1e-5)
    assert summed_loss(model, pad_packed(encoded, rows, 0, 44)) == pytest.approx(apart, rel=1e-5)
    leaky = {"input_ids": packed["input_ids"], "labels": packed["labels"]}
    assert abs(summed_loss(model, leaky) - apart) > 1e-3 * apart, "the test would not see a leak"


def test_models_that_look_past_where_positions_begin_anew_do_not_pack() -> None:
    assert not packs(model_of("bloom", "eager"))
    model = AutoModelForCausalLM.from_config(model_of("llama").config)
    assert packs(model) and packs(model.to(torch.bfloat16))

    class Leaky(type(model.base_model)):  # type: ignore[misc]
        def forward(self, input_ids: Any, position_ids: Any = None, **more: Any) -> Any:
            mask = torch.ones_like(input_ids)
            return super().forward(input_ids=input_ids, position_ids=position_ids, attention_mask=mask, **more)

    model.base_model.__class__ = Leaky
    model.train()
    assert not packs(model) and model.training


@given(st.lists(st.integers(1, 50), max_size=60))
def test_every_sequence_lies_in_one_row_and_no_row_is_too_long(lengths: list[int]) -> None:
    sizes = np.array(lengths, np.int64)
    rows = pack_rows(sizes, 50)
    assert sorted(n for row in rows for n in row) == list(range(len(lengths)))
    totals = [int(sizes[row].sum()) for row in rows]
    assert all(total <= 50 for total in totals) and rows == pack_rows(sizes, 50)
    assert len(rows) <= 2 * sum(lengths) / 50 + 1
    if lengths:
        batch = pad_packed(sequences([*lengths, 1]), [*rows, [len(lengths)]], 0)
        assert (batch["position_ids"] == 0).sum() >= len(lengths) + 1


def test_a_sequence_longer_than_a_row_is_refused() -> None:
    with pytest.raises(ValueError, match="51 tokens fits no row of 50"):
        pack_rows(np.array([3, 51]), 50)
    assert pack_rows(np.zeros(0, np.int64), 50) == []
