"""A second, independent check of pairs of texts: the rows against the tokenizer's own encoding of the raw pairs."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from tokenizers import Tokenizer

from ..data.pairs import TEXT, TEXT_PAIR, Content
from .certificate import Broken
from .collation import Matrix
from .pairs import Paired
from .tokenizer import TextTokenizer

STRATEGY = {"longest_first": "longest_first", "second_only": "only_second"}
"""encode.truncation -> what the library tokenizers calls it."""


def pair_checks(
    encoding: Paired, tokenizer: TextTokenizer, batch: dict[str, Matrix], pairs: Sequence[Content]
) -> Broken:
    """Checks of padded rows: token ids, separators and token types are what the tokenizer gives for both texts by its
    own post-processor and truncation, and each text has a token."""
    given: Any = pairs
    own = _own(encoding, tokenizer).encode_batch([(pair[TEXT], pair[TEXT_PAIR]) for pair in given])
    lengths, width = batch["attention_mask"].sum(1), batch["input_ids"].shape[1]
    ids, types = np.zeros((2, len(own), width), np.int64)
    for row, encoded in enumerate(own):
        size = min(len(encoded.ids), width)
        ids[row, :size], types[row, :size] = encoded.ids[:size], encoded.type_ids[:size]
    real = batch["attention_mask"] == 1
    return {
        "a text of the pair has no token": np.array([not {0, 1} <= {*encoded.sequence_ids} for encoded in own], bool),
        "the row is not as long as the tokenizer's own encoding of its pair": lengths
        != [len(row_encoding.ids) for row_encoding in own],
        "the tokens are not the tokenizer's own of the pair": (np.where(real, batch["input_ids"], 0) != ids).any(1),
        "the token types are not the tokenizer's own": (batch["token_type_ids"] != types).any(1),
    }


def _own(encoding: Paired, tokenizer: TextTokenizer) -> Tokenizer:
    """The tokenizer with its own truncation switched on, apart from the one that encodes the rows."""
    assert encoding.pair is not None
    backend = Tokenizer.from_str(tokenizer.backend.to_str())
    backend.encode_special_tokens = tokenizer.backend.encode_special_tokens
    backend.enable_truncation(encoding.max_length, strategy=STRATEGY[encoding.pair.truncation])
    return backend
