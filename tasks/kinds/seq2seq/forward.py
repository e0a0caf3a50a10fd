"""What training asks of an encoder and decoder: a batch in, loss and logits out."""

from typing import Any

import torch
from torch import Tensor, nn

from ...data.errors import DataError
from ...learn.labels import IGNORE_INDEX
from ...learn.losses import Criterion
from ...text.supervision import Scored


class SupervisedTargets(nn.Module):
    """Encoder and decoder; the decoder is given its start token and the target, and predicts the target."""

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


def require_shifted(model: Any) -> None:
    """Raise DataError unless the decoder is given its start token and then the target, never the token it predicts."""
    shift = getattr(model, "prepare_decoder_input_ids_from_labels", None)
    start = model.config.decoder_start_token_id
    if shift is None or start is None:
        raise DataError(f"train.model: {type(model).__name__} does not say how its decoder starts; take another family")
    given = shift(torch.tensor([[2, 3, 4, 5]])).tolist()
    if given != [[start, 2, 3, 4]]:
        raise DataError(f"train.model: the decoder of {type(model).__name__} is given {given[0]} to predict 2, 3, 4, 5")
