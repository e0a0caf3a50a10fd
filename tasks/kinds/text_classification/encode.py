"""Split rows -> encoded parts: the encoding that a recipe asks for, applied to every part and certified."""

import json

import numpy as np
import pandas as pd

from configs.encodings import ClassifierEncode, LabelWordEncode

from ...artifact import Artifact
from ...data.errors import DataError
from ...data.ledger import dropped_rows
from ...data.pairs import TEXT_PAIR, contents, every_text
from ...text.certificate import NO_TARGET, OTHER_CLASS, Certificate, RawRows, other_classes
from ...text.encoding import Encoding
from ...text.encoding_stage import TextEncoder, drop_one_sided, encode_parts
from ...text.pairs import pair_form
from ...text.parts import Part
from ...text.token_view import sample
from ...text.tokenizer import TextTokenizer
from ...text.vocabulary import frame_of, tokenizer_for
from ..spec import EncodedRows, StageOutput
from .certificate import certify
from .encoding import LABEL_WORD, encoding_class

FRAMES: dict[str, tuple[str, ...]] = {"classifier": ("[CLS]", "[SEP]"), LABEL_WORD: ()}
"""Special tokens between which a row stands; a tokenizer that is learnt for it gets them."""


def make_encoding(
    section: LabelWordEncode | ClassifierEncode, tokenizer: TextTokenizer, labels: list[str], *, pairs: bool = False
) -> Encoding:
    """Fix every id that the encoding of texts, or of pairs of texts, needs. Raises DataError for label words that
    cannot be distinguished."""
    needed = ("eos",) if isinstance(section, LabelWordEncode) else ("cls", "sep")
    special, pad = frame_of(section.kind, tokenizer, needed)
    label_ids: tuple[int, ...] = ()
    if isinstance(section, LabelWordEncode):
        label_ids = first_tokens(tokenizer, labels, section.label_words)
        pad = pad if section.pad_token_id is None else section.pad_token_id
        if pad >= tokenizer.size:
            raise DataError(f"encode.pad_token_id {pad} is outside the vocabulary of {tokenizer.size} tokens")
    return encoding_class(section.kind)(
        kind=section.kind,
        labels=tuple(labels),
        label_ids=label_ids,
        special=special,
        max_length=section.max_length,
        padding=section.padding,
        pad_id=pad,
        pair=pair_form(tokenizer, section.truncation) if pairs and isinstance(section, ClassifierEncode) else None,
    )


def first_tokens(tokenizer: TextTokenizer, labels: list[str], words: dict[str, str] | None) -> tuple[int, ...]:
    """The token that stands for each label: the first of its word. Raises DataError where two are equal."""
    chosen = words or {label: label for label in labels}
    lacking = [label for label in labels if label not in chosen]
    if lacking:
        raise DataError(f"encode.label_words has no word for the label {lacking[0]!r}")
    tokens: dict[int, str] = {}
    for label, ids in zip(labels, tokenizer.ids([chosen[label] for label in labels]), strict=True):
        if not ids:
            raise DataError(
                f"the label word {chosen[label]!r} has no token; {'change' if words else 'set'} encode.label_words"
            )
        if ids[0] in tokens:
            other = tokens[ids[0]]
            raise DataError(
                f"the label words {chosen[other]!r} and {chosen[label]!r} begin with the same token {ids[0]}; "
                "give them other words in encode.label_words"
            )
        tokens[ids[0]] = label
    return tuple(tokens)


def encode_part(encoding: Encoding, tokenizer: TextTokenizer, rows: pd.DataFrame) -> tuple[Part, pd.DataFrame]:
    """Encode rows (id, text, label); rows without a supervised token, and pairs of which a text has no token, are
    dropped, with that reason."""
    rows, one_sided = drop_one_sided(encoding, tokenizer, rows)
    texts, labels = contents(rows), rows["label"].tolist()
    classes = np.array([encoding.labels.index(label) for label in labels], np.int64)
    encoded = encoding.encode(tokenizer, texts, labels)
    if encoding.kind == LABEL_WORD:
        empty = encoded.supervised() == 0
        if empty.any():
            part, dropped = encode_part(encoding, tokenizer, rows[~empty])
            return part, pd.concat([dropped_rows(rows[empty], NO_TARGET), dropped], ignore_index=True)
    return Part(rows["id"].tolist(), classes, encoded), one_sided


def certify_part(encoding: Encoding, tokenizer: TextTokenizer, part: Part, rows: pd.DataFrame) -> Certificate:
    """The mask certificate of one part, against the rows it came from."""
    known = rows.set_index("id").loc[part.ids]
    labels = known["label"].tolist()
    result = certify(encoding, tokenizer, part, RawRows(contents(known), labels))
    result.violations[OTHER_CLASS] = other_classes(part.ids, part.class_ids, labels, encoding.labels)
    return result


def encode_rows(
    out: StageOutput, section: LabelWordEncode | ClassifierEncode, tables: dict[str, pd.DataFrame], splits: Artifact
) -> EncodedRows:
    """Encode every part with the label set of the split. Raises DataError, MaskError."""
    labels = json.loads(splits.file("labels.json").read_text(encoding="utf-8"))
    tokenizer = tokenizer_for(section, every_text(tables["train"]), FRAMES[section.kind])
    encoding = make_encoding(section, tokenizer, labels, pairs=TEXT_PAIR in tables["train"])
    encoder = TextEncoder(encoding, tokenizer, encode_part, certify_part, sample)
    return EncodedRows(*encode_parts(encoder, tables, out.data))
