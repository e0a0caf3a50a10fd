"""One turn of a dialogue in any usual form in; messages of OpenAI's form, their results named by their calls, out."""

from typing import Any

from ..errors import DataError
from .calls import SEARCH, kind_of, parse_json, read_call, read_calls, written_calls
from .content_blocks import Blocks, read_blocks, result_text
from .turn_keys import CONTENTS, check_keys, only_one, read_thoughts, read_weight

__all__ = ["SEARCH", "Message", "kind_of", "parse_json", "read_turn", "settle_results"]

Message = dict[str, Any]
ROLES = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "human": "user",
    "assistant": "assistant",
    "gpt": "assistant",
    "model": "assistant",
    "function_call": "call",
    "search": "call",
    "tool": "tool",
    "function": "tool",
    "observation": "tool",
    "return": "tool",
    "function_call_output": "tool",
}
"""What the forms call a role -> system, user, assistant, tool, or call (an assistant's turn that only calls)."""


def read_turn(turn: Any, place: str) -> list[Message]:
    """Convert one turn to a message, or to several where a user's blocks hold results of tools.

    Raises DataError that names `place`, the fault and the fix.
    """
    if not isinstance(turn, dict):
        raise DataError(f"{place} is {kind_of(turn)}; it must be an object with `role` and `content`")
    named = turn["role"] if turn.get("role") is not None else turn.get("from")
    role = ROLES.get(named) if isinstance(named, str) else None
    if role is None or not isinstance(named, str):
        raise DataError(f"{place}: unknown role {named!r}; roles are {', '.join(ROLES)}")
    check_keys(turn, place)
    content = only_one(turn, CONTENTS, place)
    if role == "tool":
        records = turn.get("records") if content is None else content
        message = {"role": "tool", "content": result_text(_present(records, f"{place} ({named})"))}
        messages = [message | _named(turn, ("name", "tool_call_id"))]
    elif role in ("assistant", "call"):
        messages = [_assistant(turn, content, named, place)]
    else:
        messages = _given(turn, role, _present(content, f"{place} ({named})"), place)
    _check_thoughts(turn, role, place)
    weight = read_weight(turn, "assistant" if role == "call" else role, place)
    return messages if weight is None else [message | {"weight": weight} for message in messages]


def settle_results(messages: list[tuple[int, Message]]) -> list[Message]:
    """Put the results of parallel calls in the order of their ids, and name each by its call.

    messages: each with the number of its turn. Raises DataError for a `tool_call_id` that no call directly before it
    has.
    """
    settled: list[Message] = []
    calls: list[Any] = []
    waiting: list[Message] = []
    for number, message in messages:
        if message["role"] == "tool":
            _check_id(message, calls, f"message {number}")
            waiting.append(message)
            continue
        settled += _ordered(waiting, calls)
        calls, waiting = message.get("tool_calls") or [], []
        settled.append(message)
    return settled + _ordered(waiting, calls)


def _present(value: Any, place: str) -> Any:
    if value is None:
        raise DataError(f"{place}: no content; give it a text, which may be empty, or leave the turn out")
    return value


def _blocks(value: Any, role: str, place: str) -> Blocks:
    """A content as what it holds: a text, or a list of blocks."""
    if isinstance(value, str):
        return Blocks(value)
    if isinstance(value, list) and value:
        return read_blocks(value, role, place)
    raise DataError(
        f"{place}: its content is {'empty' if value == [] else kind_of(value)}; write a text or a list of text blocks"
    )


def _assistant(turn: Message, content: Any, named: str, place: str) -> Message:
    """A reply, or calls, or both; thoughts before them."""
    if ROLES[named] == "call":
        calls = (
            [read_call({"name": SEARCH, "arguments": turn.get("arguments")}, place)]
            if named == "search"
            else (written_calls(content, place))
        )
        blocks = Blocks()
    else:
        calls = read_calls(turn, place)
        blocks = (
            Blocks()
            if calls and content is None
            else _blocks(_present(content, f"{place} ({named})"), "assistant", place)
        )
    if blocks.calls and calls:
        raise DataError(f"{place}: calls both in tool_calls and in blocks of the content; keep one of them")
    calls += [read_call(call, place) for call in blocks.calls]
    thoughts = read_thoughts(turn, place)
    if blocks.thoughts and thoughts:
        raise DataError(f"{place}: thoughts both in a key and in a block of the content; keep one of them")
    message: Message = {"role": "assistant", "content": blocks.text}
    message |= {"reasoning_content": thoughts or blocks.thoughts} if thoughts or blocks.thoughts else {}
    return message | ({"tool_calls": calls} if calls else {}) | _named(turn, ("name",))


def _given(turn: Message, role: str, content: Any, place: str) -> list[Message]:
    """A turn of the system or the user; results in its blocks stand before its text."""
    blocks = _blocks(content, role, place)
    for key in ("tool_calls", "function_call", "tool_call_id"):
        if turn.get(key):
            raise DataError(f"{place}: {key} on a turn of role {role}; calls are the assistant's, results are a tool's")
    results: list[Message] = [
        {"role": "tool", "content": result["content"]} | _named(result, ("tool_call_id",)) for result in blocks.results
    ]
    own = [] if results and not blocks.text else [{"role": role, "content": blocks.text} | _named(turn, ("name",))]
    return results + own


def _named(turn: Message, keys: tuple[str, ...]) -> Message:
    return {key: str(turn[key]) for key in keys if turn.get(key) not in (None, "")}


def _check_thoughts(turn: Message, role: str, place: str) -> None:
    if role not in ("assistant", "call") and read_thoughts(turn, place):
        raise DataError(f"{place}: thoughts on a turn of role {role}; only the assistant thinks, so leave the key out")


def _check_id(result: Message, calls: list[Any], place: str) -> None:
    known = [call["id"] for call in calls if "id" in call]
    if known and "tool_call_id" in result and result["tool_call_id"] not in known:
        raise DataError(
            f"{place}: tool_call_id {result['tool_call_id']!r} is of no call before it, which has {', '.join(known)}"
        )


def _ordered(results: list[Message], calls: list[Any]) -> list[Message]:
    """Results in the order of their calls' ids where all have one; else as they stand."""
    ids = [call.get("id") for call in calls]
    if results and all("tool_call_id" in result and result["tool_call_id"] in ids for result in results):
        results = sorted(results, key=lambda result: ids.index(result["tool_call_id"]))
        named = [calls[ids.index(result["tool_call_id"])] for result in results]
    else:
        named = calls[: len(results)]
    for result, call in zip(results, named, strict=False):
        result.setdefault("name", call["function"]["name"])
    return results
