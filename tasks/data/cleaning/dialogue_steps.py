"""Cleaning of dialogues: a column of dialogues as JSON in; the same rows with fewer turns, and how many fewer, out."""

from collections.abc import Callable
from typing import Any

import pandas as pd

from configs import dialogue_steps as steps

from ..dialogues.messages import Message, dump_messages, is_call, load_messages

ALIKE = ("name", "weight")
"""Keys by which turns of one role may differ, so that they stay apart."""


def change_dialogues(column: pd.Series, step: steps.DialogueStep) -> tuple[pd.Series, pd.Series]:
    """The dialogues after a step (null where none is left), and how many turns fewer each has."""
    changed: list[str | None] = []
    fewer: list[int] = []
    for text in column:
        messages = load_messages(text) if isinstance(text, str) else []
        left = CHANGES[type(step)](messages, step)
        fewer.append(len(messages) - len(left))
        whole = any(message["role"] == "assistant" for message in left)
        changed.append(text if left == messages else dump_messages(left) if whole else None)
    return pd.Series(changed, index=column.index, dtype="str"), pd.Series(fewer, index=column.index, dtype="int64")


def merge_turns(messages: list[Message], step: Any) -> list[Message]:
    """Consecutive turns of the user, and replies, as one."""
    merged: list[Message] = []
    for message in messages:
        if merged and _can_join(merged[-1], message):
            text = step.separator.join(part for part in (merged[-1]["content"], message["content"]) if part)
            merged[-1] = {**merged[-1], "content": text}
        else:
            merged.append(message)
    return merged


def _can_join(first_message: Message, other: Message) -> bool:
    same = first_message["role"] == other["role"] in ("user", "assistant")
    calls = is_call(first_message) or is_call(other)
    return (
        same
        and not calls
        and "reasoning_content" not in other
        and all(first_message.get(k) == other.get(k) for k in ALIKE)
    )


def cut_trailing_turns(messages: list[Message], step: Any) -> list[Message]:
    """The turns up to the assistant's last one."""
    last = max((place for place, message in enumerate(messages) if message["role"] == "assistant"), default=-1)
    return messages[: last + 1]


def drop_empty_turns(messages: list[Message], step: Any) -> list[Message]:
    """The turns without the user's empty ones and empty replies."""
    return [message for message in messages if not _is_empty(message)]


def _is_empty(message: Message) -> bool:
    spoken = message["role"] in ("user", "assistant") and not is_call(message)
    return spoken and not (message["content"].strip() or message.get("reasoning_content"))


CHANGES: dict[type, Callable[[list[Message], Any], list[Message]]] = {
    steps.MergeTurns: merge_turns,
    steps.CutTrailingTurns: cut_trailing_turns,
    steps.DropEmptyTurns: drop_empty_turns,
}
