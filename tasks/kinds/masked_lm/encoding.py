"""Padded texts -> some of their tokens hidden, to be predicted (Devlin et al. 2019, section 3.1), and their truth."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...learn.labels import IGNORE_INDEX
from ...text.collation import Matrix, pad_rows
from ...text.encoding import Encoding
from ...text.segments import Encoded

MASKED, REPLACED = 0.8, 0.9
"""Of the tokens to predict: below the first share hidden by the mask, from there below the second replaced."""
FIXED = -1
"""The epoch of rows that are masked once and for all: validation and test rows."""


@dataclass(frozen=True)
class MaskedEncoding(Encoding):
    """The tokenizer's own form for one text, the share of tokens to predict, and what may not be one of them.

    special_ids: ids of all special tokens. vocabulary: ids below it may replace a token.
    """

    share: float
    special_ids: tuple[int, ...]
    vocabulary: int

    def hide(self, row: str, epoch: int, seed: int, ids: Matrix) -> tuple[Matrix, Matrix]:
        """Input ids and labels, both [length], of one row in one epoch; what is drawn depends on nothing else.

        The rules are those of transformers' DataCollatorForLanguageModeling: each token that is not special is
        predicted with probability `share`; of these 80 % become the mask, 10 % any token, and 10 % stay.
        """
        digest = hashlib.blake2b(f"{seed} {epoch} {row}".encode(), digest_size=8).digest()
        draw = np.random.default_rng(int.from_bytes(digest, "big"))
        chosen, fate = draw.random((2, len(ids)))
        others = draw.integers(self.vocabulary, size=len(ids))
        predicted = (chosen < self.share) & ~np.isin(ids, self.special_ids)
        hidden = np.where(fate < MASKED, self.special["mask"], np.where(fate < REPLACED, others, ids))
        return np.where(predicted, hidden, ids), np.where(predicted, ids, IGNORE_INDEX)


def pad_masked(
    encoding: MaskedEncoding, encoded: Encoded, ids: Sequence[str], rows: Sequence[int], draw: tuple[int, int]
) -> dict[str, Matrix]:
    """input_ids, attention_mask and labels, int64 [len(rows), length], of rows with these `ids`; draw: epoch, seed."""
    width = encoding.max_length if encoding.padding == "max_length" else None
    batch = pad_rows(encoded, rows, encoding.pad_id, width)
    for place, row in enumerate(rows):
        length = int(encoded.lengths[row])
        batch["input_ids"][place, :length], batch["labels"][place, :length] = encoding.hide(
            ids[row], *draw, batch["input_ids"][place, :length]
        )
    return batch
