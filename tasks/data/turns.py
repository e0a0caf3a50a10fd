"""One turn of a dialogue in any usual form in; a message of OpenAI's form, its results named by their calls, out."""

import json
from typing import Any

from .errors import DataError

Message = dict[str, Any]
SEARCH = "search_hotels"
"""The tool that the hotel form's `search` turns call."""
ROLES = {
    "system": "system", "developer": "system",
    "user": "user", "human": "user",
    "assistant": "assistant", "gpt": "assistant",
    "function_call": "call", "search": "call",
    "tool": "tool", "function": "tool", "observation": "tool", "return": "tool",
}  # fmt: skip
"""What the forms call a role -> system, user, assistant, tool, or call (an assistant's turn that only calls)."""


def read_turn(turn: Any, place: str) -> Message:
    """Convert one turn; calls and results keep their `id` for `settle_results`. Raises DataError that names `place`."""
    if not isinstance(turn, dict):
        raise DataError(f"{place} is {kind_of(turn)}; it must be an object with `role` and `content`")
    named = turn["role"] if turn.get("role") is not None else turn.get("from")
    role = ROLES.get(named) if isinstance(named, str) else None
    if role is None:
        raise DataError(f"{place}: unknown role {named!r}; roles are {', '.join(ROLES)}")
    told = turn.get("content") if turn.get("content") is not None else turn.get("value")
    if role == "tool":
        records = turn.get("records") if told is None else told
        return _result(turn, _text(_present(records, f"{place} ({named})"), place, structured=True))
    if role == "call":
        calls = [_hotel_call(turn, place)] if named == "search" else _written_calls(told, place)
        return _assistant(turn, "", calls, place)
    if role != "assistant":
        return {"role": role, "content": _text(_present(told, f"{place} ({named})"), place)}
    calls = _calls(turn, place)
    content = "" if calls and told is None else _text(_present(told, f"{place} ({named})"), place)
    return _assistant(turn, content, calls, place)


def settle_results(messages: list[Message]) -> list[Message]:
    """Put the results of parallel calls in the order of their ids, name each by its call, and drop the ids.

    Raises DataError for a `tool_call_id` that no call directly before it has.
    """
    settled: list[Message] = []
    calls: list[Any] = []
    waiting: list[Message] = []
    for number, message in enumerate(messages, 1):
        if message["role"] == "tool":
            _check_id(message, calls, f"message {number}")
            waiting.append(message)
            continue
        settled += _ordered(waiting, calls)
        calls, waiting = message.get("tool_calls") or [], []
        settled.append(message)
    settled += _ordered(waiting, calls)
    for call in (call for message in settled for call in message.get("tool_calls") or ()):
        call.pop("id", None)
    return settled


def parse_json(text: str, what: str) -> Any:
    """Parse JSON text. Raises DataError that says where it breaks off."""
    try:
        return json.loads(text)
    except ValueError as error:
        raise DataError(f"{what} is no JSON ({error}): {text[:60]!r}") from None
    except RecursionError:
        raise DataError(f"{what} is nested too deeply to be read: {text[:60]!r}") from None


def kind_of(value: Any) -> str:
    """What a value is, in the words of JSON."""
    names = {dict: "an object", list: "a list", str: "a text", type(None): "null", bool: "true or false"}
    return names.get(type(value), "a number" if isinstance(value, int | float) else type(value).__name__)


def _present(told: Any, place: str) -> Any:
    if told is None:
        raise DataError(f"{place}: no content; give it a text, which may be empty, or leave the turn out")
    return told


def _text(told: Any, place: str, *, structured: bool = False) -> str:
    """A content as text: texts, lists of text parts and, where a tool gave it, any JSON."""
    if isinstance(told, str):
        return told
    parts: list[Any] = told if isinstance(told, list) and told else [None]
    if all(isinstance(part, dict) and part.get("type") == "text" and isinstance(part.get("text"), str)
           for part in parts):  # fmt: skip
        return "".join(part["text"] for part in parts)
    if structured:
        return json.dumps(told, ensure_ascii=False)
    raise DataError(f"{place}: its content is {kind_of(told)}; only texts and lists of text parts can be trained on")


def _assistant(turn: dict[str, Any], content: str, calls: list[Any], place: str) -> Message:
    message: Message = {"role": "assistant", "content": content}
    if calls:
        message["tool_calls"] = calls
    weight = turn.get("weight")
    if weight is not None:
        if weight not in (0, 1):
            raise DataError(f"{place}: weight {weight!r}; it is 1 for a turn to learn and 0 for one that is given")
        message["weight"] = int(weight)
    return message


def _result(turn: dict[str, Any], content: str) -> Message:
    message: Message = {"role": "tool", "content": content}
    for key, kept in (("name", "name"), ("tool_call_id", "id")):
        if turn.get(key) is not None:
            message[kept] = str(turn[key])
    return message


def _calls(turn: dict[str, Any], place: str) -> list[Any]:
    """The calls of an assistant's turn, in OpenAI's form or its older one of a single function."""
    calls = turn.get("tool_calls")
    if calls is None:
        calls = [turn["function_call"]] if turn.get("function_call") is not None else []
    if not isinstance(calls, list):
        raise DataError(f"{place}: tool_calls is {kind_of(calls)}; it must be a list of calls")
    return [_call(call, place) for call in calls]


def _written_calls(told: Any, place: str) -> list[Any]:
    """The calls of a ShareGPT function_call: an object with name and arguments, or a list of such, as JSON."""
    value = parse_json(told, f"{place}: the call") if isinstance(told, str) else told
    calls = value if isinstance(value, list) else [value]
    if not calls:
        raise DataError(f"{place}: a function_call without a call; leave the turn out")
    return [_call(call, place) for call in calls]


def _hotel_call(turn: dict[str, Any], place: str) -> Any:
    return _call({"name": SEARCH, "arguments": turn.get("arguments")}, place)


def _call(call: Any, place: str) -> Any:
    """One call in OpenAI's form; arguments written as JSON text become an object."""
    function = call.get("function", call) if isinstance(call, dict) else call
    if not isinstance(function, dict):
        raise DataError(f"{place}: a call is {kind_of(function)}; it must be an object with `name` and `arguments`")
    name, arguments = function.get("name"), function.get("arguments")
    if not isinstance(name, str) or not name.strip():
        raise DataError(f"{place}: a call without a name; `function.name` must say which tool it calls")
    if isinstance(arguments, str):
        arguments = parse_json(arguments, f"{place}: the arguments of {name}")
    if not isinstance(arguments, dict):
        raise DataError(f"{place}: the arguments of {name} are {kind_of(arguments)}; write an object, {{}} for none")
    made: dict[str, Any] = {"type": "function", "function": {"name": name, "arguments": arguments}}
    return made if call.get("id") is None else made | {"id": str(call["id"])}


def _check_id(result: Message, calls: list[Any], place: str) -> None:
    known = [call["id"] for call in calls if "id" in call]
    if known and "id" in result and result["id"] not in known:
        raise DataError(f"{place}: tool_call_id {result['id']!r} is of no call before it, which has {', '.join(known)}")


def _ordered(results: list[Message], calls: list[Any]) -> list[Message]:
    """Results in the order of their calls' ids where all have one; else as they stand."""
    ids = [call.get("id") for call in calls]
    if results and all(result.get("id") in ids and "id" in result for result in results):
        results = sorted(results, key=lambda result: ids.index(result["id"]))
        named = [calls[ids.index(result["id"])] for result in results]
    else:
        named = calls[: len(results)]
    for result, call in zip(results, named, strict=False):
        result.setdefault("name", call["function"]["name"])
    return [{key: value for key, value in result.items() if key != "id"} for result in results]
