"""How a template writes calls, as patterns found by rendering known ones; a text in, its calls out.

Three forms cover the published templates: `Literal`, where name and arguments stand in one value (JSON lists and
objects); `Named`, a name with a value of arguments behind it; `Parts`, a name with every argument on its own (XML,
Python's calls).
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from ...data.dialogues.messages import Message
from .literals import read_literal, whole_literal

NAME = r"[^\s<>{}()\[\]\"'=,|]+?"
"""A tool's name where it is read."""
KEY = r"[^\s<>{}()\[\]\"'=,|]+"
"""An argument's name."""
COUNT = r"(?<!\w)\d+(?!\w)"
"""A number on its own."""
Found = tuple[int, list[Message]]
"""Where the first call begins, and all calls."""
Schemas = Mapping[str, Any]
"""Tools that can be called, by name; none where any can be."""


class Form(Protocol):
    """A way of writing calls."""

    def read(self, text: str, tools: Schemas) -> Found | None:
        """The calls of a text; None where it has none."""


def make_call(name: str, arguments: dict[str, Any], tools: Schemas) -> Message:
    """A call, its arguments of the types that the tool's schema gives them."""
    declared = (tools.get(name) or {}).get("parameters") or {}
    known = declared.get("properties") if isinstance(declared, dict) else None
    types = {key: part.get("type") for key, part in (known or {}).items() if isinstance(part, dict)}
    typed = {key: _typed(value, types.get(key)) for key, value in arguments.items()}
    return {"type": "function", "function": {"name": name, "arguments": typed}}


def _typed(value: Any, kind: Any) -> Any:
    """A text that stands for a value of another type as that value."""
    if not isinstance(value, str) or kind is None or kind == "string":
        return value
    if isinstance(kind, list) and "string" in kind:
        return value
    try:
        return whole_literal(value)
    except ValueError:
        return value


def flexible(text: str, name: str, number: str) -> str:
    """A pattern for what stands between the parts of a call; blanks, the name and the id of a probe may be others, and
    so may a number on its own, which counts the calls of a turn."""
    parts = re.split(rf"(\s+|{re.escape(name)}|{re.escape(number)}|{COUNT})", text)
    return "".join(_varied(part, name) if place % 2 else re.escape(part) for place, part in enumerate(parts) if part)


def _varied(part: str, name: str) -> str:
    """A pattern for a part that may be another."""
    if part.isspace():
        return r"\s*"
    if part.isdecimal():
        return r"\d+"
    return NAME if part == name else r"[^\s<>\[\]{}\"|]*?"


@dataclass(frozen=True)
class Literal:
    """Calls inside one value, or several behind one another: `path` leads to the name, `arguments` to the arguments.

    A path of no key: the name is itself the key of the arguments. opener: what stands before the value.
    """

    opener: re.Pattern[str]
    path: tuple[str, ...]
    arguments: tuple[str, ...]
    quote: str

    def read(self, text: str, tools: Schemas) -> Found | None:
        """The calls of a text; None where it has none."""
        begin, place, calls = -1, 0, list[Message]()
        while (opened := self.opener.search(text, place)) is not None:
            try:
                value, end = read_literal(text, opened.end(), self.quote)
            except ValueError:
                value, end = None, opened.end() + 1
            read = [self._call(call, tools) for call in (value if isinstance(value, list) else [value])]
            if read and all(call is not None for call in read):
                begin = opened.start() if begin < 0 else begin
                calls += [call for call in read if call is not None]
            place = max(end, opened.end() + 1)
            if place > len(text):
                break
        return (begin, calls) if calls else None

    def _call(self, value: Any, tools: Schemas) -> Message | None:
        if not isinstance(value, dict):
            return None
        if not self.path:
            name, arguments = next(iter(value.items()), (None, None)) if len(value) == 1 else (None, None)
        else:
            name, arguments = _follow(value, self.path), _follow(value, self.arguments)
        arguments = _as_object(arguments)
        if not isinstance(name, str) or arguments is None or (tools and name not in tools):
            return None
        return make_call(name, arguments, tools)


def _follow(value: Any, path: Sequence[str]) -> Any:
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _as_object(value: Any) -> dict[str, Any] | None:
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            return None
    return value if isinstance(value, dict) else None


@dataclass(frozen=True)
class Named:
    """A name between `opener` and `middle`, and behind it a value with all arguments."""

    opener: str
    middle: str
    quote: str

    def read(self, text: str, tools: Schemas) -> Found | None:
        """The calls of a text; None where it has none."""
        head = re.compile(f"{self.opener}(?P<name>{_names(tools)}){self.middle}")
        begin, place, calls = -1, 0, list[Message]()
        while (opened := head.search(text, place)) is not None:
            place = opened.end()
            try:
                value, place = read_literal(text, place, self.quote)
            except ValueError:
                continue
            arguments = _as_object(value)
            if arguments is not None:
                begin = opened.start() if begin < 0 else begin
                calls.append(make_call(opened["name"], arguments, tools))
        return (begin, calls) if calls else None


def _names(tools: Schemas) -> str:
    return "|".join(map(re.escape, sorted(tools, key=len, reverse=True))) or NAME


@dataclass(frozen=True)
class Parts:
    """A name between `opener` and `middle`, then arguments: key, `assign`, value; `between` them, `close` behind.

    assign: patterns, the first for texts; `empty` stands in place of `middle` where there are no arguments; `another`
    between the end of a call's last value, or of its name where it has none, and the next one's name. literal:
    values are spelt as such (quoted texts), else they are texts as they stand. around: what texts with
    marks of XML stand between (CDATA); empty where none do.
    """

    opener: str
    middle: str
    assign: tuple[str, ...]
    between: str
    close: str
    empty: str
    another: str
    literal: bool
    quote: str
    around: tuple[str, str] = ("", "")

    def read(self, text: str, tools: Schemas) -> Found | None:
        """The calls of a text; None where it has none."""
        names = _names(tools)
        head = re.compile(f"{self.opener}(?P<name>{names})(?={self.middle}|{self.empty})")
        further = re.compile(f"(?:{self.another})(?P<name>{names})(?={self.middle}|{self.empty})")
        begin, calls = -1, list[Message]()
        opened = head.search(text)
        while opened is not None:
            read = self._arguments(text, opened.end())
            if read is None:
                opened = head.search(text, opened.end())
                continue
            arguments, behind, place = read
            begin = opened.start() if begin < 0 else begin
            calls.append(make_call(opened["name"], arguments, tools))
            opened = further.match(text, behind) or head.search(text, place)
        return (begin, calls) if calls else None

    def _arguments(self, text: str, place: int) -> tuple[dict[str, Any], int, int] | None:
        """Arguments, where the last value ends (or the name, without any), and where the call ends."""
        arguments: dict[str, Any] = {}
        lead, last = self.middle, place
        while True:
            key = self._key(text, place, lead)
            if key is None:
                ends = re.compile(self.close if arguments else self.empty).match(text, place)
                return (arguments, last, ends.end()) if ends else None
            try:
                arguments[key["key"]], last = self._value(text, key.end())
            except ValueError:
                return None
            place, lead = last, self.between

    def _key(self, text: str, place: int, lead: str) -> re.Match[str] | None:
        return re.compile(f"{lead}(?P<key>{KEY})(?:{'|'.join(self.assign)})").match(text, place)

    def _value(self, text: str, place: int) -> tuple[Any, int]:
        ends = f"(?:{self.between}{KEY}(?:{'|'.join(self.assign)})|{self.close})"
        opens, closes = self.around
        if opens and text.startswith(opens, place):
            stop = re.compile(f"{re.escape(closes)}{ends}").search(text, place)
            if stop is not None:
                return text[place + len(opens) : stop.start()], stop.start() + len(closes)
        if not self.literal:
            stop = re.compile(ends).search(text, place)
            if stop is None:
                raise ValueError("a value that does not end")
            return text[place : stop.start()], stop.start()
        try:
            value, end = read_literal(text, place, self.quote)
            if re.compile(ends).match(text, end):
                return value, end
        except ValueError:
            pass  # a quote inside a text that the template does not escape
        stop = re.compile(f"{re.escape(self.quote)}{ends}").search(text, place + len(self.quote))
        if stop is None or not text.startswith(self.quote, place):
            raise ValueError("a value that does not end")
        return text[place + len(self.quote) : stop.start()], stop.start() + len(self.quote)
