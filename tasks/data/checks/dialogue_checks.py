"""Dialogues in; what can be wrong with each as columns, and the Great Expectations that hold of these columns, out.

The columns are strings and counts, so that expectations which concern single rows name the dialogues that break them.
"""

from collections.abc import Collection, Iterable, Mapping
from typing import Any

import pandas as pd

from configs.expectations import Severity

from ..dialogues.messages import Message, counted_from, is_call
from .great_expectations import GX_SEVERITY

CALL, RESULT, REPLY = "call", "tool", "reply"
WORDS = {
    "roles": "the turns of each dialogue follow one another (system, then user and assistant in turn)",
    "empty_turns": "no dialogue has an empty turn",
    "calls_without_result": "each call of a dialogue has its results",
    "results_without_call": "each result of a dialogue has its call",
    "unknown_arguments": "each dialogue calls tools with arguments that validate.tools names",
    "last_turn": "each dialogue ends with the assistant",
    "trained_turns": "each dialogue has a turn of the assistant that is trained",
}
"""What is expected of each column of `facts`, in words."""
COLUMNS = tuple(WORDS)
FIXES = "let `validate.severity: {turns: warn}` pass it and fix it with `clean.steps: [%s]`"
WHOSE = {
    "system": "the system's",
    "user": "the user's",
    CALL: "the assistant's",
    REPLY: "the assistant's",
    RESULT: "a tool's",
}


def facts(dialogues: Iterable[list[Message]], tools: Mapping[str, Collection[str]] | None = None) -> pd.DataFrame:
    """One line per dialogue, in their order, with COLUMNS: of each what is wrong, in words; empty where nothing is.

    roles: the system at most once and first, then the user and the assistant in turn, calls and results before a
    reply. empty_turns: turns of white space alone (a call needs no text). calls_without_result: calls with fewer
    results directly behind them than they ask for; a call that ends a dialogue needs none. results_without_call:
    results that no call before them asked for. unknown_arguments: tools and arguments, such as "convert.colour",
    that `tools` does not have (with None, any will do). last_turn: a dialogue that does not end with the assistant.
    trained_turns: that no turn of the assistant has another weight than 0.
    """
    lines = [_facts(messages, tools) for messages in dialogues]
    return pd.DataFrame(lines, columns=list(COLUMNS)).astype("str")


def dialogue_expectations(severity: Severity = "fail") -> list[Any]:
    """Expectations of GX on the columns of `facts`; each is broken by one kind of fault alone."""
    from great_expectations import expectations as gxe

    level = GX_SEVERITY[severity]
    return [gxe.ExpectColumnValuesToBeInSet(column=name, value_set=[""], severity=level) for name in COLUMNS]


def _facts(messages: list[Message], tools: Mapping[str, Collection[str]] | None) -> list[str]:
    own = messages[counted_from(messages) :]
    roles = [_word(message) for message in own]
    return [
        _role_fault(roles),
        _empty(own),
        *_unmatched(own, roles),
        ", ".join([] if tools is None else _unknown(messages, tools)),
        _last_fault(roles),
        _untrained(own, roles),
    ]


def _role_fault(roles: list[str]) -> str:
    """The first turn that does not follow from the one before it, in words."""
    before = ""
    for number, role in enumerate(roles, 1):
        if role == "system" and number > 1:
            return f"message {number} is the system's, which speaks once and first; put its text into message 1"
        if role == before and role in ("user", REPLY):
            return f"messages {number - 1} and {number} are both {WHOSE[role]}; {FIXES % 'merge_turns'}"
        if role == "user" and before in (CALL, RESULT):
            return f"message {number} is the user's, where the assistant's reply is due; add it, or leave the row out"
        if role in (REPLY, CALL, RESULT) and before in ("", "system"):
            return (
                f"message {number} is {WHOSE[role]} and nobody asked before it; a dialogue begins with the user: "
                "put a greeting into the system's text, leave it out, or give it a turn of the user's"
            )
        before = role
    return ""


def _empty(messages: list[Message]) -> str:
    """The turns of white space alone."""
    empty = [
        f"message {number} ({message['role']})"
        for number, message in enumerate(messages, 1)
        if not is_call(message) and not message.get("tools") and not message["content"].strip()
    ]
    return f"{', '.join(empty)} without a text; {FIXES % 'drop_empty_turns'}" if empty else ""


def _last_fault(roles: list[str]) -> str:
    if not roles or roles[-1] in (CALL, REPLY):
        return ""
    return f"the last message is {WHOSE[roles[-1]]}, and the assistant says nothing after it; " + (
        FIXES % "cut_trailing_turns"
    )


def _untrained(messages: list[Message], roles: list[str]) -> str:
    if any(role in (CALL, REPLY) and message.get("weight", 1) for message, role in zip(messages, roles, strict=True)):
        return ""
    return "no turn of the assistant is trained (it has none, or all have weight 0); leave the row out"


def _word(message: Message) -> str:
    return CALL if is_call(message) else REPLY if message["role"] == "assistant" else str(message["role"])


def _unmatched(messages: list[Message], roles: list[str]) -> tuple[str, str]:
    """The first call without all its results, and the first result beyond those asked for."""
    calls, results, last = "", "", len(messages) - 1
    waiting = called = 0
    for number, (message, role) in enumerate(zip(messages, roles, strict=True)):
        if role == RESULT:
            if not waiting:
                results = results or f"message {number + 1} is the result of no call before it; leave it out"
            waiting = max(waiting - 1, 0)
            continue
        if waiting:
            calls = calls or _unanswered(messages, called, waiting)
        waiting, called = (len(message["tool_calls"]), number) if role == CALL and number < last else (0, number)
    return calls or (_unanswered(messages, called, waiting) if waiting else ""), results


def _unanswered(messages: list[Message], place: int, waiting: int) -> str:
    due = len(messages[place]["tool_calls"])
    return f"message {place + 1} calls {due} tool{'s' * (due > 1)} and {due - waiting} results follow; add the others"


def _unknown(messages: list[Message], tools: Mapping[str, Collection[str]]) -> list[str]:
    """Tools and arguments that are called and not known, each once, in their order."""
    unknown: dict[str, None] = {}
    for call in (call["function"] for message in messages for call in message.get("tool_calls") or ()):
        name = call["name"]
        if name not in tools:
            unknown[name] = None
        else:
            unknown |= {f"{name}.{argument}": None for argument in call["arguments"] if argument not in tools[name]}
    return list(unknown)
