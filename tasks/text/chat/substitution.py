"""A turn with other words in place of its own, and where two renderings agree."""

import json
import re
from bisect import bisect_left
from collections.abc import Sequence
from typing import Any

from ...data.dialogues.messages import Message
from .special_tokens import content_with, thought_markers

PLAIN = "x"
"""Put in place of a special token that content spells."""
MATCHED = 24
"""Letters before a turn's words by which they are found again."""


def without_specials(turn: Message, special: re.Pattern[str]) -> Message:
    """A turn without the special tokens that it spells, but for the markers of thoughts that it begins with."""
    kept = thought_markers(turn)
    plain: Message = json.loads(special.sub(PLAIN, json.dumps({**turn, "content": ""}, ensure_ascii=False)))
    return {**plain, "content": special.sub(lambda match: match[0] if match[0] in kept else PLAIN, turn["content"])}


def common(text: str, other: str) -> int:
    """How many characters two texts begin with in common."""
    sizes = range(1, min(len(text), len(other)) + 1)
    return bisect_left(sizes, True, key=lambda size: text[:size] != other[:size])


def aligned(given: str, before: str, last: Message) -> int:
    """Where a turn begins in a text that differs from its prompt further up: behind the longest end of the prompt that
    stands behind the last turn's words."""
    last_words = str(last.get("content") or "").strip()[-MATCHED:]
    least = before.rfind(last_words) + len(last_words) if last_words and last_words in before else 1
    places = range(len(before), least - 1, -1)
    return max(places, key=lambda place: common(given[::-1], before[:place][::-1]), default=0)


def substituted(message: Message, word: str, keys: Sequence[str]) -> Message:
    """The same turn with a word in place of each text that is its own."""
    changed: dict[str, Any] = {key: word for key in keys if key != "tool_calls" and message.get(key)}
    if "content" in changed:
        changed["content"] = content_with(message, word)
    if "tool_calls" in keys and message.get("tool_calls"):
        calls = []
        for call in message["tool_calls"]:
            names = call["function"]["arguments"] or {"probe": ""}
            calls.append({**call, "function": {**call["function"], "arguments": dict.fromkeys(names, word)}})
        changed["tool_calls"] = calls
    return {**message, **changed}


def own_content(message: Message) -> str:
    """What a turn says behind the thoughts that it begins with, as a template that trims it writes it."""
    markers = thought_markers(message)
    return str(message["content"].partition(markers[1])[2] if markers else message["content"]).strip()


def count_texts(message: Message, keys: Sequence[str]) -> int:
    """How many texts of a turn are its own: its content, and each argument of its calls."""
    if "reasoning_content" in keys:
        return bool(message.get("reasoning_content"))
    arguments = [call["function"]["arguments"] for call in message.get("tool_calls") or ()]
    return sum(len(given) or 1 for given in arguments) + bool(message["content"])


def python_texts(message: Message) -> list[str]:
    """Texts that Python, not JSON, writes of a turn's arguments."""
    given = [call["function"]["arguments"] for call in message.get("tool_calls") or ()]
    return [str(text) for text in given if text and str(text) != json.dumps(text, ensure_ascii=False)]


def call_words(message: Message) -> list[Any]:
    """What stands in a turn's calls before and between their arguments' values: ids, names, keys."""
    calls = message.get("tool_calls") or ()
    return [[call.get("id"), call["function"]["name"], list(call["function"]["arguments"])] for call in calls]


def count_in(value: Any, text: str) -> int:
    """How often a text stands in the strings and keys of a JSON value."""
    match value:
        case str():
            return value.count(text)
        case dict():
            return sum(count_in(key, text) + count_in(inner, text) for key, inner in value.items())
        case list():
            return sum(count_in(inner, text) for inner in value)
        case _:
            return 0
