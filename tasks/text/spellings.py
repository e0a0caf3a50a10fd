"""Special tokens spelt in what people write: hidden from the template, tokenised as the letters they are."""

import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import count
from typing import Any

from .segments import Segment

DIGITS = 3
"""Of the number in a placeholder: a fixed width, so that digits behind it do not join it."""


@dataclass(frozen=True)
class Spellings:
    """Placeholders of one dialogue: `word` + number for each special token's text."""

    word: str
    texts: tuple[str, ...]

    def hide(self, value: Any) -> Any:
        """The same JSON value with every spelling in its strings and keys replaced by its placeholder."""
        match value:
            case _ if not self.texts:
                return value
            case str():
                return self._spelt.sub(lambda found: self._placeholder(found.group()), value)
            case dict():
                return {self.hide(key): self.hide(inner) for key, inner in value.items()}
            case list() | tuple():
                return [self.hide(inner) for inner in value]
            case _:
                return value

    def restore(self, text: str) -> str:
        """The text with spellings in place of placeholders."""
        return self._hidden.sub(lambda found: self.texts[int(found.group(1))], text)

    def segments(self, text: str, literal: Callable[[str], tuple[int, ...]], *, supervised: bool) -> Iterator[Segment]:
        """What the template wrote, as texts; each hidden spelling as the ids that `literal` gives it."""
        for place, part in enumerate(self._hidden.split(text)):
            if place % 2:
                yield Segment(None, literal(self.texts[int(part)]), supervised)
            elif part:
                yield Segment(part, (), supervised)

    def _placeholder(self, text: str) -> str:
        return f"{self.word}{self.texts.index(text):0{DIGITS}d}"

    @cached_property
    def _spelt(self) -> re.Pattern[str]:
        longest_first = sorted(self.texts, key=len, reverse=True)
        return re.compile("|".join(map(re.escape, longest_first)))

    @cached_property
    def _hidden(self) -> re.Pattern[str]:
        return re.compile(rf"{self.word}(\d{{{DIGITS}}})")


def find_spellings(messages: Any, specials: Sequence[str], *, elsewhere: str = "") -> Spellings:
    """The special tokens that a JSON value spells, and a word that neither it nor the text `elsewhere` has.

    Letters, since a template may escape what is not ASCII, and trim what is white space.
    """
    whole = json.dumps(messages, ensure_ascii=False)
    strings = "\0".join(_strings(messages))
    texts = tuple(text for text in specials if text in strings)
    word = next(word for n in count() if (word := f"Zq{n}qZ") not in whole and word not in elsewhere)
    return Spellings(word, texts)


def _strings(value: Any) -> Iterator[str]:
    match value:
        case str():
            yield value
        case dict():
            for key, inner in value.items():
                yield from (str(key), *_strings(inner))
        case list() | tuple():
            for inner in value:
                yield from _strings(inner)
