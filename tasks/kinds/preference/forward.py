"""Direct preference optimisation: log-probabilities of two replies, of a model and of a reference -> loss and rewards.

Rafailov, Sharma, Mitchell, Ermon, Manning and Finn, "Direct Preference Optimization: Your Language Model is Secretly a
Reward Model", NeurIPS 2023, equation 7; label smoothing by Mitchell, "A note on DPO with noisy preferences", 2023.
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, logsigmoid

from ...learn.labels import IGNORE_INDEX
from ...text.supervision import Scored


def dpo_losses(rewards: Tensor, smoothing: float = 0.0) -> Tensor:
    """The loss of each pair [pairs], of rewards [pairs, 2] of the rejected and the chosen reply.

    A reward is beta times what the model adds to a reply's log-probability over the reference. smoothing: how often the
    pairs are thought to be the wrong way round.
    """
    margin = rewards[:, 1] - rewards[:, 0]
    return -(1 - smoothing) * logsigmoid(margin) - smoothing * logsigmoid(-margin)


def reply_log_probabilities(model: nn.Module, input_ids: Tensor, attention_mask: Tensor, labels: Tensor) -> Tensor:
    """The summed log-probability of each sequence's supervised tokens [sequences], in nats; the head, which is computed
    at these alone, in float32. input_ids, attention_mask, labels: [sequences, length], labels unshifted."""
    inner: nn.Module = model.base_model  # type: ignore[assignment]
    head: nn.Module = model.get_output_embeddings()  # type: ignore[operator]
    hidden = inner(input_ids=input_ids, attention_mask=attention_mask, use_cache=False)[0]
    targets = labels[:, 1:]
    kept = targets != IGNORE_INDEX
    with torch.autocast(hidden.device.type, enabled=False):
        logits = head(hidden[:, :-1][kept].float())
        tokens = -cross_entropy(logits, targets[kept], reduction="none")
    return tokens.new_zeros(len(labels)).index_add(0, kept.nonzero()[:, 0], tokens)


class PreferredReplies(nn.Module):
    """Causal language model whose loss compares two replies with what a reference model finds of them."""

    accepts_loss_kwargs = True
    beta = 0.1
    smoothing = 0.0

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor,
        targets: Tensor,
        reference: Tensor,
        labels: Tensor,
        num_items_in_batch: Tensor | int | None = None,
    ) -> Scored:
        """input_ids, attention_mask, targets: [pairs, 2, length], the rejected side first, targets -100 outside of the
        replies; reference: log-probabilities [pairs, 2]; labels: [pairs], 1 for the chosen side. logits: the rewards
        [pairs, 2], so that the likelier class is the reply that the model prefers. loss: the sum over pairs divided by
        `num_items_in_batch`, or where that is not given by how many they are."""
        flat = (tensor.flatten(0, 1) for tensor in (input_ids, attention_mask, targets))
        policy = reply_log_probabilities(self, *flat).view(-1, 2)
        rewards = self.beta * (policy - reference.to(policy.dtype))
        count = len(labels) if num_items_in_batch is None else num_items_in_batch
        return Scored(loss=dpo_losses(rewards, self.smoothing).sum() / count, logits=rewards)
