"""The predictor of a registered model that was trained on preferences: a dialogue model's, which also compares."""

from collections.abc import Sequence

from ...data.dialogues.messages import Message
from ...text.chat import predictor as chat
from .log_probabilities import Batches, Floats, log_probabilities
from .reply_pairs import encode_pairs


class Predictor(chat.Predictor):
    """Dialogues in, the model's next turn out; or two replies in, and how much likelier one of them is."""

    def compare(
        self, dialogues: Sequence[Sequence[Message]], rejected: Sequence[Message], batch_size: int = 8
    ) -> Floats:
        """By how much the log-probability of each dialogue's last turn is above that of another in its place, in nats
        [dialogues]. Raises ValueError where the model has no room for one."""
        pairs = encode_pairs(self.encoding, self.tokenizer, list(zip(dialogues, rejected, strict=True)))
        if pairs.dropped:
            number, reason = next(iter(pairs.dropped.items()))
            raise ValueError(f"pair {number + 1} cannot be compared by this model: {reason}")
        batches = Batches(pairs.encoded.encoded, self.encoding.pad_id, 2 * batch_size)
        values = log_probabilities(self.model, batches)
        return values[0::2] - values[1::2]
