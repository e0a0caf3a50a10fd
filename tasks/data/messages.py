"""A dialogue of any usual form in (OpenAI, ShareGPT, the hotel form); messages of one form, or their JSON text, out."""

import json
from typing import Any

from .errors import DataError
from .turns import Message, kind_of, parse_json, read_turn, settle_results

__all__ = ["Message", "dump_messages", "is_call", "load_messages", "read_messages", "transcript"]

KEYS = ("role", "content", "tool_calls", "name", "weight")
"""Keys of a message, in the order in which they are written."""


def read_messages(value: Any) -> list[Message]:
    """Convert a dialogue (JSON text, a list, or an object with `messages` or `conversations`) to OpenAI's form.

    A result gets the name of its call and, where it has a `tool_call_id`, its call's place. Keys beside role, content,
    calls, name and weight are left behind. Raises DataError with the number of the message, from 1, and the mend.
    """
    turns = _turns(parse_json(value, "the dialogue") if isinstance(value, str) else value)
    try:
        messages = settle_results([read_turn(turn, f"message {number}") for number, turn in enumerate(turns, 1)])
    except RecursionError:
        raise DataError("the dialogue is nested too deeply to be read") from None
    _check_letters(messages)
    return messages


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
    told = [message for message in messages if results or message["role"] != "tool"]
    return "\n".join(line for message in told for line in _lines(message))


def _lines(message: Message) -> list[str]:
    called = [call["function"] for call in message.get("tool_calls") or ()]
    lines = [f"{call['name']} {json.dumps(call['arguments'], ensure_ascii=False)}" for call in called]
    return [message["content"], *lines] if message["content"] else lines


def _turns(value: Any) -> list[Any]:
    """The list of turns in whatever holds it; a `system` beside the turns becomes the first of them."""
    first: list[Any] = []
    if isinstance(value, dict):
        key = next((key for key in ("messages", "conversations") if key in value), None)
        if key is None:
            held = ", ".join(map(str, value)) or "nothing"
            raise DataError(f"the dialogue holds {held}; it must be a list, or hold `messages` or `conversations`")
        first = [{"role": "system", "content": value["system"]}] if value.get("system") else []
        value = value[key]
    if hasattr(value, "tolist"):
        value = _from_parquet(value)
    if not isinstance(value, list):
        raise DataError(f"the dialogue is {kind_of(value)}; it must be a list of messages")
    if not value:
        raise DataError("the dialogue has no messages; leave such rows out")
    return first + value


def _from_parquet(value: Any) -> Any:
    """Arrays as lists, and objects without their nulls: Parquet gives every object the keys of all the others."""
    if isinstance(value, dict):
        return {key: _from_parquet(one) for key, one in value.items() if one is not None}
    if hasattr(value, "tolist"):
        value = value.tolist()
    return [_from_parquet(one) for one in value] if isinstance(value, list) else value


def _check_letters(messages: list[Message]) -> None:
    """Raise DataError for what JSON or UTF-8 cannot hold: found here, it names the message and not a file later."""
    for number, message in enumerate(messages, 1):
        try:
            dump_messages([message]).encode()
        except UnicodeEncodeError as error:
            letter = error.object[error.start]
            raise DataError(f"message {number}: {letter!r} is half a character; write the text anew as UTF-8") from None
        except ValueError as error:
            raise DataError(f"message {number}: {error}; write such numbers as text") from None
