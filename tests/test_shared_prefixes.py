"""Prompts that begin one another are read once, and what is written after them is what each one alone gives."""

import random
from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from test_generation import CAUSAL, ENDS, MOST, POSITIONS, VOCABULARY, build, plain, write
from transformers import BloomConfig, BloomForCausalLM, MistralConfig, MistralForCausalLM

from tasks.text import growing_cache, shared_prefixes
from tasks.text.growing_cache import Slots
from tasks.text.shared_prefixes import chains, keeps_all

TOKENS = st.lists(st.integers(0, 2), min_size=1, max_size=6)


def dialogues(seed: int, count: int = 5) -> list[list[int]]:
    """Prompts of turns, each of which begins the next of its dialogue, and some that begin nothing."""
    draw, given = random.Random(seed), []
    for _ in range(count):
        ids: list[int] = []
        for _ in range(draw.randint(1, 4)):
            ids = [*ids, *(draw.randrange(VOCABULARY) for _ in range(draw.randint(1, 8)))]
            given.append(ids)
    draw.shuffle(given)
    return given


@pytest.fixture
def little_room(monkeypatch: pytest.MonkeyPatch) -> None:
    """Buffers that are full again and again."""
    monkeypatch.setattr(growing_cache, "ROOM", 3)


@given(st.lists(TOKENS, max_size=12))
def test_a_chain_is_of_prompts_that_begin_one_another(prompts: list[list[int]]) -> None:
    found = chains(prompts)
    assert sorted(row for chain in found for row in chain) == list(range(len(prompts)))
    for chain in found:
        longest = prompts[chain[0]]
        assert all(longest[: len(prompts[row])] == prompts[row] for row in chain)
    starts = [len(prompts[chain[0]]) for chain in found]
    assert starts == sorted(starts, reverse=True)


@pytest.mark.usefixtures("little_room")
@pytest.mark.parametrize(("family", "size"), [*((family, 3) for family in CAUSAL), ("gpt2", 1), ("gpt2", 16)])
def test_turns_of_dialogues_are_written_as_each_alone(family: str, size: int) -> None:
    model = build(family)
    for seed in range(2):
        prompts = dialogues(seed)
        found = write(model, prompts, batch_size=size)
        wanted = [plain(model, prompt, min(MOST, POSITIONS - len(prompt))) for prompt in prompts]
        assert list(zip(found.ids, found.ended.tolist(), strict=True)) == wanted


def test_a_dialogue_is_read_once() -> None:
    model, read = build("llama"), []
    hook = model.register_forward_pre_hook(
        lambda module, args, kwargs: read.append(kwargs["input_ids"].shape), with_kwargs=True
    )
    ids = list(range(7, 27))
    write(model, [ids[:5], ids, ids[:11]])
    hook.remove()
    assert read[0] == (1, 20) and all(columns == 1 for _, columns in read[1:])


def test_the_first_end_token_may_be_one_that_ends_nothing() -> None:
    model, prompts = build("gpt2"), dialogues(1)
    alone = [write(model, [prompt], first=4) for prompt in prompts]
    assert write(model, prompts, first=4).ids == [one.ids[0] for one in alone]
    firsts = [plain(model, prompt, 1)[1] for prompt in prompts]
    assert any(firsts), "some text ends at once"


@pytest.mark.parametrize("fault", ["positions", "mask", "slot"])
def test_a_fault_in_what_is_kept_is_seen(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The comparison above can fail."""
    model, prompts = build("llama"), dialogues(2)
    wanted = write(model, prompts, batch_size=3).ids
    place: Callable[..., None] = Slots.place

    def wrong(self: Slots, slot: int, prefix: Any) -> None:
        place(self, slot, prefix)
        if fault == "positions":
            self.positions[slot] += 1
        elif fault == "mask":
            self.mask[slot] = 1
        else:
            self.cache.layers[0].keys[slot] = self.cache.layers[0].keys[slot].roll(1, -2)

    monkeypatch.setattr(Slots, "place", wrong)
    assert write(model, prompts, batch_size=3).ids != wanted


def test_models_that_keep_otherwise_are_written_by_their_own_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(3)
    sizes = {"vocab_size": VOCABULARY, "hidden_size": 32, "num_hidden_layers": 2, "initializer_range": 0.5}
    windowed = MistralForCausalLM(
        MistralConfig(
            **sizes, intermediate_size=48, num_attention_heads=4, num_key_value_heads=2, sliding_window=4,
            max_position_embeddings=POSITIONS,
        )
    ).eval()  # fmt: skip
    unplaced = BloomForCausalLM(BloomConfig(**{**sizes, "n_layer": 2, "n_head": 4})).eval()
    monkeypatch.setattr(shared_prefixes, "chains", None)
    for model in (windowed, unplaced, build("t5")):
        assert not keeps_all(model)
        found = write(model, dialogues(0), end_ids=ENDS)
        assert len(found.ids) == len(dialogues(0))
    assert all(keeps_all(build(family)) for family in CAUSAL)
