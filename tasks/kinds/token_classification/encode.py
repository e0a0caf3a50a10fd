"""Split rows with tags -> encoded parts: the tokenizer, the tags, the rows that are dropped, the certificate."""

import numpy as np
import pandas as pd

from configs.token_encodings import TokenClassificationEncode

from ...artifact import Artifact
from ...data.errors import DataError
from ...data.ledger import dropped_rows
from ...data.tags.rows import BrokenTagsError, Tagged, are_tokens, read_tags
from ...data.tags.schemes import OUTSIDE
from ...text.certificate import Certificate
from ...text.encoding_stage import TextEncoder, encode_parts
from ...text.parts import Part
from ...text.tokenizer import TextTokenizer
from ...text.vocabulary import frame_of, tokenizer_for
from ..spec import EncodedRows, StageOutput
from .certificate import certify_tags
from .encoding import TagEncoding, tags_of
from .view import sample

FRAME = ("[CLS]", "[SEP]")
"""Special tokens between which a row stands; a tokenizer that is learnt for it gets them."""
TWO = "two entities within one word"
NO_WORD = "no word"


def make_encoding(
    section: TokenClassificationEncode, tables: dict[str, pd.DataFrame]
) -> tuple[TagEncoding, TextTokenizer]:
    """The tokenizer, learnt from training texts where the recipe states it, and the tags of all rows' types.

    Raises DataError where no row has an entity.
    """
    train = tables["train"]
    tokenizer = tokenizer_for(section, train["text"].tolist(), FRAME)
    special, pad = frame_of(section.kind, tokenizer, ("cls", "sep"))
    unknown = tokenizer.backend.token_to_id(tokenizer.unknown) if tokenizer.unknown else None
    tagged_rows = [row for table in tables.values() for row in read_rows_of(table) if row]
    types = sorted({entity.label for row in tagged_rows for entity in row.entities})
    if not types:
        raise DataError("no row has an entity; name the tags in download.columns.tags, or the spans in columns.spans")
    encoding = TagEncoding(
        kind=section.kind,
        labels=(OUTSIDE, *(f"{letter}-{name}" for name in types for letter in "BI")),
        label_ids=(),
        special={**special, "unk": special["sep"] if unknown is None else unknown},
        max_length=section.max_length,
        padding=section.padding,
        pad_id=pad,
        overlap=section.overlap,
        pieces=section.pieces,
        tokens=any(map(are_tokens, train["tags"])),
    )
    return encoding, tokenizer


def read_rows_of(rows: pd.DataFrame) -> list[Tagged | None]:
    """What is tagged in each row (text, tags); None where that cannot be read."""
    tagged: list[Tagged | None] = []
    for text, tags in zip(rows["text"], rows["tags"], strict=True):
        try:
            tagged.append(read_tags(text, tags))
        except BrokenTagsError:
            tagged.append(None)
    return tagged


def _reason(text: str, tags: str) -> str:
    """Why a row cannot be encoded; empty where it can."""
    try:
        row = read_tags(text, tags)
    except BrokenTagsError as error:
        return str(error)
    if not row.words:
        return NO_WORD
    return TWO if tags_of(row.words, row.entities) is None else ""


def encode_part(encoding: TagEncoding, tokenizer: TextTokenizer, rows: pd.DataFrame) -> tuple[Part, pd.DataFrame]:
    """Encode rows (id, text, tags); those whose tags cannot be read are dropped, with the reason. A row that is longer
    than max_length becomes several of the same id."""
    reasons = pd.Series(
        [_reason(*text_and_tags) for text_and_tags in zip(rows["text"], rows["tags"], strict=True)],
        index=rows.index,
        dtype="str",
    )
    kept = rows[reasons == ""]
    tagged = [row for row in read_rows_of(kept) if row is not None]
    words = [row.words for row in tagged]
    tags = [tags_of(row.words, row.entities) or [] for row in tagged]
    windows = encoding.windows(tokenizer, kept["text"].tolist(), words, tags)
    ids = kept["id"].to_numpy()[windows.rows].tolist()
    gone = [dropped_rows(rows[reasons == reason], str(reason)) for reason in reasons[reasons != ""].unique()]
    part = Part(ids, np.zeros(len(ids), np.int64), windows.encoded)
    return part, pd.concat([dropped_rows(rows.head(0), ""), *gone], ignore_index=True)


def certify_part(encoding: TagEncoding, tokenizer: TextTokenizer, part: Part, rows: pd.DataFrame) -> Certificate:
    """The certificate of one part, against the rows it came from."""
    known = rows.set_index("id").loc[list(dict.fromkeys(part.ids))]
    return certify_tags(encoding, tokenizer, part, known["text"].tolist(), known["tags"].tolist())


def encode_rows(
    out: StageOutput, section: TokenClassificationEncode, tables: dict[str, pd.DataFrame], splits: Artifact
) -> EncodedRows:
    """Encode every part; dropped rows are shown by their text. Raises DataError, MaskError."""
    encoding, tokenizer = make_encoding(section, tables)
    encoder = TextEncoder(encoding, tokenizer, encode_part, certify_part, sample)
    ids, dropped, page = encode_parts(encoder, tables, out.data)
    return EncodedRows(ids, dropped, f"{page}\n\n{_describe(encoding, tables)}")


def _describe(encoding: TagEncoding, tables: dict[str, pd.DataFrame]) -> str:
    """Entities per type and part, and how many no prediction can be equal to."""
    lines = [f"| type | {' | '.join(tables)} |", f"|---|{'---:|' * len(tables)}"]
    rows_by_part = {name: [row for row in read_rows_of(table) if row] for name, table in tables.items()}
    for label in (tag[2:] for tag in encoding.labels[1::2]):
        counts = [
            sum(entity.label == label for row in rows for entity in row.entities) for rows in rows_by_part.values()
        ]
        lines.append(f"| {label} | {' | '.join(f'{count:,}' for count in counts)} |")
    within = sum(_within(row) for rows in rows_by_part.values() for row in rows)
    if within:
        lines += ["", f"{within:,} entities begin or end within a word: no prediction of whole words is equal to them."]
    return "\n".join(["Entities:", "", *lines])


def _within(row: Tagged) -> int:
    starts, stops = {start for start, _ in row.words}, {stop for _, stop in row.words}
    return sum(entity.start not in starts or entity.stop not in stops for entity in row.entities)
