"""Dialogues in; what can be wrong with each as columns, and the Great Expectations that hold of these columns, out.

The columns are strings and counts, so that expectations which speak of single rows name the dialogues that break them.
"""

from collections.abc import Collection, Iterable, Mapping
from typing import Any

import pandas as pd

from configs.expectations import Severity

from .hotels import SLOTS
from .messages import Message, is_call
from .suites import GX_SEVERITY
from .turns import SEARCH

CALL, RESULT, REPLY = "call", "tool", "reply"
ALTERNATING = rf"^(?:system )?user(?: {CALL}| {RESULT})*(?: {REPLY} user(?: {CALL}| {RESULT})*)*(?: {REPLY})?$"
"""System at most once and first, then the user and the assistant in turn; calls and results stand before a reply."""
COLUMNS = ("roles", "empty_turns", "calls_without_result", "results_without_call", "unknown_slots", "last_turn",
           "trained_turns")  # fmt: skip
HOTEL_TOOLS: Mapping[str, Collection[str]] = {SEARCH: SLOTS}
"""The tools of the hotel dialogues, with their arguments."""


def facts(
    dialogues: Iterable[list[Message]], tools: Mapping[str, Collection[str]] | None = HOTEL_TOOLS
) -> pd.DataFrame:
    """One line per dialogue, in their order, with COLUMNS.

    roles: "system user call tool reply", one word a turn. empty_turns: turns of white space alone (a call needs no
    text). calls_without_result: calls with fewer results directly behind them than they ask for; a call that ends a
    dialogue needs none. results_without_call: results that no call before them asked for. unknown_slots: tools and
    arguments, such as "search_hotels.colour", that `tools` does not have (with None, any will do). last_turn: the last
    of roles. trained_turns: turns that the model writes and whose weight is not 0.
    """
    lines = [_facts(messages, tools) for messages in dialogues]
    strings = ("roles", "unknown_slots", "last_turn")
    kinds = {name: "str" if name in strings else "int64" for name in COLUMNS}
    return pd.DataFrame(lines, columns=list(COLUMNS)).astype(kinds)


def dialogue_expectations(severity: Severity = "fail") -> list[Any]:
    """Expectations of GX on the columns of `facts`; each is broken by one kind of fault alone."""
    from great_expectations import expectations as gxe

    none: dict[str, list[Any]] = {
        "empty_turns": [0], "calls_without_result": [0], "results_without_call": [0], "unknown_slots": [""],
        "last_turn": [CALL, REPLY],
    }  # fmt: skip
    level = GX_SEVERITY[severity]
    sets = [gxe.ExpectColumnValuesToBeInSet(column=name, value_set=good, severity=level) for name, good in none.items()]
    return [
        gxe.ExpectColumnValuesToMatchRegex(column="roles", regex=ALTERNATING, severity=level),
        *sets,
        gxe.ExpectColumnValuesToBeBetween(column="trained_turns", min_value=1, severity=level),
    ]


def _facts(messages: list[Message], tools: Mapping[str, Collection[str]] | None) -> list[Any]:
    roles = [_word(message) for message in messages]
    written = [message for message in messages if message["role"] == "assistant"]
    return [
        " ".join(roles),
        sum(not is_call(message) and not message["content"].strip() for message in messages),
        *_unmatched(messages, roles),
        ", ".join([] if tools is None else _unknown(messages, tools)),
        roles[-1] if roles else "",
        sum(message.get("weight", 1) != 0 for message in written),
    ]


def _word(message: Message) -> str:
    return CALL if is_call(message) else REPLY if message["role"] == "assistant" else str(message["role"])


def _unmatched(messages: list[Message], roles: list[str]) -> tuple[int, int]:
    """Calls without all their results, and results beyond those asked for."""
    calls = results = 0
    waiting = 0
    for number, (message, role) in enumerate(zip(messages, roles, strict=True)):
        if role == RESULT:
            results += waiting == 0
            waiting = max(waiting - 1, 0)
            continue
        calls += waiting > 0
        waiting = len(message["tool_calls"]) if role == CALL and number < len(messages) - 1 else 0
    return calls + (waiting > 0), results


def _unknown(messages: list[Message], tools: Mapping[str, Collection[str]]) -> list[str]:
    """Tools and arguments that are called and not known, each once, in their order."""
    found: dict[str, None] = {}
    for call in (call["function"] for message in messages for call in message.get("tool_calls") or ()):
        name = call["name"]
        if name not in tools:
            found[name] = None
        else:
            found |= {f"{name}.{slot}": None for slot in call["arguments"] if slot not in tools[name]}
    return list(found)
