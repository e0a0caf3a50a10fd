"""Encoded texts and their numbers -> padded batches as tensors."""

import torch

from ...text.feed import Collate, Row
from .encoding import RegressionEncoding, pad_numbers


def collate_numbers(encoding: RegressionEncoding) -> Collate:
    """A function from rows to a batch: input_ids, attention_mask [batch, length], labels float32 [batch]."""

    def collate(rows: list[Row]) -> dict[str, torch.Tensor]:
        part = rows[0][0]
        assert part.values is not None
        batch = pad_numbers(encoding, part.encoded, part.values, [row for _, row in rows])
        return {name: torch.from_numpy(values) for name, values in batch.items()}

    return collate
