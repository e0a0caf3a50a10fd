"""What training asks of a text model of each kind: a batch in, loss and logits out."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from transformers.utils import ModelOutput

from ..data.errors import DataError
from ..learn.labels import IGNORE_INDEX
from ..learn.losses import Criterion


@dataclass
class Scored(ModelOutput):
    """loss: scalar, the sum over targets divided by `num_items_in_batch`; logits: [targets, classes or vocabulary]."""

    loss: Tensor | None = None
    logits: Tensor | None = None


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

        Several sequences in a row have position_ids [batch, length] that begin anew, in place of a mask.
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
    ) -> Scored:
        """input_ids, attention_mask: [batch, length]; labels: [batch]; logits: [batch, classes]."""
        logits = super().forward(input_ids=input_ids, attention_mask=attention_mask).logits
        return Scored(loss=self.criterion(logits, labels, num_items_in_batch), logits=logits)


class SupervisedTargets(nn.Module):
    """Encoder and decoder; the decoder is given its start token and the target, and foretells the target."""

    accepts_loss_kwargs = True
    shifts_labels = False

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor,
        labels: Tensor,
        num_items_in_batch: Tensor | int | None = None,
    ) -> Scored:
        """input_ids, attention_mask: [batch, source length]; labels: [batch, target length]; logits: [supervised,
        vocabulary]."""
        model: Any = self
        given = model.prepare_decoder_input_ids_from_labels(labels)
        every = super().forward(
            input_ids=input_ids, attention_mask=attention_mask, decoder_input_ids=given, use_cache=False
        )
        kept = labels != IGNORE_INDEX
        logits = every.logits[kept]
        return Scored(loss=Criterion()(logits, labels[kept], num_items_in_batch), logits=logits)


def squared_error(logits: Tensor, labels: Tensor, items: Tensor | int | None) -> Tensor:
    """Sum of squared errors of logits [rows, 1] against numbers [rows], divided by `items`, else by the rows."""
    total = (logits[:, 0].float() - labels.float()).square().sum()
    return total / (len(labels) if items is None else items)


class SupervisedNumbers(SupervisedRows):
    """Sequence classifier with one output; its loss is the squared error against a normalised number."""

    criterion = staticmethod(squared_error)


class SupervisedMasks(nn.Module):
    """Masked language model whose head is computed only at the tokens to foretell, most of the cost of a small net."""

    accepts_loss_kwargs = True
    shifts_labels = False

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor,
        labels: Tensor,
        num_items_in_batch: Tensor | int | None = None,
    ) -> Scored:
        """input_ids, attention_mask, labels: [batch, length]; logits: [foretold, vocabulary].

        A batch may have no token to foretell; its loss is 0.
        """
        model: Any = self
        kept = labels != IGNORE_INDEX

        def pick(module: nn.Module, given: Any, output: Any) -> Any:
            output["last_hidden_state"] = output["last_hidden_state"][kept][None]
            return output

        with model.base_model.register_forward_hook(pick):
            logits = super().forward(input_ids=input_ids, attention_mask=attention_mask).logits[0]
        items = max(len(logits), 1) if num_items_in_batch is None else torch.as_tensor(num_items_in_batch).clamp(min=1)
        return Scored(loss=Criterion()(logits, labels[kept], items), logits=logits)


def check_rewriter(model: Any) -> None:
    """Raise DataError unless the decoder is given its start token and then the target, never the token it foretells."""
    shift = getattr(model, "prepare_decoder_input_ids_from_labels", None)
    start = model.config.decoder_start_token_id
    if shift is None or start is None:
        raise DataError(f"train.model: {type(model).__name__} does not say how its decoder starts; take another family")
    given = shift(torch.tensor([[2, 3, 4, 5]])).tolist()
    if given != [[start, 2, 3, 4]]:
        raise DataError(
            f"train.model: the decoder of {type(model).__name__} is given {given[0]} to foretell 2, 3, 4, 5"
        )


@torch.inference_mode()
def check_foreteller(model: Any) -> None:
    """Raise DataError where a token does not see later ones, or where the head needs more than a token's own state."""
    probe, labels = torch.tensor([[2, 3, 4, 5], [2, 3, 4, 6]]), torch.full((2, 4), IGNORE_INDEX)
    labels[:, 1] = 3
    model.eval()
    picked = model(input_ids=probe, attention_mask=torch.ones_like(probe), labels=labels).logits
    whole = super(SupervisedMasks, model).forward(input_ids=probe).logits[:, 1]
    if torch.allclose(whole[0], whole[1], rtol=1e-7, atol=1e-9):
        raise DataError(f"train.model: {type(model).__name__} lets no token see later ones; take an encoder")
    if not torch.allclose(picked, whole, rtol=1e-4, atol=1e-5):
        raise DataError(f"train.model: the head of {type(model).__name__} needs every token; take another family")
