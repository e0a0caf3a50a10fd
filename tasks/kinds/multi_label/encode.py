"""Split rows with any number of labels -> encoded parts: the tokenizer, the labels, the certificate."""

import json

import numpy as np
import pandas as pd

from configs.label_encodings import MultiLabelEncode

from ...artifact import Artifact
from ...data.escape import markdown
from ...data.label_sets import LABELS, indicators, read_sets
from ...data.ledger import dropped_rows
from ...data.rows import NO_LABEL
from ...text.certificate import Certificate, RawRows
from ...text.encoding_stage import TextEncoder, encode_parts
from ...text.parts import Part
from ...text.token_view import sample
from ...text.tokenizer import TextTokenizer
from ...text.vocabulary import frame_of, tokenizer_for
from ..spec import EncodedRows, StageOutput
from .certificate import certify_labels
from .encoding import LabelSetEncoding

FRAME = ("[CLS]", "[SEP]")
"""Special tokens between which a row stands; a tokenizer that is learnt for it gets them."""


def make_encoding(section: MultiLabelEncode, tokenizer: TextTokenizer, labels: list[str]) -> LabelSetEncoding:
    """Fix every id that the encoding needs. Raises DataError where the tokenizer lacks one."""
    special, pad = frame_of(section.kind, tokenizer, ("cls", "sep"))
    return LabelSetEncoding(
        kind=section.kind,
        labels=tuple(labels),
        label_ids=(),
        special=special,
        max_length=section.max_length,
        padding=section.padding,
        pad_id=pad,
        thresholds=section.thresholds,
    )


def encode_part(encoding: LabelSetEncoding, tokenizer: TextTokenizer, rows: pd.DataFrame) -> tuple[Part, pd.DataFrame]:
    """Encode rows (id, text, labels); none is dropped, since a row without a label is one like any other."""
    places = {label: number for number, label in enumerate(encoding.labels)}
    sets = tuple(tuple(sorted(places[label] for label in labels)) for labels in read_sets(rows[LABELS]))
    encoded = encoding.encode(tokenizer, rows["text"].tolist())
    part = Part(rows["id"].tolist(), np.zeros(len(rows), np.int64), encoded, sets=sets)
    return part, dropped_rows(rows.head(0), "")


def certify_part(encoding: LabelSetEncoding, tokenizer: TextTokenizer, part: Part, rows: pd.DataFrame) -> Certificate:
    """The certificate of one part, against the rows it came from."""
    known = rows.set_index("id").loc[part.ids]
    return certify_labels(encoding, tokenizer, part, RawRows(known["text"].tolist(), known[LABELS].tolist()))


def encode_rows(
    out: StageOutput, section: MultiLabelEncode, tables: dict[str, pd.DataFrame], splits: Artifact
) -> EncodedRows:
    """Encode every part with the label set of the split. Raises DataError, MaskError."""
    labels = json.loads(splits.file("labels.json").read_text(encoding="utf-8"))
    tokenizer = tokenizer_for(section, tables["train"]["text"].tolist(), FRAME)
    encoder = TextEncoder(make_encoding(section, tokenizer, labels), tokenizer, encode_part, certify_part, sample)
    ids, dropped, page = encode_parts(encoder, tables, out.data)
    return EncodedRows(ids, dropped, f"{page}\n\n{describe_labels(labels, tables)}", shown=LABELS)


def describe_labels(labels: list[str], tables: dict[str, pd.DataFrame]) -> str:
    """Rows per label and part, and how many labels a row has."""
    has = {name: indicators(table[LABELS].tolist(), labels) for name, table in tables.items()}
    lines = ["Rows per label:", "", f"| label | {' | '.join(tables)} |", f"|---|{'---:|' * len(tables)}"]
    for at, label in enumerate(labels):
        lines.append(f"| {markdown(label)} | {' | '.join(f'{part[:, at].sum():,}' for part in has.values())} |")
    lines.append(f"| {NO_LABEL} | {' | '.join(f'{(~part.any(1)).sum():,}' for part in has.values())} |")
    means = ", ".join(f"{name} {part.sum() / max(len(part), 1):.2f}" for name, part in has.items())
    return "\n".join([*lines, "", f"Labels per row, on average: {means}."])
