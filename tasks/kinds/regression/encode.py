"""Split rows with numbers -> encoded parts: the tokenizer, the encoding, the rows that are dropped, the certificate."""

import numpy as np
import pandas as pd

from configs.encodings import RegressionEncode

from ...artifact import Artifact
from ...data.errors import DataError
from ...data.ledger import dropped_rows
from ...data.numbers import read_numbers
from ...data.pairs import TEXT_PAIR, contents, every_text
from ...text.certificate import Certificate, RawRows
from ...text.encoding_stage import TextEncoder, drop_one_sided, encode_parts
from ...text.pairs import pair_form
from ...text.parts import Part
from ...text.token_view import sample
from ...text.tokenizer import TextTokenizer
from ...text.vocabulary import frame_of, tokenizer_for
from ..spec import EncodedRows, StageOutput
from .certificate import certify_numbers
from .encoding import RegressionEncoding, other_notations

NO_NUMBER = "target is no number"
FRAME = ("[CLS]", "[SEP]")
"""Special tokens between which a row stands; a tokenizer that is learnt for it gets them."""


def make_encoding(section: RegressionEncode, train: pd.DataFrame) -> tuple[RegressionEncoding, TextTokenizer]:
    """The tokenizer and the encoding, with the mean and standard deviation of the training rows' numbers.

    Raises DataError where these are no numbers, or all the same.
    """
    tokenizer = tokenizer_for(section, every_text(train), FRAME)
    special, pad = frame_of(section.kind, tokenizer, ("cls", "sep"))
    values = read_numbers(train["target"].fillna("").tolist(), section.thousands, section.decimal)
    known = values[~np.isnan(values)]
    if not len(known):
        notations = other_notations(train["target"].dropna().tolist(), section.thousands, section.decimal)
        notations = notations or "; name another column in download.columns.target"
        raise DataError(
            f"no target of the {len(train)} training rows is a number, the first is "
            f"{train['target'].iloc[0]!r}{notations}"
        )
    mean, sd = float(known.mean()), float(known.std())
    if not sd > 1e-12 * max(1.0, abs(mean)) or not np.isfinite(sd):
        raise DataError(
            f"the targets of all {len(known)} training rows are {known[0]:g}, or too large; there is nothing to learn"
        )
    encoding = RegressionEncoding(
        kind=section.kind,
        labels=(),
        label_ids=(),
        special=special,
        max_length=section.max_length,
        padding=section.padding,
        pad_id=pad,
        mean=mean,
        sd=sd,
        thousands=section.thousands,
        decimal=section.decimal,
        pair=pair_form(tokenizer, section.truncation) if TEXT_PAIR in train else None,
    )
    return encoding, tokenizer


def encode_part(
    encoding: RegressionEncoding, tokenizer: TextTokenizer, rows: pd.DataFrame
) -> tuple[Part, pd.DataFrame]:
    """Encode rows (id, text, target); those whose target is no finite number, and pairs of which a text has no token,
    are dropped."""
    rows, one_sided = drop_one_sided(encoding, tokenizer, rows)
    values = encoding.numbers(rows["target"].fillna("").tolist())
    odd = np.isnan(values)
    known = rows[~odd]
    encoded = encoding.encode(tokenizer, contents(known))
    part = Part(known["id"].tolist(), np.zeros(len(known), np.int64), encoded, values[~odd])
    return part, pd.concat([one_sided, dropped_rows(rows[odd], NO_NUMBER)], ignore_index=True)


def certify_part(encoding: RegressionEncoding, tokenizer: TextTokenizer, part: Part, rows: pd.DataFrame) -> Certificate:
    """The certificate of one part, against the rows it came from."""
    known = rows.set_index("id").loc[part.ids]
    return certify_numbers(encoding, tokenizer, part, RawRows(contents(known), known["target"].tolist()))


def encode_rows(
    out: StageOutput, section: RegressionEncode, tables: dict[str, pd.DataFrame], splits: Artifact
) -> EncodedRows:
    """Encode every part; dropped rows are shown by their target. Raises DataError, MaskError."""
    encoding, tokenizer = make_encoding(section, tables["train"])
    encoder = TextEncoder(encoding, tokenizer, encode_part, certify_part, sample)
    ids, dropped, page = encode_parts(encoder, tables, out.data)
    targets = pd.concat(tables.values()).set_index("id")["target"].loc[dropped["id"]].dropna().tolist()
    hint = other_notations(targets, section.thousands, section.decimal)
    return EncodedRows(ids, dropped, page, shown="target", hint=hint)
