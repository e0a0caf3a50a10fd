"""A dialogue of any usual form in (OpenAI, ShareGPT, Anthropic, the hotel form); messages of one form, or their JSON
text, out."""

import json
from collections import Counter
from collections.abc import Collection, Sequence
from typing import Any

from ..errors import DataError
from .calls import read_tools
from .turn_keys import EMPTY, check_unsupported, strip_keys
from .turns import Message, kind_of, parse_json, read_system, read_turn, settle_results

__all__ = [
    "Message",
    "as_plain",
    "counted_from",
    "dump_messages",
    "is_call",
    "load_messages",
    "read_messages",
    "tools_of",
    "transcript",
]

KEYS = ("role", "content", "reasoning_content", "tool_calls", "tool_call_id", "name", "weight", "tools")
"""Keys of a message, in the order in which they are written. `tools` stand in a system message, the first one, whose
content is null where the dialogue has no system text of its own."""
HOLDERS = ("messages", "conversations", "conversation", "dialogue", "contents")
SYSTEMS = ("system", "system_prompt", "system_instruction", "systemInstruction")
"""What the forms call a system text next to the turns."""
TOOLS = ("tools", "functions")
"""What the forms call a dialogue's own tools next to the turns."""


def read_messages(
    value: Any, *, tools: Any = None, system: Any = None, ignore: Collection[str] = (), left: Counter[str] | None = None
) -> list[Message]:
    """Convert a dialogue (JSON text, a list, or an object that holds one) to OpenAI's form.

    tools, system: what stands next to it. A result gets the name of its call and, where it has a `tool_call_id`, its
    call's place. Keys of `ignore` and those that say nothing about training are left out, counted in `left`. Raises
    DataError with the number of the message, from 1, and the fix; also for any other key.
    """
    value = parse_json(value, "the dialogue") if isinstance(value, str) else value
    counted: Counter[str] = Counter() if left is None else left
    holder = strip_keys(value, ignore, counted) if isinstance(value, dict) else {}
    check_unsupported(holder, "the dialogue")
    turns = _turns(value)
    if isinstance(turns[0], dict) and turns[0].get("tools") is not None:  # as `dump_messages` writes them
        first, holder = dict(turns[0]), {**holder, "tools": turns[0]["tools"]}
        del first["tools"]
        turns = turns[1:] if first.get("content") is None and first.get("role") == "system" else [first, *turns[1:]]
    numbered: list[tuple[int, Message]] = []
    try:
        for number, turn in enumerate(turns, 1):
            kept = strip_keys(turn, ignore, counted) if isinstance(turn, dict) else turn
            numbered += [(number, message) for message in read_turn(kept, f"message {number}")]
        own = read_tools(as_plain(_field(tools, holder, TOOLS)))
    except RecursionError:
        raise DataError("the dialogue is nested too deeply to be read") from None
    messages = _headed(settle_results(numbered), _field(system, holder, SYSTEMS), own)
    _check_letters(messages)
    return messages


def tools_of(messages: list[Message]) -> list[Any]:
    """The JSON schemas of a dialogue's own tools."""
    return list(messages[0].get("tools") or ()) if messages else []


def counted_from(messages: Sequence[Message]) -> int:
    """Where the data's own messages begin: 1 where the first one only holds the tools that stand next to them."""
    return int(bool(messages) and messages[0]["role"] == "system" and messages[0]["content"] is None)


def dump_messages(messages: list[Message]) -> str:
    """Write messages as JSON text: keys in the order of KEYS, arguments in their own, letters of any script as such."""
    ordered = [{key: message[key] for key in KEYS if key in message} for message in messages]
    return json.dumps(ordered, ensure_ascii=False, allow_nan=False)


def load_messages(text: str) -> list[Message]:
    """Read what `dump_messages` wrote. Raises DataError where it is no JSON list."""
    messages = parse_json(text, "the dialogue")
    if not isinstance(messages, list):
        raise DataError(f"the dialogue is {kind_of(messages)}, no list of messages; write it with dump_messages")
    return messages


def is_call(message: Message) -> bool:
    """Whether the message is the assistant's and calls a tool."""
    return message["role"] == "assistant" and bool(message.get("tool_calls"))


def transcript(messages: list[Message], *, results: bool = True) -> str:
    """All turns as plain text, one below the other: contents, and calls as name and arguments; roles are left out.

    Without `results` what tools gave is left out too: long records alike make dialogues alike that are not.
    """
    shown = [message for message in messages if results or message["role"] != "tool"]
    return "\n".join(line for message in shown for line in _lines(message))


def _lines(message: Message) -> list[str]:
    called = [call["function"] for call in message.get("tool_calls") or ()]
    lines = [f"{call['name']} {json.dumps(call['arguments'], ensure_ascii=False)}" for call in called]
    return [message["content"], *lines] if message["content"] else lines


def _turns(value: Any) -> list[Any]:
    """The list of turns in whatever holds it."""
    if isinstance(value, dict):
        held_keys = [key for key in HOLDERS if key in value]
        key = next(iter(held_keys), None)
        held_keys = [key for key in held_keys if isinstance(as_plain(value[key]), list)]
        if len(held_keys) > 1:
            raise DataError(f"the dialogue holds {' and '.join(held_keys)}; keep one of them")
        if key is None:
            held = ", ".join(map(str, value)) or "nothing"
            raise DataError(f"the dialogue holds {held}; it must be a list, or hold `messages` or `conversations`")
        value = value[key]
    value = as_plain(value)
    if not isinstance(value, list):
        raise DataError(f"the dialogue is {kind_of(value)}; it must be a list of messages")
    if not value:
        raise DataError("the dialogue has no messages; leave such rows out")
    return value


def _field(field: Any, holder: dict[str, Any], keys: tuple[str, ...]) -> Any:
    """What stands next to the turns under one of the keys. Raises DataError where it stands there twice."""
    named = {key: as_plain(holder.get(key)) for key in keys}
    given = {"a column": as_plain(field), **named}
    given = {key: value for key, value in given.items() if value not in EMPTY}
    values = list(given.values())
    if any(value != values[0] for value in values):
        raise DataError(f"{' and '.join(given)} next to the messages say different things; keep one of them")
    return values[0] if values else None


def _headed(messages: list[Message], system: Any, tools: list[Any]) -> list[Message]:
    """The messages with a system text and tools in their first one. Raises DataError where there is another text."""
    if isinstance(system, dict | list):
        system = read_system(system)
    if system is not None and not isinstance(system, str):
        raise DataError(f"the system text next to the messages is {kind_of(system)}; write a text")
    own = messages[0]["content"] if messages[0]["role"] == "system" else None
    if system and own is not None and own != system:
        raise DataError(
            f"a system text next to the messages ({system[:40]!r}) and another in message 1 "
            f"({own[:40]!r}); keep one of them"
        )
    text = own if own is not None else system or None
    if text is None and not tools:
        return messages
    first = messages[0] if own is not None else {"role": "system", "content": text}
    return [first | ({"tools": tools} if tools else {}), *(messages[1:] if own is not None else messages)]


def as_plain(value: Any) -> Any:
    """A value as JSON has it, where it came out of Parquet or Arrow."""
    return _from_parquet(value) if hasattr(value, "tolist") else value


def _from_parquet(value: Any) -> Any:
    """Arrays as lists, and objects without their nulls: Parquet gives every object the keys of all the others."""
    if isinstance(value, dict):
        return {key: _from_parquet(part) for key, part in value.items() if part is not None}
    if hasattr(value, "tolist"):
        value = value.tolist()
    return [_from_parquet(part) for part in value] if isinstance(value, list) else value


def _check_letters(messages: list[Message]) -> None:
    """Raise DataError for what JSON or UTF-8 cannot hold: found here, it names the message and not a file later."""
    for number, message in enumerate(messages, 1):
        try:
            dump_messages([message]).encode()
        except UnicodeEncodeError as error:
            letter = error.object[error.start]
            raise DataError(
                f"message {number}: {letter!r} is half a character; write the text again as UTF-8"
            ) from None
        except ValueError as error:
            raise DataError(f"message {number}: {error}; write such numbers as text") from None
