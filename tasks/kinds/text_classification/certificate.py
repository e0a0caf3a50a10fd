"""A second, independent check of texts and their classes as training reads them, against the raw rows."""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ...learn.labels import IGNORE_INDEX
from ...text.certificate import BROKEN, Broken, Certificate, RawRows, attention_odd, differ, framed_checks, gather
from ...text.collation import Matrix, pad_rows
from ...text.encoding import Encoding
from ...text.pair_certificate import pair_checks
from ...text.parts import Part
from ...text.tokenizer import TextTokenizer
from .encoding import LABEL_WORD


class Collated(NamedTuple):
    """Rows of one batch, with their true lengths [rows], texts and labels."""

    batch: dict[str, Matrix]
    lengths: npt.NDArray[np.int64]
    texts: list[Any]
    labels: list[str]


def certify(encoding: Encoding, tokenizer: TextTokenizer, part: Part, raw: RawRows) -> Certificate:
    """Check every row after truncation and collation. Rows with label words carry their label as last token."""
    checks = _label_words if encoding.kind == LABEL_WORD else _head
    width = encoding.max_length if encoding.padding == "max_length" else None

    def look(rows: range) -> tuple[Broken, int, int]:
        batch = pad_rows(part.encoded, rows, encoding.pad_id, width)
        lengths = part.encoded.lengths[rows.start : rows.stop]
        broken = {"attention is not the row's length": attention_odd(batch, lengths)}
        texts, labels = [raw.contents[row] for row in rows], [raw.truth[row] for row in rows]
        broken |= checks(encoding, tokenizer, Collated(batch, lengths, texts, labels))
        return broken, int(lengths.sum()), int((batch["labels"][:, 1:] != IGNORE_INDEX).sum())

    return gather(Certificate(pad_is_eos=encoding.pad_id == encoding.special.get("eos")), part.encoded, part.ids, look)


def _label_words(encoding: Encoding, tokenizer: TextTokenizer, collated: Collated) -> Broken:
    batch, lengths, texts, labels = collated
    marked = batch["labels"] != IGNORE_INDEX
    inputs, last = batch["input_ids"], np.maximum(lengths - 1, 0)
    rows = np.arange(len(inputs))
    words = [encoding.label_ids[encoding.labels.index(label)] for label in labels]
    expected = tokenizer.decode([[word] for word in words])
    answers = tokenizer.decode([inputs[row][marked[row]].tolist() for row in rows])
    given = tokenizer.decode([inputs[row, : max(n - 2, 0)].tolist() for row, n in zip(rows, lengths, strict=True)])
    plain = tokenizer.decode(tokenizer.ids(texts))
    eos = encoding.special["eos"]
    before_last = inputs[rows, np.maximum(last - 1, 0)]
    return {
        "no supervised token": ~marked[:, 1:].any(1),
        "more than the label is supervised": marked.sum(1) > 1,
        "the supervised token is not the row's label": np.array(
            [a != b for a, b in zip(answers, expected, strict=True)]
        ),
        "label ids differ from input ids": (marked & (batch["labels"] != inputs)).any(1),
        "the label is not the last token": ~marked[rows, last],
        "end of text is missing before the label": (lengths < 2) | (before_last != eos),
        "end of text is not attended": batch["attention_mask"][rows, np.maximum(last - 1, 0)] != 1,
        "the given text is not the row's": differ(given, plain, lengths < encoding.max_length, ends),
    }


def _head(encoding: Encoding, tokenizer: TextTokenizer, collated: Collated) -> Broken:
    batch, lengths, texts, labels = collated
    form = (
        pair_checks(encoding, tokenizer, batch, texts)
        if encoding.pair
        else framed_checks(encoding, tokenizer, batch["input_ids"], lengths, texts)
    )
    return {
        "a token carries a label": (batch["labels"] != IGNORE_INDEX).any(1),
        "the label is unknown": np.array([label not in encoding.labels for label in labels]),
    } | form


def ends(part: str, whole: str) -> bool:
    """Whether a text ends another, a character torn by a byte-level cut aside."""
    return whole.endswith(part.lstrip(BROKEN))
