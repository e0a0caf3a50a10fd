"""A second, independent check of texts and numbers as training reads them, against the raw rows."""

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

import numpy as np

from ...data.numbers import Floats
from ...learn.labels import IGNORE_INDEX
from ...text.certificate import Broken, Certificate, RawRows, attention_odd, framed_checks, gather
from ...text.pair_certificate import pair_checks
from ...text.parts import Part
from ...text.segments import Encoded
from ...text.tokenizer import TextTokenizer
from .encoding import Arrays, RegressionEncoding, pad_numbers

TOLERANCE = 1e-5
"""Largest difference of a label, in standard deviations and by its own size, since labels are float32."""
Collate = Callable[[RegressionEncoding, Encoded, Floats, Sequence[int]], Arrays]


def certify_numbers(
    encoding: RegressionEncoding,
    tokenizer: TextTokenizer,
    part: Part,
    raw: RawRows,
    collate: Collate = pad_numbers,
) -> Certificate:
    """Check every row after truncation and collation; its number is read again, in decimal arithmetic."""

    values = part.values
    if values is None:
        raise ValueError("these encoded rows have no numbers; encode them with encode.kind regression")

    def look(rows: range) -> tuple[Broken, int, int]:
        batch = collate(encoding, part.encoded, values, rows)
        lengths = part.encoded.lengths[rows.start : rows.stop]
        mean, sd = Decimal(encoding.mean), Decimal(encoding.sd)
        due = np.array([float((_decimal(raw.truth[row], encoding) - mean) / sd) for row in rows])
        masked = batch | {"labels": np.full_like(batch["input_ids"], IGNORE_INDEX)}
        broken = {
            "attention is not the row's length": attention_odd(masked, lengths),
            "the label is not the row's number": ~np.isclose(batch["labels"], due, rtol=TOLERANCE, atol=TOLERANCE),
            "the label is one that the Trainer does not count": batch["labels"] == IGNORE_INDEX,
        }
        given: list[Any] = [raw.contents[row] for row in rows]
        broken |= (
            pair_checks(encoding, tokenizer, batch, given)
            if encoding.pair
            else framed_checks(encoding, tokenizer, batch["input_ids"], lengths, given)
        )
        return broken, int(lengths.sum()), 0

    return gather(Certificate(), part.encoded, part.ids, look)


def _decimal(target: str, encoding: RegressionEncoding) -> Decimal:
    """The number of a target, by other means than those that encoded it: character by character."""
    kept = (letter for letter in target.strip() if not letter.isspace() and letter != encoding.thousands)
    return Decimal("".join("." if letter == encoding.decimal else letter for letter in kept))
