"""A dialogue of the data -> the turns that a template takes: its system text, its own tools, ids of calls."""

import re
from collections.abc import Sequence
from typing import NamedTuple

from ...data.dialogues.messages import Message, counted_from
from ...data.errors import DataError

BETWEEN = "\n\n"
"""Between a system text and the first user turn that has to carry it."""
NINE = re.compile("[A-Za-z0-9]{9}")
"""Ids of the strictest template that there is, Mistral's."""
NOT_RENDERED = ("weight", "tools")
"""Keys of a message that are not the template's."""


class Composed(NamedTuple):
    """Turn i of a dialogue is turn i + moved of messages. tools: the dialogue's own; None where it brings none. before:
    turns of the dialogue that the data does not have (see `counted_from`)."""

    messages: list[Message]
    moved: int
    tools: tuple[Message, ...] | None
    before: int = 0


def compose(
    dialogue: Sequence[Message], turns: range, *, system: str | None, system_in_user: bool, any_id: bool = True
) -> Composed:
    """The system turn and consecutive turns as a template takes them.

    A dialogue's own tools stand in its first message, whose content may be null. Calls without ids get some, and
    results their call's name and id, by their order, since some templates ask for them; without any_id the data's are
    kept where they are nine letters and digits.
    """
    first_turn = dialogue[0] if dialogue else {}
    own = first_turn.get("role") == "system"
    tools = tuple(first_turn["tools"]) if own and first_turn.get("tools") else None
    system_text = first_turn["content"] if own and first_turn["content"] is not None else system
    first = max(turns.start, 1) if own else turns.start
    linked, before = _linked(dialogue[first : turns.stop], any_id), counted_from(dialogue)
    if system_text is None or (system_in_user and not system_text):
        return Composed(linked, -first, tools, before)
    if not system_in_user:
        return Composed([{"role": "system", "content": system_text}, *linked], 1 - first, tools, before)
    place = next((n for n, turn in enumerate(linked) if turn["role"] == "user"), None)
    if place is None:
        raise DataError(
            "the chat template has no system turn, and the dialogue no user turn that could carry it; give it a user "
            "turn, or take another template"
        )
    linked[place] = {**linked[place], "content": system_text + BETWEEN + linked[place]["content"]}
    return Composed(linked, -first, tools, before)


def _linked(turns: Sequence[Message], any_id: bool) -> list[Message]:
    """Copies of turns whose calls and results name one another."""
    waiting: list[tuple[str, str]] = []
    linked: list[Message] = []
    calls = 0
    for turn in turns:
        copy = {name: value for name, value in turn.items() if name not in NOT_RENDERED}
        if turn.get("tool_calls"):
            copy["tool_calls"] = [
                {"type": "function", **call, "id": _id(call, calls + n, any_id)}
                for n, call in enumerate(turn["tool_calls"])
            ]
            calls += len(turn["tool_calls"])
            pairs = zip(turn["tool_calls"], copy["tool_calls"], strict=True)
            known = {old["id"]: new["id"] for old, new in pairs if old.get("id")}
            waiting = [(call["function"]["name"], call["id"]) for call in copy["tool_calls"]]
        elif turn["role"] == "tool" and waiting:
            number = known.get(str(turn.get("tool_call_id")), waiting[0][1])
            name = next((name for name, call_id in waiting if call_id == number), waiting[0][0])
            waiting = [pair for pair in waiting if pair[1] != number]
            copy = {"name": name, **copy, "tool_call_id": number}
        linked.append(copy)
    return linked


def _id(call: Message, number: int, any_id: bool) -> str:
    """The data's id where the template takes it, else one of nine letters and digits."""
    known = str(call.get("id") or "")
    return known if known and (any_id or NINE.fullmatch(known)) else f"call{number:05d}"
