"""Encoded texts and their classes -> padded batches as tensors."""

import torch

from ...text import feed
from ...text.encoding import Encoding
from ...text.feed import Collate, Row


def collate_rows(encoding: Encoding) -> Collate:
    """A function from rows to a batch: input_ids, attention_mask [batch, length], labels, and teachers where there are.

    labels: [batch, length], -100 where not supervised (label words), or class ids [batch] (a head). teachers: their
    logits [batch, teachers, classes].
    """
    tokens = feed.collate_rows(encoding)
    if encoding.kind != "classifier":
        return tokens

    def collate(rows: list[Row]) -> dict[str, torch.Tensor]:
        part, numbers = rows[0][0], [row for _, row in rows]
        taught = {} if part.teachers is None else {"teachers": torch.from_numpy(part.teachers[numbers])}
        return {**tokens(rows), "labels": torch.from_numpy(part.class_ids[numbers]), **taught}

    return collate
