"""Encoded pairs of text and target -> padded batches as tensors."""

import torch

from ...text.feed import Collate, Row
from .encoding import Seq2SeqEncoding, pad_pairs


def collate_pairs(encoding: Seq2SeqEncoding) -> Collate:
    """A function from rows to a batch: input_ids, attention_mask [batch, source length], labels [batch, target
    length]."""

    def collate(rows: list[Row]) -> dict[str, torch.Tensor]:
        batch = pad_pairs(encoding, rows[0][0].encoded, [row for _, row in rows])
        return {name: torch.from_numpy(values) for name, values in batch.items()}

    return collate
