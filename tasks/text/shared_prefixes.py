"""A causal model and prompts -> what it writes after each: prompts that begin one another are read once, and a row that
is done makes room for the next."""

import inspect
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import torch
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer

from .growing_cache import Prefix, Slots
from .writer import Ids, Writer


class Begun(NamedTuple):
    """A prompt that is read: its number, what the model has read, and the first token that it writes."""

    row: int
    prefix: Prefix
    token: int


def keeps_all(model: Any) -> bool:
    """Whether a model keeps keys and values of every token alike, and takes positions and a choice of logits."""
    if model.config.is_encoder_decoder:
        return False
    taken = inspect.signature(model.forward).parameters
    layers = DynamicCache(config=model.config).layers
    asked = ("position_ids", "past_key_values", "attention_mask", "logits_to_keep")
    return (
        bool(layers) and all(type(layer) is DynamicLayer for layer in layers) and all(name in taken for name in asked)
    )


def chains(prompts: Sequence[Sequence[int]]) -> list[list[int]]:
    """Numbers of prompts, each of which begins the one before it; the chain with the longest prompt first."""
    every_chain: list[list[int]] = []
    for row in sorted(range(len(prompts)), key=lambda row: list(prompts[row])):
        last = prompts[every_chain[-1][-1]] if every_chain else []
        if every_chain and list(prompts[row][: len(last)]) == list(last):
            every_chain[-1].append(row)
        else:
            every_chain.append([row])
    return sorted((chain[::-1] for chain in every_chain), key=lambda chain: -len(prompts[chain[0]]))


@torch.inference_mode()
def write_all(
    writer: Writer,
    prompts: Sequence[Sequence[int]],
    room: Ids,
    *,
    batch_size: int,
    progress: Callable[[int, int], None],
) -> list[list[int]]:
    """The likeliest ids after each prompt, up to its room or with the end token that ends them as the last."""
    batch = _Batch(writer, prompts, room, batch_size)
    known = 0
    while batch.fill():
        batch.step()
        if batch.done > known:
            progress(known := batch.done, len(prompts))
    if batch.done > known:
        progress(batch.done, len(prompts))
    return batch.written


class _Batch:
    """Rows that are written together, each in a slot, and the prompts that wait for one."""

    def __init__(self, writer: Writer, prompts: Sequence[Sequence[int]], room: Ids, size: int) -> None:
        self.model, self.room, self.ends = writer.model, room, writer.ends
        self.waiting = _begin(writer.model, prompts)
        self.written: list[list[int]] = [[] for _ in prompts]
        self.held: list[int | None] = [None] * min(size, len(prompts))
        self.slots: Slots | None = None
        self.done = 0

    def fill(self) -> bool:
        """Give free slots to waiting rows, or do without them; whether a row is left to write."""
        for slot, row in enumerate(self.held):
            if row is None:
                self.held[slot] = self._next(slot)
        live = [slot for slot, row in enumerate(self.held) if row is not None]
        if self.slots is not None and live and 2 * len(live) <= len(self.held):
            self.slots.resize(live, 0, self.slots.columns)
            self.held = [self.held[slot] for slot in live]
        return bool(live)

    def step(self) -> None:
        """Write one more token of each row."""
        assert self.slots is not None
        last = [0 if row is None else self.written[row][-1] for row in self.held]
        logits = self.slots.read(self.model, torch.tensor(last, device=self.model.device))
        for slot, token in enumerate(logits.argmax(-1).tolist()):
            row = self.held[slot]
            if row is None or self._add(row, token):
                self.slots.free(slot)
                self.held[slot] = None

    def _next(self, slot: int) -> int | None:
        """The next row that is not done with its first token, in this slot; None where there is none."""
        for begun in self.waiting:
            if not self._add(begun.row, begun.token):
                self.slots = self.slots or Slots(len(self.held), begun.prefix)
                self.slots.place(slot, begun.prefix)
                return begun.row
        return None

    def _add(self, row: int, token: int) -> bool:
        """Whether a row is done with this token."""
        self.written[row].append(token)
        place = len(self.written[row])
        over = self.ends.stop(token, place - 1) or place == self.room[row]
        self.done += over
        return bool(over)


def _begin(model: Any, prompts: Sequence[Sequence[int]]) -> Iterator[Begun]:
    """Read each chain once, by its longest prompt; the others' keys and values are the first of its own."""
    for chain in chains(prompts):
        lengths = [len(prompts[row]) for row in chain]
        places = torch.tensor([length - 1 for length in lengths], device=model.device)
        cache = DynamicCache(config=model.config)
        ids = torch.tensor([list(prompts[chain[0]])], device=model.device)
        output = model(input_ids=ids, past_key_values=cache, use_cache=True, logits_to_keep=places)
        firsts = output.logits[0].argmax(-1).tolist()
        whole = [(layer.keys[0], layer.values[0]) for layer in cache.layers]
        for row, length, token in zip(chain, lengths, firsts, strict=True):
            yield Begun(row, [(keys[:, :length], values[:, :length]) for keys, values in whole], token)
