"""Split rows -> encoded parts whose tokens will be hidden: the tokenizer, the encoding, what is dropped, the
certificate."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from configs.encodings import MaskedEncode

from ...artifact import Artifact
from ...data.ledger import dropped_rows
from ...text.certificate import NO_TARGET, Certificate
from ...text.collation import Matrix
from ...text.encoding_stage import TextEncoder, encode_parts
from ...text.parts import Part
from ...text.tokenizer import TextTokenizer
from ...text.vocabulary import frame_of, tokenizer_for
from ..spec import EncodedRows, StageOutput
from .certificate import certify_masked
from .encoding import FIXED, MaskedEncoding, pad_masked
from .view import sample

FRAME = ("[CLS]", "[SEP]", "[MASK]")
"""Special tokens that a tokenizer gets which is learnt for such rows."""


def make_encoding(section: MaskedEncode, train: pd.DataFrame) -> tuple[MaskedEncoding, TextTokenizer]:
    """The tokenizer, learnt from training texts where the recipe states it, and the encoding. Raises DataError."""
    tokenizer = tokenizer_for(section, train["text"].tolist(), FRAME)
    special, pad = frame_of(section.kind, tokenizer, ("cls", "sep", "mask"))
    encoding = MaskedEncoding(
        kind=section.kind,
        labels=(),
        label_ids=(),
        special=special,
        max_length=section.max_length,
        padding=section.padding,
        pad_id=pad,
        share=section.share,
        special_ids=tuple(sorted({*tokenizer.special_ids.values(), *tokenizer.special.values()})),
        vocabulary=tokenizer.size,
    )
    return encoding, tokenizer


def encode_part(encoding: MaskedEncoding, tokenizer: TextTokenizer, rows: pd.DataFrame) -> tuple[Part, pd.DataFrame]:
    """Encode rows (id, text); those without a token that could be hidden are dropped."""
    encoded = encoding.encode(tokenizer, rows["text"].tolist())
    plain = np.concatenate([[0], np.cumsum(~np.isin(encoded.ids, encoding.special_ids))])
    empty = plain[encoded.offsets[1:]] == plain[encoded.offsets[:-1]]
    if empty.any():
        part, _ = encode_part(encoding, tokenizer, rows[~empty])
        return part, dropped_rows(rows[empty], NO_TARGET)
    return Part(rows["id"].tolist(), np.zeros(len(rows), np.int64), encoded), dropped_rows(rows.head(0), "")


def certify_part(encoding: MaskedEncoding, tokenizer: TextTokenizer, part: Part, rows: pd.DataFrame) -> Certificate:
    """The certificate of one part, as it is masked in the first epoch and as it is masked for validation."""
    texts = rows.set_index("id").loc[part.ids]["text"].tolist()
    result, first = (certify_epoch(encoding, tokenizer, part, texts, epoch) for epoch in (FIXED, 0))
    for check, row_ids in first.violations.items():
        result.violations[check] = [*result.violations[check], *row_ids]
    return result


def certify_epoch(
    encoding: MaskedEncoding, tokenizer: TextTokenizer, part: Part, texts: Sequence[str], epoch: int
) -> Certificate:
    """The certificate of one part as it is masked in one epoch."""

    def collate(rows: Sequence[int]) -> dict[str, Matrix]:
        return pad_masked(encoding, part.encoded, part.ids, rows, (epoch, 0))

    return certify_masked(encoding, tokenizer, part, texts, collate)


def encode_rows(
    out: StageOutput, section: MaskedEncode, tables: dict[str, pd.DataFrame], splits: Artifact
) -> EncodedRows:
    """Encode every part. Raises DataError, MaskError."""
    encoding, tokenizer = make_encoding(section, tables["train"])
    encoder = TextEncoder(encoding, tokenizer, encode_part, certify_part, sample)
    return EncodedRows(*encode_parts(encoder, tables, out.data))
