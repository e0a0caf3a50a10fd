"""Keys and values of rows that come and go: what a causal model keeps of the tokens that it has read."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer

ROOM = 64
"""Columns that a buffer has to spare, so that a token is written into it and the others are not copied."""
Prefix = list[tuple[Tensor, Tensor]]
"""Per layer the keys and values of one row's tokens, each [heads, tokens, size]."""


class SlotsLayer(DynamicLayer):  # type: ignore[misc]
    """One layer's keys and values [slots, heads, columns, size], views of buffers with room on the right."""

    def __init__(self, slots: int, keys: Tensor, values: Tensor) -> None:
        super().__init__()
        self.lazy_initialization(keys, values)
        self.buffers = tuple(
            states.new_zeros(slots, states.shape[0], ROOM, states.shape[2]) for states in (keys, values)
        )
        self._show(0)

    def _show(self, columns: int) -> None:
        self.keys, self.values = (buffer[:, :, :columns] for buffer in self.buffers)

    def update(self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
        """Write the next column, for which there is room, and give all of them."""
        column = self.get_seq_length()
        for buffer, states in zip(self.buffers, (key_states, value_states), strict=True):
            buffer[:, :, column : column + 1] = states
        self._show(column + 1)
        return self.keys, self.values

    def get_seq_length(self) -> int:
        """Columns that are in use."""
        return int(self.keys.shape[-2])

    def resize(self, kept: Sequence[int], first: int, columns: int) -> None:
        """Keep these slots and their columns from `first` on, as the last of so many, with new room behind them."""
        old, used = (self.keys, self.values), self.get_seq_length() - first
        self.buffers = tuple(
            states.new_zeros(len(kept), states.shape[1], columns + ROOM, states.shape[3]) for states in old
        )
        for buffer, states in zip(self.buffers, old, strict=True):
            buffer[:, :, columns - used : columns] = states[list(kept), :, first:]
        self._show(columns)

    def place(self, slot: int, keys: Tensor, values: Tensor) -> None:
        """Let a slot hold a row's tokens, in its last columns."""
        end = self.get_seq_length()
        for buffer, states in zip(self.buffers, (keys, values), strict=True):
            buffer[slot, :, end - states.shape[1] : end] = states


class Slots:
    """A batch of slots, each with a row's tokens in its last columns; what stands before them is masked.

    mask: [slots, columns], whether a slot's row has a token there. positions: [slots], tokens of each row.
    """

    def __init__(self, slots: int, like: Prefix) -> None:
        self.cache = DynamicCache()
        self.cache.layers = [SlotsLayer(slots, *pair) for pair in like]
        device = like[0][0].device
        self.mask = torch.zeros(slots, 0, dtype=torch.long, device=device)
        self.positions = torch.zeros(slots, dtype=torch.long, device=device)

    @property
    def columns(self) -> int:
        """Columns that are in use."""
        return int(self.mask.shape[1])

    def place(self, slot: int, prefix: Prefix) -> None:
        """Give a slot to a row, of whose tokens these are the keys and values."""
        tokens = prefix[0][0].shape[1]
        if tokens > self.columns:
            self.resize(range(len(self.mask)), 0, tokens)
        for layer, pair in zip(self.cache.layers, prefix, strict=True):
            layer.place(slot, *pair)
        self.mask[slot], self.positions[slot] = 0, tokens
        self.mask[slot, self.columns - tokens :] = 1

    def free(self, slot: int) -> None:
        """Forget a slot's row."""
        self.mask[slot], self.positions[slot] = 0, 0

    def resize(self, kept: Sequence[int], first: int, columns: int) -> None:
        """Keep these slots and their columns from `first` on, as the last of so many."""
        for layer in self.cache.layers:
            layer.resize(kept, first, columns)
        mask = self.mask[list(kept), first:]
        self.mask = torch.nn.functional.pad(mask, (columns - mask.shape[1], 0))
        self.positions = self.positions[list(kept)]

    def read(self, model: Any, tokens: Tensor) -> Tensor:
        """The logits behind one more token of each slot [slots, vocabulary]; tokens: [slots]."""
        if self.columns == self.cache.layers[0].buffers[0].shape[2]:
            used = self.mask.any(0).nonzero()
            first = int(used[0]) if len(used) else self.columns - 1
            self.resize(range(len(self.mask)), first, self.columns - first)
        self.mask = torch.nn.functional.pad(self.mask, (0, 1), value=1)
        output = model(
            input_ids=tokens[:, None],
            attention_mask=self.mask,
            position_ids=self.positions[:, None],
            past_key_values=self.cache,
            use_cache=True,
            logits_to_keep=1,
        )
        self.positions = self.positions + 1
        return output.logits[:, -1]  # type: ignore[no-any-return]
