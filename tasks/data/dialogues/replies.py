"""A table with two replies to each prompt -> dialogues that end in the better one, and the worse one next to it."""

import json
from collections import Counter

import pandas as pd

from configs.columns import Columns

from ..drops import EXAMPLES
from ..errors import DataError
from .columns import read_dialogues
from .messages import Message, dump_messages, load_messages

BROKEN = "broken"
EQUAL = "a chosen reply equal to the rejected one"
PROMPTS = "prompts that differ between the replies"
EMPTY = "an empty reply"
NO_REPLY = "a side that does not end in a reply"
NO_PROMPT = "no prompt before the replies"


class BrokenPairError(DataError):
    """Two replies that cannot be compared; the message says why, and becomes the reason in the ledger."""


def read_pairs(table: pd.DataFrame, columns: Columns, where: str, notes: list[str]) -> dict[str, pd.Series]:
    """Columns `messages` (prompt and chosen reply) and `rejected` (see `write_rejected`), null where a side is missing.

    What cannot be compared is counted in `notes`. Raises DataError naming the row, as `read_dialogues` does.
    """
    chosen, rejected = (
        read_dialogues(table, columns, where, notes, reply=name) for name in (columns.chosen, columns.rejected)
    )
    asked = [read_dialogues(table, columns, where, [], reply=None)] if columns.prompts else []
    worse = [
        None if None in sides else write_rejected(*(load_messages(side) for side in sides))
        for sides in zip(*(_plain(side) for side in (chosen, rejected, *asked)), strict=True)
    ]
    _count_broken(worse, where, notes)
    return {"messages": chosen, "rejected": pd.Series(worse, index=table.index, dtype="str")}


def _plain(column: pd.Series) -> list[str | None]:
    return [value if isinstance(value, str) else None for value in column]


def write_rejected(chosen: list[Message], rejected: list[Message], asked: list[Message] | None = None) -> str:
    """The rejected reply as JSON: a list with the one message, or {"broken": REASON} where the two dialogues are no
    pair. asked: the prompt, where it stands in a column of its own."""
    reason = _reason(chosen, rejected, asked)
    return dump_messages(rejected[-1:]) if reason is None else json.dumps({BROKEN: reason})


def read_rejected(text: str) -> Message:
    """The rejected reply that `write_rejected` wrote. Raises BrokenPairError with the reason where there is none."""
    value = json.loads(text)
    if isinstance(value, dict):
        raise BrokenPairError(value[BROKEN])
    reply: Message = value[0]
    return reply


def prompts(dialogues: pd.Series) -> pd.Series:
    """What stands before the last turn of each dialogue, as JSON: pairs of one prompt belong into one part."""
    return dialogues.map(lambda text: dump_messages(load_messages(text)[:-1])).astype("str")


def _reason(chosen: list[Message], rejected: list[Message], asked: list[Message] | None) -> str | None:
    """Why two dialogues are no pair; None where they are one."""
    if any(side[-1]["role"] != "assistant" for side in (chosen, rejected)):
        return NO_REPLY
    if chosen[:-1] != rejected[:-1] or (asked is not None and asked != chosen[:-1]):
        return PROMPTS
    if not any(turn["role"] == "user" for turn in chosen[:-1]):
        return NO_PROMPT
    if any(_is_empty(side[-1]) for side in (chosen, rejected)):
        return EMPTY
    replies = [{key: value for key, value in side[-1].items() if key != "weight"} for side in (chosen, rejected)]
    return EQUAL if replies[0] == replies[1] else None


def _is_empty(reply: Message) -> bool:
    return not (reply.get("tool_calls") or (reply["content"] or "").strip())


def _count_broken(worse: list[str | None], where: str, notes: list[str]) -> None:
    reasons = {row: json.loads(cell)[BROKEN] for row, cell in enumerate(worse) if cell and cell.startswith("{")}
    for reason, count in Counter(reasons.values()).most_common():
        rows = [f"{row + 1:,}" for row, other in reasons.items() if other == reason]
        notes.append(f"{where}: {count:,} rows have {reason} (row {', '.join(rows[:EXAMPLES])}); `encode` drops them")
