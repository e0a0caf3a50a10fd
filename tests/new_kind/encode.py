"""Split rows with labels -> encoded parts, each certified."""

import json
from typing import Any

import numpy as np
import pandas as pd

from configs.encodings import BackwardEncode

from ...artifact import Artifact
from ...data.ledger import dropped_rows
from ...learn.labels import IGNORE_INDEX
from ...text.certificate import Certificate, attention_odd, framed_checks, gather
from ...text.collation import pad_rows
from ...text.encoding_stage import TextEncoder, encode_parts
from ...text.parts import Part
from ...text.token_view import sample
from ...text.tokenizer import TextTokenizer
from ...text.vocabulary import frame_of, tokenizer_for
from ..spec import EncodedRows, StageOutput
from .encoding import BackwardEncoding


def encode_part(encoding: BackwardEncoding, tokenizer: TextTokenizer, rows: pd.DataFrame) -> tuple[Part, pd.DataFrame]:
    """Encode rows (id, text, label); none is dropped."""
    classes = np.array([encoding.labels.index(label) for label in rows["label"]], np.int64)
    encoded = encoding.encode(tokenizer, rows["text"].tolist())
    return Part(rows["id"].tolist(), classes, encoded), dropped_rows(rows.head(0), "")


def certify_part(encoding: BackwardEncoding, tokenizer: TextTokenizer, part: Part, rows: pd.DataFrame) -> Certificate:
    """The certificate of one part, against the rows it came from; their words are turned round by other means."""
    known = rows.set_index("id").loc[part.ids]
    due = [" ".join(text.split()[::-1]) for text in known["text"]]
    width = encoding.max_length if encoding.padding == "max_length" else None

    def look(chosen: range) -> tuple[dict[str, Any], int, int]:
        batch = pad_rows(part.encoded, chosen, encoding.pad_id, width)
        lengths = part.encoded.lengths[chosen.start : chosen.stop]
        classes = [encoding.labels[part.class_ids[row]] for row in chosen]
        broken = {
            "attention is not the row's length": attention_odd(batch, lengths),
            "a token carries a label": (batch["labels"] != IGNORE_INDEX).any(1),
            "the class is not the row's label": known["label"].iloc[chosen.start : chosen.stop].to_numpy() != classes,
            **framed_checks(encoding, tokenizer, batch["input_ids"], lengths, due[chosen.start : chosen.stop]),
        }
        return broken, int(lengths.sum()), 0

    return gather(Certificate(), part.encoded, part.ids, look)


def encode_rows(
    out: StageOutput, section: BackwardEncode, tables: dict[str, pd.DataFrame], splits: Artifact
) -> EncodedRows:
    """Encode every part with the label set of the split. Raises DataError, MaskError."""
    labels = json.loads(splits.file("labels.json").read_text(encoding="utf-8"))
    tokenizer = tokenizer_for(section, tables["train"]["text"].tolist(), ("[CLS]", "[SEP]"))
    special, pad = frame_of(section.kind, tokenizer, ("cls", "sep"))
    encoding = BackwardEncoding(section.kind, tuple(labels), (), special, section.max_length, section.padding, pad)
    encoder = TextEncoder(encoding, tokenizer, encode_part, certify_part, sample)
    return EncodedRows(*encode_parts(encoder, tables, out.data))
