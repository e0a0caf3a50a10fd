"""What a model generated -> a message: a reply, or a call in the form of any of the families' templates."""

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

from ...data.dialogues.messages import Message

MARKERS = re.compile(r"</?tool_calls?>|\[/?TOOL_CALLS\]|<\|/?tool_call\|>|<\|python_tag\|>|<｜tool▁[^｜]*｜>|\[ARGS\]")
"""What templates write around calls: Hermes and Qwen, Mistral, Phi, Llama, DeepSeek."""
FENCE = r"(?:```(?:json)?[ \t]*\n?)?"
MALFORMED = "malformed_call"
"""Key of a reply, true where the model began a call that cannot be read."""
BRACKETS = re.compile(r"[\[{\s]+")
READER = json.JSONDecoder()


def read_json_calls(text: str, tools: Sequence[str]) -> Iterator[tuple[int, Message]]:
    """Every call in a text and where it begins."""
    place = 0
    named = _named(tools)
    while (brace := re.compile(r"[\[{]").search(text, place)) is not None:
        try:
            value, place = READER.raw_decode(text, brace.start())
        except json.JSONDecodeError:
            place = brace.start() + 1
            continue
        except RecursionError:  # every bracket of the run would end there again
            place = BRACKETS.match(text, brace.start()).end()  # type: ignore[union-attr]
            continue
        before = named.search(text[: brace.start()])
        if before is not None and isinstance(value, dict):
            yield before.start(1), _call(before.group(1), value)
            continue
        for item in value if isinstance(value, list) else [value]:
            call = _from_json(item, tools)
            if call is not None:
                yield brace.start(), call


def _from_json(value: Any, tools: Sequence[str]) -> Message | None:
    if not isinstance(value, dict):
        return None
    inner = value.get("function", value)
    if not isinstance(inner, dict) or not isinstance(inner.get("name"), str):
        return None
    if tools and inner["name"] not in tools:
        return None
    arguments = inner.get("arguments", inner.get("parameters"))
    if isinstance(arguments, str):
        try:
            arguments = json.loads(arguments)
        except (json.JSONDecodeError, RecursionError):
            return None
    return _call(inner["name"], arguments) if isinstance(arguments, dict) else None


def _call(name: str, arguments: dict[str, Any]) -> Message:
    return {"type": "function", "function": {"name": name, "arguments": arguments}}


def _named(tools: Sequence[str]) -> re.Pattern[str]:
    """A tool's name right before its arguments, at the beginning of a line or behind a marker (GLM, DeepSeek)."""
    names = "|".join(map(re.escape, sorted(tools, key=len, reverse=True))) or "(?!)"
    return re.compile(rf"(?:^|\n|>|\])[ \t]*({names})[ \t]*(?:\n|\[ARGS\])[ \t]*{FENCE}\Z")


def begins_call(text: str, tools: Sequence[str]) -> bool:
    """Whether a text looks like a call that is none."""
    lines = text.strip().splitlines()
    opens = bool(lines) and (lines[0].strip() in tools or lines[0].startswith(('{"name"', '[{"name"')))
    return opens or MARKERS.search(text) is not None
