"""A table of dialogues -> what a dialogue model is asked: each dialogue up to the turn that it has to write."""

import json
import re
from dataclasses import dataclass
from typing import Any

import pandas as pd

from configs.load import RecipeError
from configs.sources import Columns

from ..data.dialogues.columns import PAIRS, prompt_columns, read_dialogues
from ..data.dialogues.messages import HOLDERS, SYSTEMS, TOOLS, Message, load_messages
from ..data.dialogues.turn_keys import TRAINED
from ..data.errors import DataError
from .inputs import Texts

ROW = "row"
"""Column with the number of a row, from 1, of a file that has no columns next to its dialogues."""
DUE = "the reply that is due"
"""Stands in the place of a reply that a row lacks."""
IGNORE = re.compile(r" with `download\.columns\.ignore: \[[^\]]*\]`")


@dataclass(frozen=True)
class Dialogues(Texts):
    """Histories of dialogues; `rows`: the file's columns that are no part of them. One that is too long for the model
    becomes a row with the reason."""

    batch: int = 64
    histories: tuple[list[Message], ...] = ()
    content = "messages"
    forgiving = True

    def given(self, start: int, stop: int) -> list[Any]:
        """Histories, as lists of messages."""
        return list(self.histories[start:stop])

    def ask(self, given: list[Any]) -> Any:
        """The histories as they are."""
        return given


def open_dialogues(table: Texts, column: str | None = None) -> Dialogues:
    """The dialogues of a table, read as a recipe's `download.columns` reads `messages`, or `prompt` where the column
    holds plain texts, each without its trailing assistant turns. `column`: None for `messages` or another usual name.

    Raises RecipeError where no column is called so, DataError naming the row for what cannot be read, or where nothing
    is left to reply to.
    """
    name = column or holder(table.rows) or table.column
    if not name:
        raise RecipeError(
            f"{table.where}: no column 'messages' among {list(table.rows.columns)}; name that of the dialogues with "
            "--column"
        )
    ignored = tuple(key for key in TRAINED if key in table.rows)
    notes: list[str] = []
    given, columns = table.rows, Columns(messages=name, ignore=ignored)
    if is_asked := _is_asked(given[name]):
        given, columns = _asked(given, name, ignored)
    try:
        texts = read_dialogues(given, columns, table.where, notes)
    except DataError as error:
        raise DataError(IGNORE.sub(" of the file", str(error))) from None
    histories = tuple(_history(text, f"{table.where}: row {number:,}") for number, text in enumerate(texts, 1))
    held = () if is_asked else (name,)  # a question stands next to its reply, a dialogue does not
    rows = table.rows.drop(columns=[key for key in (*held, *TOOLS, *SYSTEMS) if key in table.rows])
    if not rows.shape[1]:
        rows = pd.DataFrame({ROW: range(1, len(rows) + 1)}, index=rows.index)
    notes = [*table.notes, *notes]
    return Dialogues(table.path, rows, name, reading=table.reading, notes=tuple(notes), histories=histories)


def holder(rows: pd.DataFrame) -> str | None:
    """The column that is called as dialogues usually are; None where there is none."""
    return next((name for name in HOLDERS if name in rows), None)


def _is_asked(values: "pd.Series[Any]") -> bool:
    """Whether a column holds what a user says as plain texts, rather than dialogues as lists or their JSON."""
    there = values.dropna()
    return bool(len(there)) and not any(
        not isinstance(value, str) or value.lstrip().startswith(("[", "{")) for value in there
    )


def _asked(rows: pd.DataFrame, name: str, ignored: tuple[str, ...]) -> tuple[pd.DataFrame, Columns]:
    """Rows with a reply each, which the model is not given, and the columns of the prompt and of the reply."""
    replies = [reply for prompt, reply in PAIRS if prompt == name and reply in rows]
    reply = replies[0] if replies else DUE
    given = rows[reply].fillna(DUE) if replies else DUE
    prompt = prompt_columns(name, list(rows.columns))
    return rows.assign(**{reply: given}), Columns(prompt=prompt, completion=reply, ignore=ignored)


def reply_columns(message: Message) -> dict[str, str]:
    """A written turn as columns: its text, and its calls as JSON, [] where it has none."""
    calls = [call["function"] for call in message.get("tool_calls", ())]
    written = [{"name": call["name"], "arguments": call["arguments"]} for call in calls]
    return {"reply": message["content"] or "", "calls": json.dumps(written, ensure_ascii=False)}


def _history(text: Any, where: str) -> list[Message]:
    """The messages of a dialogue before the turns of the assistant that end it."""
    if not isinstance(text, str):
        raise DataError(f"{where}: no dialogue; fill or drop such rows")
    messages = load_messages(text)
    while messages and messages[-1]["role"] == "assistant":
        messages.pop()
    if not messages or messages[-1]["role"] == "system":
        raise DataError(
            f"{where}: no turn of a user or a tool to reply to; assistant turns at the end of a dialogue "
            "are not given to the model"
        )
    return messages
