"""A second, independent check of texts and their labels as training reads them, against the raw rows."""

import json
from collections.abc import Callable, Sequence

import numpy as np

from ...learn.labels import IGNORE_INDEX
from ...text.certificate import Broken, Certificate, RawRows, attention_odd, framed_checks, gather
from ...text.parts import Part
from ...text.tokenizer import TextTokenizer
from .encoding import LabelSetEncoding
from .feed import Arrays, pad_labels

LABELS = "the labels are not the row's"
VALUES = "a label is neither 0 nor 1"
Collate = Callable[[LabelSetEncoding, Part, Sequence[int]], Arrays]


def certify_labels(
    encoding: LabelSetEncoding, tokenizer: TextTokenizer, part: Part, raw: RawRows, collate: Collate = pad_labels
) -> Certificate:
    """Check every row after truncation and collation; its labels are read again, by name, from the row as written."""

    def look(rows: range) -> tuple[Broken, int, int]:
        batch = collate(encoding, part, rows)
        lengths = part.encoded.lengths[rows.start : rows.stop]
        given = [{encoding.labels[place] for place in np.flatnonzero(row)} for row in batch["labels"] == 1]
        due = [{*json.loads(raw.truth[row])} for row in rows]
        masked = batch | {"labels": np.full_like(batch["input_ids"], IGNORE_INDEX)}
        broken = {
            "attention is not the row's length": attention_odd(masked, lengths),
            LABELS: np.array([a != b for a, b in zip(given, due, strict=True)], bool),
            VALUES: ~np.isin(batch["labels"], (0, 1)).all(1),
        }
        broken |= framed_checks(
            encoding, tokenizer, batch["input_ids"], lengths, [str(raw.contents[row]) for row in rows]
        )
        return broken, int(lengths.sum()), batch["labels"].size

    return gather(Certificate(), part.encoded, part.ids, look)
