"""What training asks of a model that tags words: a batch in, loss and logits out."""

import torch
from torch import Tensor, nn

from ...learn.labels import IGNORE_INDEX
from ...learn.losses import Criterion
from ...text.supervision import Scored


class SupervisedTags(nn.Module):
    """Token classifier whose loss is the sum over labelled pieces divided by those of the whole effective batch."""

    accepts_loss_kwargs = True
    shifts_labels = False

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor,
        labels: Tensor,
        num_items_in_batch: Tensor | int | None = None,
    ) -> Scored:
        """input_ids, attention_mask, labels: [batch, length]; logits: [labelled pieces, tags]."""
        kept = labels != IGNORE_INDEX
        logits = super().forward(input_ids=input_ids, attention_mask=attention_mask).logits[kept]
        items = max(len(logits), 1) if num_items_in_batch is None else torch.as_tensor(num_items_in_batch).clamp(min=1)
        return Scored(loss=Criterion()(logits, labels[kept], items), logits=logits)
