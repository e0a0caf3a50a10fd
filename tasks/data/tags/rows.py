"""The column `tags` of a row: what is tagged in its text, as JSON; and the words that a text has.

`["O", "B-person"]` is a tag in IOB2 for each word of a text whose words stand between single spaces; a list of objects
`{"start": 0, "end": 5, "label": "person"}` names entities by their characters; `{"broken": reason}` cannot be read.
"""

import json
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from .schemes import Entity, entities_of

DIFFERENT = "tokens and tags of different length"
SPACED = "a token that is empty or has a space in it"
NO_TAG = "a token without a tag"
NO_SPAN = "a span without start, end and label"
OUTSIDE = "a span outside the text"
NO_WORD = "a span without a word"
OVERLAPPING = "overlapping spans"
BROKEN = "broken"
KEYS = ("start", "end", "label")
UNSPACED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]"
)
"""Letters of languages that are written without spaces; recipes have a list of their own, which no model carries."""
Span = tuple[int, int]
"""Characters of a text, from the first to before the second."""


class BrokenTagsError(ValueError):
    """Tags that cannot be read; the message is the reason."""


@dataclass(frozen=True)
class Tagged:
    """What is tagged in a text: its words and its entities, both in characters, in order."""

    words: list[Span]
    entities: list[Entity]


def read_tags(text: str, written: str) -> Tagged:
    """What the column `tags` states about a text. Raises BrokenTagsError."""
    tag_list = json.loads(written)
    if isinstance(tag_list, dict):
        raise BrokenTagsError(tag_list[BROKEN])
    if are_tokens(written):
        words = words_between_spaces(text)
        if len(words) != len(tag_list):
            raise BrokenTagsError(DIFFERENT)
        entities, _ = entities_of(tag_list, "iob2")
        return Tagged(words, [Entity(words[first][0], words[stop - 1][1], name) for first, stop, name in entities])
    return Tagged(words_of(text), [Entity(span["start"], span["end"], span["label"]) for span in tag_list])


SIGN, FORMAT = "Mn", "Cf"
"""Unicode's categories of signs without width (accents, vowels, the selector of an emoji) and of format characters
(joiners, a byte order mark)."""


def are_tokens(written: str) -> bool:
    """Whether a row says a tag for each word, and no spans."""
    return written.startswith('["')


def words_between_spaces(text: str) -> list[Span]:
    """The words of tokens that were joined by single spaces."""
    spans, start = [], 0
    for word in text.split(" "):
        spans.append((start, start + len(word)))
        start += len(word) + 1
    return spans


def words_of(text: str, *, joined: bool = False) -> list[Span]:
    """The words of any text: runs of letters and digits, each other character that is not white space by itself, as
    each letter of a language that is written without spaces. What shows nothing by itself (a vowel sign, a joiner)
    belongs to the letters that it stands between or behind, and is a word where there are none. joined: a mark between
    letters (don't, Jean-Luc, 3.5), and an @ or # before them, belongs to the word, as in texts that were split into
    tokens by others."""
    kinds = ["", *map(_kind, text), ""]
    for place, kind in enumerate(kinds):
        if kind in (SIGN, FORMAT):
            goes_on = kinds[place - 1] == "letter" and (kind == SIGN or kinds[place + 1] == "letter")
            kinds[place] = "letter" if goes_on else "mark"
    if joined:
        kinds[1:-1] = [_joined(text, kinds, place) for place in range(1, len(text) + 1)]
    starts = [
        place
        for place, (before, kind) in enumerate(pairwise(kinds[:-1]))
        if kind and (kind == "mark" or before != kind)
    ]
    return [(start, _end(kinds, start)) for start in starts]


def _end(kinds: list[str], start: int) -> int:
    stop = start + 1
    while kinds[start + 1] == "letter" and kinds[stop + 1] == "letter":
        stop += 1
    return stop


def _kind(letter: str) -> str:
    """Of a character: white space is none, a letter goes on with its word, a mark is a word by itself; of a sign and a
    format character the neighbours decide."""
    if letter.isspace():
        return ""
    category = unicodedata.category(letter)
    if category in (SIGN, FORMAT):
        return category
    alone = category[0] in "PS" and letter != "_"
    return "mark" if alone or UNSPACED.match(letter) else "letter"


def _joined(text: str, kinds: list[str], place: int) -> str:
    """The kind of the character before `place`, where its neighbours count."""
    letter, before, after = text[place - 1], kinds[place - 1], kinds[place + 1]
    if after == "letter" and ((letter in "'’.-&" and before == "letter") or (letter in "@#" and before == "")):
        return "letter"
    return kinds[place]


def write_spans(text: str, spans: Sequence[Any]) -> str:
    """Spans of a text as the column `tags` has them, white space at their ends left out, or why they cannot be read."""
    written_spans: list[Entity] = []
    for given in spans:
        span = dict(zip(KEYS, given, strict=False)) if isinstance(given, list | tuple) else given
        start, end, label = (span.get(name) if isinstance(span, dict) else None for name in KEYS)
        if type(start) is not int or type(end) is not int or not isinstance(label, str) or not label.strip():
            return broken(NO_SPAN)
        if not 0 <= start < end <= len(text):
            return broken(OUTSIDE)
        inside = text[start:end]
        if not inside.strip():
            return broken(NO_WORD)
        start += len(inside) - len(inside.lstrip())
        written_spans.append(Entity(start, start + len(inside.strip()), label))
    written_spans.sort()
    if any(entity.stop > other.start for entity, other in pairwise(written_spans)):
        return broken(OVERLAPPING)
    return json.dumps([dict(zip(KEYS, entity, strict=True)) for entity in written_spans], ensure_ascii=False)


def broken(reason: str) -> str:
    """Tags that cannot be read, as the column has them."""
    return json.dumps({BROKEN: reason})
