"""What training asks of causal language models and of classifiers of texts: a batch in, loss and logits out."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from transformers.utils import ModelOutput

from ..data.errors import DataError
from ..learn.labels import IGNORE_INDEX
from ..learn.losses import Criterion
from .token_types import takes_token_types


@dataclass
class Scored(ModelOutput):
    """loss: scalar, the sum over targets divided by `num_items_in_batch`; logits: [targets, classes or vocabulary]."""

    loss: Tensor | None = None
    logits: Tensor | None = None


def score_kept(logits: Tensor, labels: Tensor, items: Tensor | int | None) -> Scored:
    """The loss of the positions that are kept: logits [kept, classes], labels [kept]; the sum of their cross-entropies
    divided by `items`, or where that is not given by how many they are. Of no position it is 0."""
    count = max(len(logits), 1) if items is None else torch.as_tensor(items).clamp(min=1)
    return Scored(loss=Criterion()(logits, labels, count), logits=logits)


class SupervisedTokens(nn.Module):
    """Causal language model whose head is computed only where the next token carries a label.

    Same loss and gradients as the head at every position, since the others' loss is masked; the source of the
    saving is that of "selective" heads in TRL and torchtune.
    """

    accepts_loss_kwargs = True

    def forward(
        self,
        input_ids: Tensor,
        labels: Tensor,
        attention_mask: Tensor | None = None,
        position_ids: Tensor | None = None,
        num_items_in_batch: Tensor | int | None = None,
    ) -> Scored:
        """input_ids, attention_mask, labels: [batch, length], labels unshifted; logits: [supervised, vocabulary].

        Several sequences in a row have position_ids [batch, length] that begin again, in place of a mask.
        """
        model: Any = self
        how = {"attention_mask": attention_mask} if position_ids is None else {"position_ids": position_ids}
        hidden = model.base_model(input_ids=input_ids, **how, use_cache=False)[0]
        targets = labels[:, 1:]
        kept = targets != IGNORE_INDEX
        logits = model.get_output_embeddings()(hidden[:, :-1][kept])
        return Scored(loss=Criterion()(logits, targets[kept], num_items_in_batch), logits=logits)


class SupervisedRows(nn.Module):
    """Sequence classifier whose loss is the sum over rows divided by the rows of the whole effective batch."""

    accepts_loss_kwargs = True
    criterion: Any = Criterion()

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor,
        labels: Tensor,
        num_items_in_batch: Tensor | int | None = None,
        token_type_ids: Tensor | None = None,
        teachers: Tensor | None = None,
    ) -> Scored:
        """input_ids, attention_mask, token_type_ids: [batch, length]; labels: [batch]; teachers: their logits [batch,
        teachers, classes]; logits: [batch, classes]."""
        known = token_type_ids is not None and takes_token_types(super().forward)
        types = {"token_type_ids": token_type_ids} if known else {}
        logits = super().forward(input_ids=input_ids, attention_mask=attention_mask, **types).logits
        scored = () if teachers is None else (teachers,)
        return Scored(loss=self.criterion(logits, labels, num_items_in_batch, *scored), logits=logits)


@torch.inference_mode()
def require_causal(model: Any, encoding: object = None) -> None:
    """Raise DataError where a token sees later ones, or where words are not simply head(hidden state).

    The first would show the answer (BERT as a decoder), the second make SupervisedTokens another model (Cohere).
    """
    probe = torch.tensor([[2, 3, 4, 5], [2, 3, 4, 6]], device=model.device)
    hidden = model.eval().base_model(input_ids=probe, use_cache=False)[0]
    if not torch.allclose(hidden[0, :3], hidden[1, :3], rtol=1e-4, atol=1e-5):
        raise DataError(f"train.model: {type(model).__name__} lets a token see later ones, so it cannot generate")
    words = model(input_ids=probe, use_cache=False).logits
    head = model.get_output_embeddings()
    if head is None or not torch.allclose(head(hidden), words, rtol=1e-5, atol=1e-6):
        raise DataError(f"train.model: the head of {type(model).__name__} is more than one layer; take another family")
