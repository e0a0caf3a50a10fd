"""What a dialogue's sequence must hold, derived without the code that made it: the same turns with other words in.

The mask is made by comparing beginnings of a dialogue (turns.py). Here the whole of it is rendered with one turn's
content replaced by two words in turn; what changes is what the model writes. Nothing of Conversation is used.
"""

import json
import re
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from ..data.messages import Message, is_call
from .dialogue import DialogueEncoding

ONE, OTHER = "Awex", "Mubiz"
"""Words put in place of a turn's content: no letter in common at either end."""
GIVEN = "Truq{}h"
PLAIN = "x"
"""Put in place of a special token that content spells."""
Span = tuple[int, int]


class Expected(NamedTuple):
    """The text of a sequence, that of each supervised run, its special tokens, and the checks that rendering breaks."""

    text: str
    runs: list[str]
    specials: list[str]
    broken: set[str]


def expect(encoding: DialogueEncoding, dialogue: Sequence[Message], start: int, trained: Sequence[int]) -> Expected:
    """What the sequence of a dialogue from turn `start` must hold, whose turns `trained` are supervised."""
    messages, moved = encoding.composed(dialogue, start, trained[-1] + 1)
    places = [turn + moved for turn in trained]
    plain = _render(encoding, messages)
    text = plain + _opened_next(encoding, messages[-1])
    broken: set[str] = set()
    spans: list[Span] = []
    for place in places:
        begin = _shared(text, encoding.script.render(messages[:place], generation=True))
        payload = _payload(encoding, messages, place, plain)
        token = encoding.script.ending(messages[place]).token
        end = text.find(token, payload[1]) if payload else -1
        if payload is None:
            broken.add("the template leaves out part of what the model writes")
        elif payload[0] < begin or end < 0:
            broken.add("what the model writes is not between its prompt and its end-of-turn token")
        spans.append((begin, end + len(token) if end >= 0 else len(text)))
        if not is_call(messages[place]) and not messages[place]["content"].strip():
            broken.add("an empty turn is supervised")
    text = text[: spans[-1][1]]
    runs = [text[begin:end] for begin, end in spans]
    broken |= _given(encoding, messages, places, runs) | _marked(encoding, messages, spans)
    if not _keeps_system(encoding, dialogue, text):
        broken.add("the system turn is missing")
    return Expected(text, runs, _specials(encoding, messages, text), broken)


def _render(encoding: DialogueEncoding, messages: Sequence[Message]) -> str:
    return encoding.script.render(messages)


def _opened_next(encoding: DialogueEncoding, last: Message) -> str:
    """The token of the next turn, where it is what ends this one."""
    ending = encoding.script.ending(last)
    return ending.token if ending.follows else ""


def _payload(encoding: DialogueEncoding, messages: Sequence[Message], place: int, plain: str) -> Span | None:
    """Where a turn's own content lies in the text: between what two other contents leave unchanged.

    None where a text of the turn is not written.
    """
    one, other = (
        _render(encoding, [*messages[:place], _substituted(messages[place], word), *messages[place + 1 :]])
        for word in (ONE, OTHER)
    )
    if one.count(ONE) < _texts(messages[place]):
        return None
    before = one[: _shared(one, other)]
    behind = one[::-1][: _shared(one[::-1], other[::-1])]
    begin = _shared(plain, before)
    end = len(plain) - _shared(plain[::-1], behind)
    return begin, max(begin, end)


def _shared(one: str, other: str) -> int:
    """How many characters two texts begin with in common."""
    sizes = range(1, min(len(one), len(other)) + 1)
    return bisect_left(sizes, True, key=lambda size: one[:size] != other[:size])


def _substituted(message: Message, word: str) -> Message:
    """The same turn with a word in place of each text that is its own."""
    if not is_call(message):
        return {**message, "content": word}
    calls = []
    for call in message["tool_calls"]:
        function = call["function"]
        names = function["arguments"] or {"probe": ""}
        calls.append({**call, "function": {**function, "arguments": dict.fromkeys(names, word)}})
    return {**message, "content": word if message["content"] else "", "tool_calls": calls}


def _texts(message: Message) -> int:
    """How many texts of a turn are its own: its content, and each argument of its calls."""
    arguments = [call["function"]["arguments"] for call in message.get("tool_calls") or ()]
    return sum(len(given) or 1 for given in arguments) + bool(message["content"] or not arguments)


def _given(
    encoding: DialogueEncoding, messages: Sequence[Message], places: Sequence[int], runs: Sequence[str]
) -> set[str]:
    """Checks on the same dialogue with a word for each given turn and tool: every word is written, no run changes."""
    words = {n: GIVEN.format(n) for n, turn in enumerate(messages) if n not in places and turn["content"]}
    other = [_substituted(turn, words[n]) if n in words else turn for n, turn in enumerate(messages)]
    script = replace(encoding.script, tools=tuple(_renamed(tool, n) for n, tool in enumerate(encoding.tools)))
    text = script.render(other) + _opened_next(encoding, other[-1])
    broken, rest, done = set(), "", 0
    for place, run in zip(places, runs, strict=True):
        begin = _shared(text, script.render(other[:place], generation=True))
        if not text.startswith(run, begin):
            broken.add("what is supervised depends on what is given")
        rest += text[done:begin]
        done = begin + len(run)
    if any(tool["function"]["name"] not in rest for tool in script.tools):
        broken.add("the tools are missing")
    left = {messages[n]["role"] for n, word in words.items() if word not in rest}
    return broken | {f"the template leaves out a turn of role {role}" for role in left}


def _renamed(tool: Message, number: int) -> Message:
    return {**tool, "function": {**tool["function"], "name": GIVEN.format(f"tool{number}")}}


def _marked(encoding: DialogueEncoding, messages: Sequence[Message], spans: Sequence[Span]) -> set[str]:
    """Check that each run holds a {% generation %} block, where the template has them, and no block reaches over."""
    template = encoding.script.template
    if not template.has_spans:
        return set()
    blocks = template.spans(messages, encoding.tools)
    tail = max(len(ending.tail) for ending in encoding.endings.values())
    held = [any(begin <= b[0] < b[1] <= end + tail for b in blocks) for begin, end in spans]
    return set() if all(held) else {"the template's generation blocks mark other text"}


def _keeps_system(encoding: DialogueEncoding, dialogue: Sequence[Message], text: str) -> bool:
    said = dialogue[0]["content"] if dialogue[0]["role"] == "system" else encoding.system
    return (said or "").strip() in text


def _specials(encoding: DialogueEncoding, messages: Sequence[Message], text: str) -> list[str]:
    """The special tokens of the text, less those that content spells."""
    longest_first = sorted(encoding.specials, key=len, reverse=True)
    spelt = re.compile("|".join(map(re.escape, longest_first)) or "(?!)")
    said = json.dumps([messages, encoding.tools], ensure_ascii=False)
    if not spelt.search(said):
        return spelt.findall(text)
    turns, tools = json.loads(spelt.sub(PLAIN, said))
    whole = encoding.script.template.render(turns, tools) + _opened_next(encoding, messages[-1])
    behind = _render(encoding, messages) + _opened_next(encoding, messages[-1])
    return spelt.findall(whole[: len(whole) - (len(behind) - len(text))])
