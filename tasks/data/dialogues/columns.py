"""A table with dialogues -> each dialogue as canonical JSON, with its tools and the system text next to it."""

import re
from collections import Counter
from collections.abc import Collection
from typing import Any

import pandas as pd

from configs.columns import Columns

from ..errors import DataError
from .calls import kind_of, parse_json
from .messages import SYSTEMS, TOOLS, Message, as_plain, dump_messages, read_messages
from .turn_keys import ROLES, UNSUPPORTED, check_unsupported

PAIRS = (
    ("prompt", "completion"),
    ("instruction", "output"),
    ("instruction", "response"),
    ("question", "answer"),
    ("prompt", "response"),
)
"""Names of columns with what is asked and what is replied."""
BETWEEN = "\n\n"
"""Between the columns of a prompt."""
SPELT_MESSAGES = re.compile(rf"""\s*\[\s*\{{.*?["'](?:role|from)["']\s*:\s*["'](?:{"|".join(ROLES)})["']""", re.DOTALL)
"""A list of messages as text: as JSON, or as Python prints it."""


def prompt_columns(prompt: str, names: Collection[str]) -> str | tuple[str, ...]:
    """The column with what is asked, and of an instruction its `input` where the table has one."""
    return (prompt, "input") if prompt == "instruction" and "input" in names else prompt


OWN_REPLY = "completion"
"""That a dialogue ends in the reply that `columns.completion` names."""


def read_dialogues(
    table: pd.DataFrame, columns: Columns, where: str, notes: list[str], *, reply: str | None = OWN_REPLY
) -> pd.Series:
    """The dialogue of each row; null where there is none. What is left out is counted in `notes`. reply: the column
    with the dialogue's last turn, in place of columns.completion; None for the prompt alone.

    Columns `tools`, `functions`, `system` and `system_prompt` belong to the dialogue, unless the recipe names or
    ignores them. Raises DataError naming the row, the fault and the fix.
    """
    tools = _names(table, columns, (columns.tools,) if columns.tools else TOOLS)
    system = _names(table, columns, (columns.system,) if columns.system else SYSTEMS)
    left: Counter[str] = Counter({name: len(table) if name in table else 0 for name in columns.ignore})
    odd = [name for name in _names(table, columns, UNSUPPORTED) if name not in (columns.tools, columns.system)]
    end = columns.completion if reply == OWN_REPLY else reply
    held = [name for name in (columns.messages, *columns.prompts, end) if name]
    cells = {name: table[name].tolist() for name in dict.fromkeys([*held, *tools, *system, *odd])}
    notes += [note for note in _unread(table, columns, cells) if note not in notes]
    dialogues: list[str | None] = []
    for number in range(len(table)):
        row = {name: _value(values[number]) for name, values in cells.items()}
        place = f"{where}: row {number + 1}"
        check_unsupported({name: row[name] for name in odd}, place)
        try:
            value = _dialogue(row, columns, end)
            extra_keys = {"tools": _only_value(row, tools), "system": _only_value(row, system)}
            dialogues.append(
                None
                if value is None
                else dump_messages(read_messages(value, **extra_keys, ignore=columns.ignore, left=left))
            )
        except DataError as error:
            raise DataError(f"{place}: {error}") from None
    if left:
        notes.append("left out of dialogues: " + ", ".join(f"{key} ({count:,} times)" for key, count in left.items()))
    return pd.Series(dialogues, index=table.index, dtype="str")


def _names(table: pd.DataFrame, columns: Columns, names: tuple[str, ...]) -> list[str]:
    """Those of the columns that are there, and neither ignored nor named for something else."""
    held = {columns.messages, *columns.prompts, columns.completion, columns.chosen, columns.rejected}
    return [name for name in names if name in table and name not in {*columns.ignore, *columns.named, *held}]


def _unread(table: pd.DataFrame, columns: Columns, read: Collection[str]) -> list[str]:
    """Columns that nothing reads, in words for the notes; none where the recipe names or ignores all."""
    pairs = (columns.chosen, columns.rejected)
    known = {*read, *pairs, *columns.keep, *columns.ignore, *columns.named, columns.completion}
    unread = [str(name) for name in table if name not in known]
    return [f"columns next to dialogues that are not read: {', '.join(unread)}"] if unread else []


def _dialogue(row: dict[str, Any], columns: Columns, end: str | None) -> Any:
    """The dialogue in a row, or a turn of the user and one of the assistant; None where the row has none.

    end: the column with its last turn, or with the whole dialogue where there is no prompt, or it begins with one.
    """
    if columns.messages is not None:
        return row[columns.messages]
    reply = [] if end is None else row[end]
    if not columns.prompts or _is_whole(reply):
        return reply
    asked = [row[name] for name in columns.prompts if not _is_empty(row[name])]
    if reply is None or not asked:
        return None
    if len(asked) == 1:
        return [*_turns(asked[0], "user", "the prompt"), *_turns(reply, "assistant", "the reply")]
    if odd := next((value for value in asked if not isinstance(value, str)), None):
        raise DataError(f"the prompt holds {type(odd).__name__}; several columns of a prompt are texts")
    return [{"role": "user", "content": BETWEEN.join(asked)}, *_turns(reply, "assistant", "the reply")]


def _turns(value: Any, role: str, what: str) -> list[Message]:
    """A text as a turn of this role; messages, or one message, as they are; a list of messages also as JSON text."""
    value = as_plain(value)
    if isinstance(value, str) and SPELT_MESSAGES.match(value):
        value = parse_json(value, what)
    if isinstance(value, str):
        return [{"role": role, "content": value}]
    if isinstance(value, dict) and ("role" in value or "from" in value):
        return [value]
    if not isinstance(value, list):
        raise DataError(f"{what} is {kind_of(value)}; write a text or a list of messages")
    return value


def _is_whole(reply: Any) -> bool:
    """Whether a reply is a list of turns that begins before the assistant's."""
    turns = _turns(reply, "assistant", "the reply") if isinstance(reply, str) else as_plain(reply)
    first = turns[0] if isinstance(turns, list) and turns else None
    return isinstance(first, dict) and ROLES.get(str(first.get("role") or first.get("from"))) in ("system", "user")


def _only_value(row: dict[str, Any], names: list[str]) -> Any:
    """What the row has in these columns, of which one may have a value. Raises DataError."""
    given = {name: row[name] for name in names if not _is_empty(row[name])}
    if len(given) > 1:
        raise DataError(f"the columns {' and '.join(given)} both have a value; ignore one of them")
    return next(iter(given.values()), None)


def _is_empty(value: Any) -> bool:
    return value is None or (hasattr(value, "__len__") and len(value) == 0)


def _value(value: Any) -> Any:
    """A cell; None where it is missing."""
    return None if value is pd.NA or (isinstance(value, float) and value != value) else value
