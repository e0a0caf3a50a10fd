"""A text model as what scores rows: token ids in, logits out; what predicts, and what is exported."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from .token_types import TYPE_IDS, takes_token_types


class Head(nn.Module):
    """A model with a head: logits [rows, classes], of each token [rows, length, classes]."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model
        self.types = takes_token_types(model.forward)

    def forward(self, input_ids: Tensor, attention_mask: Tensor, token_type_ids: Tensor | None = None) -> Tensor:
        """All [rows, length]; token types are passed on to families that know them."""
        types = {TYPE_IDS: token_type_ids} if self.types and token_type_ids is not None else {}
        logits: Tensor = self.model(input_ids=input_ids, attention_mask=attention_mask, **types).logits
        return logits


class LabelWords(nn.Module):
    """A causal language model at the place of the label's word, without generation."""

    label_ids: Tensor

    def __init__(self, model: Any, label_ids: Sequence[int]) -> None:
        super().__init__()
        self.model = model
        self.register_buffer("label_ids", torch.tensor(list(label_ids)), persistent=False)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> tuple[Tensor, Tensor]:
        """Logits of the label words [rows, labels], and whether one of them is the likeliest of all tokens [rows]."""
        hidden = self.model.base_model(input_ids=input_ids, attention_mask=attention_mask, use_cache=False)[0]
        last = (attention_mask.sum(1) - 1)[:, None, None].expand(-1, 1, hidden.shape[2])
        words = self.model.get_output_embeddings()(hidden.gather(1, last)[:, 0])
        on_label = (words.argmax(1)[:, None] == self.label_ids).any(1)
        return words[:, self.label_ids], on_label
