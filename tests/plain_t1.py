"""MISSION row T1 written out row by row, as a person would: the measure for tasks.text, of which it imports nothing."""

from collections.abc import Callable
from typing import Any

IGNORED = -100
PAD = 0


def plain_t1(
    tokenizer: Any, texts: list[str], labels: list[str], max_length: int, eos: int
) -> tuple[list[list[int]], list[list[int]], list[list[int]]]:
    """Lists input_ids, attention_mask, labels: tokens(text) + [eos] + [label], padded or cut to max_length.

    tokenizer: a tokenizers.Tokenizer, or a function from a text to its ids without special tokens.
    """
    ids_of: Callable[[str], list[int]] = tokenizer
    if hasattr(tokenizer, "encode"):

        def ids_of(text: str) -> list[int]:
            return list(tokenizer.encode(text, add_special_tokens=False).ids)

    all_ids, all_masks, all_labels = [], [], []
    for text, label in zip(texts, labels, strict=True):
        ids = list(ids_of(text))
        ids.append(eos)
        ids.append(ids_of(label)[0])
        marks = [IGNORED] * (len(ids) - 1) + [ids[-1]]
        attention = [1] * len(ids)
        while len(ids) > max_length:
            del ids[0], marks[0], attention[0]
        while len(ids) < max_length:
            ids.append(PAD)
            marks.append(IGNORED)
            attention.append(0)
        all_ids.append(ids)
        all_masks.append(attention)
        all_labels.append(marks)
    return all_ids, all_masks, all_labels
