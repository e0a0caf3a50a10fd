"""Special tokens spelt in what people write: hidden from the template, tokenised as the letters they are."""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import count
from typing import Any

from ...data.dialogues.messages import Message

INLINE = re.compile(
    r"\s*(?P<open><\|?(?P<a>think(?:ing)?)\|?>|\[(?P<b>THINK)\]).*?(?P<close></(?P=a)>|<\|/(?P=a)\|>|\[/(?P=b)\])", re.S
)
"""Thoughts as models write them before a reply: <think> … </think>, [THINK] … [/THINK]."""
DIGITS = 3
"""Of the number in a placeholder: a fixed width, so that digits behind it do not join it."""


@dataclass(frozen=True)
class Spellings:
    """Placeholders of one dialogue: `word` + number for each special token's text; edged: between its first and last
    letter, for templates that look for such (XML's)."""

    word: str
    texts: tuple[str, ...]
    edged: bool = False

    def hide_turn(self, turn: Message) -> Message:
        """A turn with every spelling replaced, but for the markers of thoughts with which its own content begins."""
        shown = thought_markers(turn)
        hidden: Message = self.hide({**turn, "content": ""} if shown else turn)
        if shown:
            pieces = re.split("(" + "|".join(map(re.escape, shown)) + ")", turn["content"])
            hidden["content"] = "".join(piece if piece in shown else self.hide(piece) for piece in pieces)
        return hidden

    def hidden_in(self, text: str) -> bool:
        """Whether a rendered text holds placeholders."""
        return bool(self.texts) and self._hidden.search(text) is not None

    def hide(self, value: Any) -> Any:
        """The same JSON value with every spelling in its strings and keys replaced by its placeholder."""
        match value:
            case _ if not self.texts:
                return value
            case str():
                return self._spelt.sub(lambda match: self._placeholder(match.group()), value)
            case dict():
                return {self.hide(key): self.hide(inner) for key, inner in value.items()}
            case list() | tuple():
                return [self.hide(inner) for inner in value]
            case _:
                return value

    def restore(self, text: str) -> str:
        """The text with spellings in place of placeholders."""
        return self._hidden.sub(lambda match: self._texts[match.group()], text)

    def parts(self, text: str) -> Iterator[tuple[int, str, bool]]:
        """What the template wrote and hidden spellings, in order: place in the text, the part, whether it was spelt."""
        at = 0
        for match in self._hidden.finditer(text):
            if match.start() > at:
                yield at, text[at : match.start()], False
            yield match.start(), self._texts[match.group()], True
            at = match.end()
        if at < len(text):
            yield at, text[at:], False

    def _placeholder(self, text: str) -> str:
        placeholder = f"{self.word}{self.texts.index(text):0{DIGITS}d}"
        return text[0] + placeholder + text[-1] if self.edged else placeholder

    @cached_property
    def _texts(self) -> dict[str, str]:
        return {self._placeholder(text): text for text in self.texts}

    @cached_property
    def _spelt(self) -> re.Pattern[str]:
        longest_first = sorted(self.texts, key=len, reverse=True)
        return re.compile("|".join(map(re.escape, longest_first)))

    @cached_property
    def _hidden(self) -> re.Pattern[str]:
        return re.compile("|".join(map(re.escape, self._texts)) or "(?!)")


def thought_markers(turn: Message) -> tuple[str, ...]:
    """The pair of markers between which the assistant's content begins with thoughts; none elsewhere."""
    match = INLINE.match(turn["content"]) if turn["role"] == "assistant" else None
    return (match["open"], match["close"]) if match else ()


def content_with(turn: Message, word: str) -> str:
    """The content of a turn with a word in its place, and between the markers of thoughts that it begins with."""
    markers = thought_markers(turn)
    return f"{markers[0]}\n{word}\n{markers[1]}\n\n{word}" if markers else word


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
