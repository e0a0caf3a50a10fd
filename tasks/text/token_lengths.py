"""Texts -> their lengths in tokens, for a recipe whose tokenizer is not learnt yet."""

import random
from pathlib import Path

from tokenizers import Tokenizer

from .vocabulary import learn_bpe

TRIED = 5_000
"""Texts on which a tokenizer is tried."""


def token_lengths(texts: list[str], vocabulary: int | Path) -> list[int]:
    """Lengths in tokens, ascending, of (a sample of) the texts, special tokens left out: under the tokenizer of a file,
    or one of so many tokens learnt from them."""
    sample = texts if len(texts) <= TRIED else random.Random(0).sample(texts, TRIED)
    tokenizer = read_whole(vocabulary) if isinstance(vocabulary, Path) else learn_bpe(sample, vocabulary)
    encoded = tokenizer.encode_batch_fast(sample, add_special_tokens=False)
    return sorted(len(encoding.ids) for encoding in encoded)


def read_whole(file: Path) -> Tokenizer:
    """The tokenizer of a tokenizer.json, which may ask for texts to be cut and padded: neither is done."""
    tokenizer = Tokenizer.from_file(str(file))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer
