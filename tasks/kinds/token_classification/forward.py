"""What training asks of a model that tags words: a batch in, loss and logits out."""

from torch import Tensor, nn

from ...learn.labels import IGNORE_INDEX
from ...text.supervision import Scored, score_kept


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
        return score_kept(logits, labels[kept], num_items_in_batch)
