"""A table that nobody has described yet -> its columns of tags or spans, and what holds of its rows."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from itertools import chain
from typing import Any

import pandas as pd

from configs.cleaning import Clean
from configs.sources import Columns
from configs.tag_starter import TagFacts

from ..data.cleaning.pipeline import clean_rows
from ..data.errors import DataError
from ..data.label_variants import describe_variants, label_variants
from ..data.ledger import PARTS
from ..data.rows import with_ids
from ..data.sources.columns import take_columns
from ..data.tags.columns import lists
from ..data.tags.rows import BROKEN, KEYS, read_tags
from ..data.tags.schemes import OUTSIDE, TAG, Scheme, detect_scheme
from .table import TEXT_NAMES, inspect_columns, names_parts, rank
from .targets import likely_split

SAMPLE = 500
"""Rows on which columns are recognised."""
TOKENS = ("tokens", "words", "text", "sentence")
"""Names of columns of words, the likeliest first."""
FIT = 0.9
"""Share of the rows that must have as many words as tags."""


def tag_columns(table: pd.DataFrame) -> Columns | None:
    """The columns of tokens and tags, or of texts and spans; None where a table has neither."""
    head = table.head(SAMPLE)
    split = next((column.name for column in inspect_columns(table) if names_parts(table[column.name])), None)
    names = list(map(str, head.columns))
    known = {name: _lists(head[name]) for name in names if names.count(name) == 1 and name != split}
    tags = next((name for name, rows in known.items() if _are_tags(rows)), None)
    if tags is not None:
        fit = [name for name, rows in known.items() if name != tags and _as_long(rows, known[tags])]
        return Columns(tags=tags, tokens=min(fit, key=lambda name: rank(name, TOKENS)), split=split) if fit else None
    spans = next((name for name in known if _are_spans(head[name])), None)
    texts = [column for column in inspect_columns(table) if column.words and column.name not in (split, spans)]
    if spans is None or not texts:
        return None
    text = min(texts, key=lambda column: (rank(column.name, TEXT_NAMES), -column.mean)).name
    return Columns(text=text, spans=spans, split=split)


def look_at_tags(table: pd.DataFrame, columns: Columns, where: str) -> TagFacts:
    """Measure the rows. Raises DataError where they cannot be trained on."""
    notes: list[str] = []
    columns = replace(columns, scheme=_scheme(table, columns))
    rows = with_ids(take_columns(table, columns, where, notes=notes))
    cleaned = clean_rows(rows, Clean(max_dropped=1.0))
    kept = cleaned.rows
    whole = kept[~kept["tags"].str.startswith(f'{{"{BROKEN}"')]
    types = Counter(
        entity.label
        for text, tags in zip(whole["text"], whole["tags"], strict=True)
        for entity in read_tags(text, tags).entities
    )
    if not types:
        raise DataError(f"{where}: no row has an entity in {columns.tags or columns.spans!r}")
    split, parts = likely_split(kept, where, given=columns.split is not None)
    seen = rows["text"].dropna()
    return TagFacts(
        columns=columns,
        rows=len(rows),
        types=dict(types.most_common()),
        notes=notes,
        longest=int(seen.str.len().max()),
        missing=float(rows[["text", "tags"]].isna().any(axis=1).mean()),
        duplicates=1 - seen.nunique() / len(seen),
        dropped={str(reason): int(count) for reason, count in cleaned.dropped["reason"].value_counts().items()},
        split=split,
        parts={part: int((parts == part).sum()) for part in PARTS},
        texts=kept["text"].tolist(),
        variants=describe_variants(label_variants(types)),
    )


def _scheme(table: pd.DataFrame, columns: Columns) -> Scheme | None:
    """The scheme of all tags, which the recipe names; None of spans, and of tags whose row the reader will refuse."""
    if columns.tags is None:
        return None
    try:
        return detect_scheme([tag for tag in row if tag] for row in _lists(table[columns.tags]) or [] if row)
    except DataError:
        return None


def _lists(column: pd.Series) -> list[Any] | None:
    """What each row lists; None for a column of anything else."""
    try:
        return lists(column, "", "")
    except DataError:
        return None


def _are_tags(rows: list[Any] | None) -> bool:
    filled = [row for row in rows or () if row]
    fit = [{*row} for row in filled if all(tag is not None and TAG.fullmatch(tag) for tag in row)]
    every = {*chain.from_iterable(fit)}
    return len(every) > 1 and OUTSIDE in every and len(fit) >= FIT * len(filled)


def _as_long(rows: list[Any] | None, tags: Sequence[Any] | None) -> bool:
    pairs = [(words, other) for words, other in zip(rows or (), tags or (), strict=False) if words and other]
    return bool(pairs) and sum(len(words) == len(other) for words, other in pairs) >= FIT * len(pairs)


def _are_spans(column: pd.Series) -> bool:
    """Whether rows list objects with start, end and label, or lists of these three."""
    span_lists = []
    for value in column.dropna().tolist():
        try:
            span_lists.append(json.loads(value) if isinstance(value, str) else value)
        except ValueError:
            return False
    every = [span for row in span_lists if isinstance(row, list) for span in row]
    return bool(every) and sum(map(_is_span, every)) >= FIT * len(every)


def _is_span(span: Any) -> bool:
    if isinstance(span, list | tuple):
        return [type(part) for part in span] == [int, int, str]
    return isinstance(span, dict) and {*KEYS} <= {*span}
