"""Texts -> their lengths in tokens, for a recipe whose tokenizer is not learnt yet."""

import random

from .vocabulary import learn_bpe

TRIED = 5_000
"""Texts on which a tokenizer is tried."""


def token_lengths(texts: list[str], vocabulary: int) -> list[int]:
    """Lengths in tokens, ascending, under a tokenizer of `vocabulary` tokens learnt from (a sample of) the texts."""
    sample = texts if len(texts) <= TRIED else random.Random(0).sample(texts, TRIED)
    encoded = learn_bpe(sample, vocabulary).encode_batch_fast(sample, add_special_tokens=False)
    return sorted(len(encoding.ids) for encoding in encoded)
