"""Encoded texts and their classes -> padded batches as tensors."""

import torch

from ...text import feed
from ...text.encoding import Encoding
from ...text.feed import Collate, Row


def collate_rows(encoding: Encoding) -> Collate:
    """A function from rows to a batch: input_ids, attention_mask [batch, length] and labels.

    labels: [batch, length], -100 where not supervised (label words), or class ids [batch] (a head).
    """
    tokens = feed.collate_rows(encoding)
    if encoding.kind != "classifier":
        return tokens

    def collate(rows: list[Row]) -> dict[str, torch.Tensor]:
        numbers = [row for _, row in rows]
        return {**tokens(rows), "labels": torch.from_numpy(rows[0][0].class_ids[numbers])}

    return collate
