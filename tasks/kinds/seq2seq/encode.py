"""Split rows with targets -> encoded parts of pairs: the tokenizer, the encoding, the rows that are dropped, the
certificate."""

import numpy as np
import pandas as pd

from configs.encodings import Seq2SeqEncode

from ...artifact import Artifact
from ...data.errors import DataError
from ...data.ledger import dropped_rows
from ...text.certificate import Certificate, RawRows
from ...text.encoding_stage import TextEncoder, encode_parts
from ...text.parts import Part
from ...text.token_view import sample
from ...text.tokenizer import TextTokenizer
from ...text.vocabulary import tokenizer_for
from ..spec import EncodedRows, StageOutput
from .certificate import certify_pairs
from .encoding import Seq2SeqEncoding, join_pairs

ABSENT, EMPTY, TOO_LONG = "no target", "empty target", "target too long"


def make_encoding(section: Seq2SeqEncode, train: pd.DataFrame) -> tuple[Seq2SeqEncoding, TextTokenizer]:
    """The tokenizer, learnt from training texts and targets where the recipe states it, and the encoding.

    Raises DataError for a tokenizer without an end token, and for a prefix that leaves no room for a text.
    """
    learnt = [section.prefix, *train["text"], *train["target"].dropna()]
    tokenizer = tokenizer_for(section, learnt)
    special = tokenizer.special
    if "eos" not in special:
        raise DataError("encode.kind seq2seq needs a tokenizer with an end-of-text token (eos); this has none")
    taken = len(tokenizer.ids([section.prefix])[0]) + 1
    if taken >= section.max_length:
        raise DataError(f"encode.prefix takes {taken} of {section.max_length} tokens with the end; raise max_length")
    encoding = Seq2SeqEncoding(
        prefix=section.prefix,
        special={"eos": special["eos"]},
        max_length=section.max_length,
        max_target=section.max_target,
        padding=section.padding,
        pad_id=special.get("pad", special["eos"]),
    )
    return encoding, tokenizer


def encode_part(encoding: Seq2SeqEncoding, tokenizer: TextTokenizer, rows: pd.DataFrame) -> tuple[Part, pd.DataFrame]:
    """Encode rows (id, text, target); those without a target, or with a longer one than max_target, are dropped."""
    there = rows["target"].notna()
    known = rows[there]
    targets = encoding.encode_targets(tokenizer, known["target"].tolist())
    empty, long = targets.lengths == 1, targets.lengths > encoding.max_target
    reasons = {ABSENT: rows[~there], EMPTY: known[empty], TOO_LONG: known[long]}
    dropped = pd.concat([dropped_rows(some, reason) for reason, some in reasons.items()], ignore_index=True)
    if (empty | long).any():
        known = known[~(empty | long)]
        targets = encoding.encode_targets(tokenizer, known["target"].tolist())
    pairs = join_pairs(encoding.encode(tokenizer, known["text"].tolist()), targets)
    return Part(known["id"].tolist(), np.zeros(len(known), np.int64), pairs), dropped


def certify_part(encoding: Seq2SeqEncoding, tokenizer: TextTokenizer, part: Part, rows: pd.DataFrame) -> Certificate:
    """The certificate of one part, against the rows it came from."""
    known = rows.set_index("id").loc[part.ids]
    return certify_pairs(encoding, tokenizer, part, RawRows(known["text"].tolist(), known["target"].tolist()))


def encode_rows(
    out: StageOutput, section: Seq2SeqEncode, tables: dict[str, pd.DataFrame], splits: Artifact
) -> EncodedRows:
    """Encode every part. Raises DataError, MaskError."""
    encoding, tokenizer = make_encoding(section, tables["train"])
    encoder = TextEncoder(encoding, tokenizer, encode_part, certify_part, sample)
    return EncodedRows(*encode_parts(encoder, tables, out.data))
