"""One turn of a dialogue in any usual form in; messages of OpenAI's form, their results named by their calls, out."""

from typing import Any

from ..errors import DataError
from .calls import SEARCH, kind_of, parse_json, read_call, read_calls, written_calls
from .content_blocks import Blocks, holds_results, read_blocks, result_text
from .turn_keys import CONTENTS, ROLES, check_keys, only_one, read_thoughts, read_weight

__all__ = ["SEARCH", "Message", "kind_of", "parse_json", "read_turn", "settle_results"]

Message = dict[str, Any]


def read_turn(turn: Any, place: str) -> list[Message]:
    """Convert one turn to a message, or to several where a user's blocks hold results of tools.

    Raises DataError that names `place`, the fault and the fix.
    """
    if not isinstance(turn, dict):
        raise DataError(f"{place} is {kind_of(turn)}; it must be an object with `role` and `content`")
    named, role = _role(turn, place)
    content = only_one(turn, CONTENTS, place)
    check_keys(turn, _kind(turn, role, named, content), named, place)
    if role == "tool" and not holds_results(content):
        given = only_one(turn, (*CONTENTS, "records", "output"), place)
        message = {"role": "tool", "content": result_text(_present(given, f"{place} ({named})"), place)}
        own_id = only_one(turn, ("tool_call_id", "call_id"), place)
        messages = [message | _named({**turn, "tool_call_id": own_id}, ("name", "tool_call_id"))]
    elif role in ("assistant", "call"):
        messages = [_assistant(turn, content, named, place)]
    else:
        given_role = "user" if role == "tool" else role
        messages = _given(turn, given_role, _present(content, f"{place} ({named})"), place)
    _check_thoughts(turn, role, place)
    weight = read_weight(turn, "assistant" if role == "call" else role, place)
    return messages if weight is None else [message | {"weight": weight} for message in messages]


def _kind(turn: Message, role: str, named: str, content: Any) -> str:
    """The kind of a turn, which says what keys are read of it."""
    if role == "call":
        return "search" if named == "search" else "item" if turn.get("arguments") is not None else role
    return "results" if role == "tool" and holds_results(content) else role


def read_system(value: Any) -> str:
    """The system text next to a dialogue that is a list of blocks (Anthropic's) or a message (Gemini's). Raises
    DataError."""
    place = "the system text next to the messages"
    turn = value if isinstance(value, dict) else {"content": value}
    return str(read_turn({**turn, "role": "system"}, place)[0]["content"])


def _role(turn: Message, place: str) -> tuple[str, str]:
    """What a turn calls its role, in small letters, and the role. Raises DataError."""
    given = {key: turn[key] for key in ("role", "from") if turn.get(key) is not None}
    kind = turn.get("type")
    known = kind.lower() if isinstance(kind, str) else None
    given = given or ({"type": kind} if known in ROLES else {})
    roles = {key: ROLES.get(value.strip().lower()) if isinstance(value, str) else None for key, value in given.items()}
    named, role = next(iter(given.values()), None), next(iter(roles.values()), None)
    if named is None and kind:
        raise DataError(f"{place}: an item of type {kind!r} without a role is not read; leave such items out")
    if role is None or not isinstance(named, str):
        raise DataError(f"{place}: unknown role {named!r}; roles are {', '.join(ROLES)}")
    if len(set(roles.values())) > 1:
        raise DataError(f"{place}: 'role' and 'from' say different things; keep one of them")
    if kind not in (None, "", "message", "text") and (known is None or ROLES.get(known) != role):
        raise DataError(f"{place}: a turn of type {kind!r} is not read; leave the key `type` out, or such turns")
    return named.strip().lower(), role


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
        if named == "search" and turn.get("arguments") is None:
            raise DataError(f"{place}: the arguments of {SEARCH} are null; write an object, {{}} for none")
        calls = (
            [read_call(_stated_call(turn, named), place)]
            if turn.get("arguments") is not None
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
    named_by_item = ROLES[named] == "call" and turn.get("arguments") is not None
    return message | ({"tool_calls": calls} if calls else {}) | ({} if named_by_item else _named(turn, ("name",)))


def _stated_call(turn: Message, named: str) -> Message:
    """The call of a turn that is one: a `search` as the embedded dialogues have it, an item of OpenAI's newer form."""
    return {
        "name": SEARCH if named == "search" else turn.get("name"),
        "arguments": turn["arguments"],
        "id": turn.get("call_id"),
    }


def _given(turn: Message, role: str, content: Any, place: str) -> list[Message]:
    """A turn of the system or the user; results in its blocks stand before its text."""
    blocks = _blocks(content, role, place)
    for key in ("tool_calls", "function_call", "tool_call_id"):
        if turn.get(key):
            raise DataError(f"{place}: {key} on a turn of role {role}; calls are the assistant's, results are a tool's")
    results: list[Message] = [
        {"role": "tool", "content": result["content"]} | _named(result, ("name", "tool_call_id"))
        for result in blocks.results
    ]
    if results and not blocks.text and turn.get("name"):
        raise DataError(f"{place}: the key 'name' next to results alone is not read; put it into their blocks")
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
