"""A chat template -> the form in which it writes calls, found by rendering known ones and locating their parts."""

import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from ...data.dialogues.messages import Message
from ...data.errors import DataError
from .call_forms import Form, Literal, Named, Parts, flexible
from .literals import read_literal

NAME, OTHER, KEY, FURTHER, WORD, NUMBER, ID = "findQux", "bookZor", "kalpo", "wemba", "vesto", 7413, "Gx0Ty1Rk2"
MARKED = "Vesto <b>&</b>"
"""A text with marks of XML."""
SAID, THOUGHT = "Plinor", "Drumvel"
"""Words of the probes; letters only, and none that a template would write."""
TYPES: dict[str, str] = {KEY: "string", FURTHER: "integer"}
HELD = {"array": {"items": {"type": "string"}}, "object": {"additionalProperties": {"type": "string"}}}
"""What a schema of this type has to say about what it holds, for some templates."""
Arguments = dict[str, Any]


def probe_tools(types: dict[str, str]) -> list[Message]:
    """Two tools whose arguments have these types."""
    properties = {key: {"type": kind, "description": "a value", **HELD.get(kind, {})} for key, kind in types.items()}
    parameters = {"type": "object", "properties": properties, "required": list(types)}
    return [
        {"type": "function", "function": {"name": name, "description": "does it", "parameters": parameters}}
        for name in (NAME, OTHER)
    ]


def probe_turn(*calls: tuple[str, Arguments], text: bool, content: str = "", thoughts: str = "") -> Message:
    """A turn with these calls; text: their arguments are given as JSON text."""
    tool_calls = [
        {
            "id": ID[:-1] + str(number),
            "type": "function",
            "function": {"name": name, "arguments": json.dumps(given, ensure_ascii=False) if text else given},
        }
        for number, (name, given) in enumerate(calls)
    ]
    turn: Message = {"role": "assistant", "content": content}
    turn |= {"tool_calls": tool_calls} if tool_calls else {}
    return turn | ({"reasoning_content": thoughts} if thoughts else {})


@dataclass(frozen=True)
class Probes:
    """Renders one turn behind a user's; text: whether the template takes arguments as JSON text."""

    render: Callable[[Sequence[Message], Sequence[Message], bool], str]
    text: bool
    types: dict[str, str]
    tools: tuple[Message, ...] = ()

    def run(self, *calls: tuple[str, Arguments], content: str = "", thoughts: str = "") -> str:
        """What the template writes of the turn, from where the model begins to write. Raises DataError."""
        asked = [{"role": "user", "content": "Quoz"}]
        turn = probe_turn(*calls, text=self.text, content=content, thoughts=thoughts)
        tools = self.tools or probe_tools(self.types)
        whole, given = self.render([*asked, turn], tools, False), self.render(asked, tools, True)
        start = len(_shared([whole, given]))
        if start < len(given):  # the same letters may open other tokens
            start = max(whole.rfind(mark, 0, start) + 1 for mark in "\n> ]")
        return whole[start:]

    @cached_property
    def quote(self) -> str:
        """What stands on both sides of a text, such as a double quote."""
        text = self.run((NAME, {KEY: WORD}))
        place = text.rindex(WORD)
        before, behind = text[:place], text[place + len(WORD) :]
        sizes = [n for n in range(1, min(len(before), len(behind)) + 1) if before[-n:] == behind[:n]]
        mark = before[-max(sizes) :].strip() if sizes else ""
        return mark or '"'

    def forms(self) -> Iterator[Form]:
        """Forms that the template may write calls in; whether one does is for a round trip to prove."""
        for find in (self._literal, self._named, self._parts):
            try:
                form = find()
            except (ValueError, DataError):  # a part is not where this form has it
                continue
            if form is not None:
                yield form

    def _flexible(self, text: str) -> str:
        return flexible(text, NAME, ID[:-1] + "0")

    def _opener(self, before: str, with_content: str) -> str:
        """What stands before a call whatever the content: the common end of both beginnings."""
        shared = _shared([before[::-1], with_content[::-1]])[::-1]
        return shared.lstrip()

    def _literal(self) -> Form | None:
        text, with_content = self.run((NAME, {KEY: WORD})), self.run((NAME, {KEY: WORD}), content=SAID)
        for place in _brackets(text, text.index(NAME)):
            try:
                value, end = read_literal(text, place, self.quote)
            except ValueError:
                continue
            call = value[0] if isinstance(value, list) and value else value
            paths = _paths(call)
            if paths is not None and end > text.rindex(WORD):
                opener = self._opener(text[:place], with_content[: _same_place(with_content, text[place:end])])
                pattern = self._flexible(opener) if opener else rf"(?=[{re.escape(text[place])}])"
                return Literal(re.compile(pattern), *paths, self.quote)
        return None

    def _named(self) -> Form | None:
        text, with_content = self.run((NAME, {KEY: WORD})), self.run((NAME, {KEY: WORD}), content=SAID)
        start = text.rindex(NAME, 0, text.rindex(WORD))
        behind = start + len(NAME)
        for place in _brackets(text, text.rindex(WORD), behind, "{\"'"):
            try:
                value, _ = read_literal(text, place, self.quote)
            except ValueError:
                continue
            if value in ({KEY: WORD}, json.dumps({KEY: WORD})):
                opener = self._opener(
                    text[:start], with_content[: with_content.rindex(NAME, 0, with_content.rindex(WORD))]
                )
                return Named(
                    self._flexible(opener) or r"(?:^|(?<=\n))\s*", self._flexible(text[behind:place]), self.quote
                )
        return None

    def _parts(self) -> Form | None:
        text, with_content = self.run((NAME, {KEY: WORD})), self.run((NAME, {KEY: WORD}), content=SAID)
        start = text.rindex(NAME, 0, text.index(KEY))
        key = text.index(KEY, start + len(NAME))
        value = text.rindex(WORD)
        assign, tail = text[key + len(KEY) : value], text[value + len(WORD) :]
        number = self.run((NAME, {FURTHER: NUMBER}))
        place = number.rindex(FURTHER) + len(FURTHER)
        digits = number.index(str(NUMBER), place)
        other, bare = number[place:digits], number[digits + len(str(NUMBER)) :]
        quoted = self.quote if assign == other + self.quote and tail == self.quote + bare else ""
        two = self.run((NAME, {KEY: WORD, FURTHER: NUMBER}))
        ends = two.index(WORD, two.index(KEY)) + len(WORD) + len(quoted)
        between = two[ends : two.index(FURTHER, ends)]
        many = self.run((NAME, {KEY: WORD}), (OTHER, {KEY: WORD}))
        first = many.index(WORD, many.index(KEY)) + len(WORD) + len(quoted)
        another = many[first : many.index(OTHER, first)]
        none = self.run((NAME, {}))
        empty = none[none.rindex(NAME) + len(NAME) :]
        close = _closed(_shared([tail[len(quoted) :], another])) or tail[len(quoted) :].split("\n")[0]
        opener = self._opener(text[:start], with_content[: with_content.rindex(NAME, 0, with_content.index(KEY))])
        assigns = (other,) if quoted else tuple(dict.fromkeys((assign, other)))
        return Parts(
            opener=self._flexible(opener) or r"(?:^|(?<=\n))\s*",
            middle=self._flexible(text[start + len(NAME) : key]),
            assign=(*map(_exact, assigns), *_other_word(assigns)),
            between=_exact(between),
            close=_exact(close),
            empty=self._flexible(_closed(_shared([empty, *_tails(self)]))),
            another="|".join(map(self._flexible, (another, *_tails(self)))),
            literal=bool(quoted),
            quote=self.quote,
            around=("", "") if quoted else self._around(assign, tail),
        )

    def _around(self, assign: str, tail: str) -> tuple[str, str]:
        """What stands around a text with marks of XML, where other texts stand bare."""
        text = self.run((NAME, {KEY: MARKED}))
        before, marked, behind = text.rpartition(MARKED)
        opens = before[before.rfind(assign) + len(assign) :] if assign and assign in before else ""
        ends = behind.endswith(tail)
        return (opens, behind.removesuffix(tail)) if marked and opens and ends and behind != tail else ("", "")


def _closed(text: str) -> str:
    """A text up to its last closing mark: what follows may be the beginning of an end token, which is cut off."""
    last = max(text.rfind(mark) for mark in ">])}")
    return text[: last + 1] if last >= 0 else text


def _tails(probes: Probes) -> list[str]:
    """What stands behind a call without arguments that another follows."""
    many = probes.run((NAME, {}), (OTHER, {}))
    start = many.rindex(NAME, 0, many.rindex(OTHER)) + len(NAME)
    return [many[start : many.rindex(OTHER)]]


def _shared(texts: Sequence[str]) -> str:
    """What texts begin with in common."""
    shortest, longest = min(texts), max(texts)
    same = next((n for n, letter in enumerate(shortest) if longest[n] != letter), len(shortest))
    return shortest[:same]


def _exact(text: str) -> str:
    """A pattern for what stands around a value, every blank as it is: a value may begin or end with some."""
    return re.escape(text)


def _other_word(texts: Sequence[str]) -> list[str]:
    """A pattern for what differs from two texts in the very word in which they differ, such as the name of a type."""
    words = [re.split(r"(\w+)", text) for text in texts]
    if len(words) != 2 or len(words[0]) != len(words[1]):
        return []
    odd = [place for place, pair in enumerate(zip(*words, strict=True)) if pair[0] != pair[1]]
    if len(odd) != 1 or not odd[0] % 2:
        return []
    before, behind = words[0][: odd[0]], words[0][odd[0] + 1 :]
    return [_exact("".join(before)) + r"\w+" + _exact("".join(behind))]


def _brackets(text: str, stop: int, start: int = 0, marks: str = "[{") -> Iterator[int]:
    yield from (place for place in range(start, stop) if text[place] in marks)


def _same_place(text: str, value: str) -> int:
    place = text.find(value)
    if place < 0:
        raise ValueError("the call is written otherwise behind a text")
    return place


def _paths(value: Any) -> tuple[tuple[str, ...], tuple[str, ...]] | None:
    """Where a call's name and arguments stand in a value."""
    if not isinstance(value, dict):
        return None
    if value == {NAME: {KEY: WORD}}:
        return (), ()
    name, arguments = _path(value, (NAME,)), _path(value, ({KEY: WORD}, json.dumps({KEY: WORD})))
    return None if name is None or arguments is None else (name, arguments)


def _path(value: Any, wanted: tuple[Any, ...]) -> tuple[str, ...] | None:
    for key, inner in value.items():
        if inner in wanted:
            return (key,)
        if isinstance(inner, dict) and (path := _path(inner, wanted)) is not None:
            return (key, *path)
    return None
