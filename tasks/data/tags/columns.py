"""A source's columns of tokens and tags, or of texts and spans -> texts, and what is tagged in them, as JSON."""

import json
from collections import Counter
from collections.abc import Mapping
from itertools import chain
from typing import Any

import numpy as np
import pandas as pd

from configs.columns import Columns

from ..drops import EXAMPLES
from ..errors import DataError
from ..label_variants import map_labels
from ..rows import or_none
from ..sources.written import as_written
from . import rows as told
from .schemes import CLOSING, Scheme, detect_scheme, entities_of, iob2, split_tag

Words = list[str | None]


def read_tagged(table: pd.DataFrame, columns: Columns, where: str, notes: list[str]) -> tuple[pd.Series, pd.Series]:
    """Texts and their tags (see tasks/data/tags/rows.py), null where missing; the scheme and what cannot be read are
    counted in `notes`. Raises DataError for tags of no known scheme."""
    if columns.spans is not None:
        texts = as_written(table[columns.text], where, "download.columns.text")
        tags = [_spans(text, value) for text, value in zip(texts, table[columns.spans].tolist(), strict=True)]
    else:
        tokens, given = (
            lists(table[name], where, role) for role, name in (("tokens", columns.tokens), ("tags", str(columns.tags)))
        )
        tags = _tags(tokens, given, columns, where, notes)
        joined = [None if words is None else " ".join(word or "" for word in words) for words in tokens]
        texts = pd.Series(joined, index=table.index, dtype="str")
    if columns.label_map:
        tags = _renamed(tags, columns.label_map, notes)
    _count_broken(tags, where, notes)
    return texts, pd.Series(tags, index=table.index, dtype="str")


def types_in(written: str | None) -> list[str]:
    """The type of each entity in a cell of the column `tags`; none of a cell that is missing or cannot be read."""
    value = json.loads(written) if written else []
    if isinstance(value, dict):
        return []
    letters = [split_tag(tag) if isinstance(tag, str) else ("B", tag["label"]) for tag in value]
    return [name for letter, name in letters if letter == "B"]


def _renamed(tags: list[str | None], label_map: Mapping[str, str], notes: list[str]) -> list[str | None]:
    """Tags with each type that `label_map` names replaced; types that no row has go to `notes`."""
    types = pd.Series(list(chain.from_iterable(map(types_in, tags))), dtype="str")
    map_labels(types, label_map, notes)
    return [None if cell is None else _mapped(json.loads(cell), label_map) for cell in tags]


def _mapped(value: Any, label_map: Mapping[str, str]) -> str:
    """A cell of the column with other names for its types."""
    if isinstance(value, list):
        value = [_mapped_tag(tag, label_map) for tag in value]
    return json.dumps(value, ensure_ascii=False)


def _mapped_tag(tag: Any, label_map: Mapping[str, str]) -> Any:
    if isinstance(tag, dict):
        return tag | {"label": label_map.get(tag["label"], tag["label"])}
    letter, name = split_tag(tag)
    return f"{letter}-{label_map.get(name, name)}" if name else tag


def lists(column: pd.Series, where: str, role: str) -> list[Words | None]:
    """A list of words in each row: a list, the JSON text of one, or words with white space between them."""
    lists_of_words = [_listed(value) for value in column.tolist()]
    for row, listed in enumerate(lists_of_words):
        if any(isinstance(word, list | tuple | dict | np.ndarray) for word in listed or ()):
            raise DataError(f"{where}: row {row + 1} has a list or an object among its {role}; write a list of words")
    flat = pd.Series([*chain.from_iterable(value for value in lists_of_words if value is not None)], dtype=object)
    words = as_written(flat, where, f"download.columns.{role}")
    every = iter(or_none(words))
    return [None if value is None else [next(every) for _ in value] for value in lists_of_words]


def _listed(value: Any) -> list[Any] | None:
    if isinstance(value, list | tuple | np.ndarray):
        return list(value)
    if not isinstance(value, str):
        return None
    if value.startswith("["):
        try:
            parsed = json.loads(value)
        except ValueError:
            return value.split()  # a sentence that begins with a bracket
        return list(parsed) if isinstance(parsed, list) else value.split()
    return value.split()


def _tags(
    tokens: list[Words | None], given: list[Words | None], columns: Columns, where: str, notes: list[str]
) -> list[str | None]:
    named = [None if tags is None else [_named(tag, columns, where) for tag in tags] for tags in given]
    reasons = [_reason(words, tags) for words, tags in zip(tokens, named, strict=True)]
    whole = {
        row: [str(tag) for tag in tags]
        for row, (tags, reason) in enumerate(zip(named, reasons, strict=True))
        if tags and reason is None and tokens[row] is not None
    }
    scheme = columns.scheme or _scheme(whole, where)
    written_tags: list[str | None] = [told.broken(reason) if reason else None for reason in reasons]
    odd: dict[int, int] = {}
    for row, tags in whole.items():
        entities, misplaced = _entities(tags, scheme, f"{where}: row {row + 1}")
        odd |= {row: misplaced} if misplaced else {}
        written_tags[row] = json.dumps(iob2(len(tags), entities), ensure_ascii=False)
    notes.append(f"{where}: the tags are in {scheme.upper()}{'' if columns.scheme else ', by their letters'}")
    if odd:
        rows = ", ".join(f"{row + 1:,}" for row in list(odd)[:EXAMPLES])
        notes.append(
            f"{where}: {sum(odd.values()):,} tags in {len(odd):,} rows are out of place in {scheme.upper()} "
            f"(rows {rows}), {_meaning(scheme)}"
        )
    return written_tags


def _meaning(scheme: Scheme) -> str:
    """What becomes of tags that are out of place."""
    if scheme == "iob1":
        return "such as a B- that follows no entity of its type; each begins an entity"
    wrong = "an I- without B- before it" if scheme == "iob2" else "an I- without B- before it, or a B- without E-"
    return f"such as {wrong}; each begins an entity, or ends it"


def _named(tag: str | None, columns: Columns, where: str) -> str | None:
    """A tag as it is called where tags are numbers. Raises DataError for a number without a name."""
    if tag is None or not tag.isdecimal():
        return tag
    if int(tag) >= len(columns.label_names):
        raise DataError(
            f"{where}: the tag {tag} is a number without a name; name all in columns.label_names, from 0, "
            "such as [O, B-person, I-person]"
        )
    return columns.label_names[int(tag)]


def _reason(words: Words | None, tags: Words | None) -> str | None:
    """Why the tags of a row cannot be read; None where they can, or are missing."""
    if words is None or tags is None:
        return None
    if len(words) != len(tags):
        return told.DIFFERENT
    if None in tags:
        return told.NO_TAG
    return told.SPACED if any(word is None or not word.strip() or " " in word for word in words) else None


def _scheme(whole: dict[int, list[str]], where: str) -> Scheme:
    """Raises DataError naming the row of a tag of no known scheme."""
    try:
        return detect_scheme(whole.values())
    except DataError:
        for row, tags in whole.items():
            for tag in tags:
                try:
                    split_tag(tag)
                except DataError as error:
                    raise DataError(f"{where}: row {row + 1}: {error}") from None
        raise


def _entities(tags: list[str], scheme: Scheme, place: str) -> Any:
    try:
        entities = entities_of(tags, scheme)
    except DataError as error:
        raise DataError(f"{place}: {error}") from None
    odd = next((tag for tag in tags if scheme != "bioes" and split_tag(tag)[0] in CLOSING), None)
    if odd is not None:
        raise DataError(f"{place} has the tag {odd!r}, which {scheme.upper()} has not; set `columns.scheme: bioes`, or "
                        "leave it out")  # fmt: skip
    return entities


def _spans(text: Any, value: Any) -> str | None:
    """The spans of one row; null where they, or the text, are missing."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            return told.broken(told.NO_SPAN)
    if not isinstance(value, list | tuple | np.ndarray):
        return None if value is None or isinstance(value, float) else told.broken(told.NO_SPAN)
    return told.write_spans(text, list(value)) if isinstance(text, str) else None


def _count_broken(tags: list[str | None], where: str, notes: list[str]) -> None:
    reasons = {row: json.loads(cell)[told.BROKEN] for row, cell in enumerate(tags) if cell and cell.startswith("{")}
    for reason, count in Counter(reasons.values()).most_common():
        rows = ", ".join(f"{row + 1:,}" for row, other in list(reasons.items()) if other == reason)
        notes.append(f"{where}: {count:,} rows have {reason} (row {rows[:60]}); `encode` drops them")
