"""What training asks of a masked language model: a batch in, loss and logits out."""

from typing import Any

import torch
from torch import Tensor, nn

from ...data.errors import DataError
from ...learn.labels import IGNORE_INDEX
from ...text.supervision import Scored, score_kept


class SupervisedMasks(nn.Module):
    """Masked language model whose head is computed only at the tokens to predict, most of the cost of a small net."""

    accepts_loss_kwargs = True
    shifts_labels = False

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor,
        labels: Tensor,
        num_items_in_batch: Tensor | int | None = None,
    ) -> Scored:
        """input_ids, attention_mask, labels: [batch, length]; logits: [predicted, vocabulary].

        A batch may have no token to predict; its loss is 0.
        """
        model: Any = self
        kept = labels != IGNORE_INDEX

        def pick(module: nn.Module, given: Any, output: Any) -> Any:
            output["last_hidden_state"] = output["last_hidden_state"][kept][None]
            return output

        with model.base_model.register_forward_hook(pick):
            logits = super().forward(input_ids=input_ids, attention_mask=attention_mask).logits[0]
        return score_kept(logits, labels[kept], num_items_in_batch)


@torch.inference_mode()
def require_bidirectional(model: Any) -> None:
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
