"""Values as templates write them (JSON, Python, bare keys, quotes of a family's own) -> values and where they end."""

import ast
import json
import re
from typing import Any

BARE = re.compile(r"[^\W\d][\w.-]*")
NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?")
SINGLE = re.compile(r"'(?:[^'\\]|\\.)*'", re.DOTALL)
WORDS = {"true": True, "True": True, "false": False, "False": False, "null": None, "None": None}
DEEPEST = 100
"""Levels of nesting; what a model generates may open brackets without end."""


def read_literal(text: str, start: int = 0, quote: str = '"', depth: int = 0) -> tuple[Any, int]:
    """The value that begins at `start` and the place behind it. quote: what else opens and closes a text.

    Raises ValueError where there is none.
    """
    start = _skip(text, start)
    if depth > DEEPEST:
        raise ValueError("nested too deeply")
    if quote not in ('"', "'") and text.startswith(quote, start):
        end = text.index(quote, start + len(quote))
        return text[start + len(quote) : end], end + len(quote)
    match text[start : start + 1]:
        case '"':
            return json.decoder.scanstring(text, start + 1, False)  # type: ignore[attr-defined,no-any-return]
        case "'":
            match = SINGLE.match(text, start)
            if match is None:
                raise ValueError("a text that does not end")
            return ast.literal_eval(match.group()), match.end()
        case "[":
            return _list(text, start + 1, quote, depth + 1)
        case "{":
            return _object(text, start + 1, quote, depth + 1)
    if number := NUMBER.match(text, start):
        return json.loads(number.group()), number.end()
    word = next((word for word in WORDS if text.startswith(word, start)), None)
    if word is None:
        raise ValueError("no value")
    return WORDS[word], start + len(word)


def whole_literal(text: str, quote: str = '"') -> Any:
    """The value that a text is. Raises ValueError where it is none, or goes on behind it."""
    value, end = read_literal(text, 0, quote)
    if text[end:].strip():
        raise ValueError("text behind a value")
    return value


def _skip(text: str, place: int) -> int:
    while place < len(text) and text[place].isspace():
        place += 1
    return place


def _list(text: str, place: int, quote: str, depth: int) -> tuple[list[Any], int]:
    items: list[Any] = []
    while True:
        place = _skip(text, place)
        if text.startswith("]", place):
            return items, place + 1
        value, place = read_literal(text, place, quote, depth)
        items.append(value)
        place = _comma(text, place, "]")


def _object(text: str, place: int, quote: str, depth: int) -> tuple[dict[str, Any], int]:
    members: dict[str, Any] = {}
    while True:
        place = _skip(text, place)
        if text.startswith("}", place):
            return members, place + 1
        if bare := BARE.match(text, place):
            name, place = bare.group(), bare.end()
        else:
            name, place = read_literal(text, place, quote, depth)
        place = _skip(text, place)
        if not isinstance(name, str) or not text.startswith(":", place):
            raise ValueError("no key")
        members[name], place = read_literal(text, place + 1, quote, depth)
        place = _comma(text, place, "}")


def _comma(text: str, place: int, close: str) -> int:
    place = _skip(text, place)
    if text.startswith(",", place):
        return place + 1
    if text.startswith(close, place):
        return place
    raise ValueError("neither a comma nor an end")
