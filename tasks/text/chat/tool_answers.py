"""What answers the calls of a saved dialogue model: the tables that lie next to it, read where it predicts.

tools.json names, for each tool that something answers, what does: {"kind": "table", …} with tools/NAME.jsonl, or
{"kind": "python", "entry": …}, which is never called here.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ...data.dialogues import hotels
from ...data.dialogues.calls import SEARCH
from ...data.dialogues.messages import Message
from ...data.dialogues.table_search import Column, Search, TableTool
from ...data.errors import DataError

FILE = "tools.json"
FOLDER = "tools"


@dataclass(frozen=True)
class Answers:
    """By name of a tool what answers it: a table, or a Python entry point that a chat may call."""

    tables: Mapping[str, TableTool] = field(default_factory=dict)
    entries: Mapping[str, str] = field(default_factory=dict)

    def message(self, function: Mapping[str, Any]) -> Message:
        """The tool message for a call; what the call does wrong is its content."""
        name = str(function["name"])
        try:
            result: Any = self._records_of(name, function["arguments"])
        except DataError as error:
            result = {"error": str(error)}
        return {"role": "tool", "name": name, "content": json.dumps(result, ensure_ascii=False)}

    def _records_of(self, name: str, arguments: Mapping[str, Any]) -> list[dict[str, Any]]:
        if name in self.entries:
            raise DataError(f"{name} is not allowed here; `temper chat --allow-tool {name}` lets it run")
        if name not in self.tables:
            raise DataError(f"there is no tool {name} that answers")
        return self.tables[name].search(arguments)


def load_answers(folder: Path) -> Answers:
    """Read tools.json and its tables, or the table of hotels; nothing where there is neither."""
    if (folder / hotels.TABLE).is_file():
        return Answers({SEARCH: hotels.read_hotels(folder / hotels.TABLE).tool})
    if not (folder / FILE).is_file():
        return Answers()
    saved: dict[str, dict[str, Any]] = json.loads((folder / FILE).read_text(encoding="utf-8"))
    tables = {
        name: TableTool(name, read_search(answer["search"]), _records(folder / table_file(name)))
        for name, answer in saved.items()
        if answer["kind"] == "table"
    }
    return Answers(tables, {name: answer["entry"] for name, answer in saved.items() if answer["kind"] == "python"})


def read_search(saved: Mapping[str, Any]) -> Search:
    """A Search from its fields as JSON has them."""
    columns = {name: Column(**column) for name, column in saved["columns"].items()}
    returns = None if saved["returns"] is None else tuple(saved["returns"])
    return Search(columns, returns, tuple(saved["order"]), saved["limit"], tuple(saved["required"]))


def table_file(tool: str) -> str:
    """Where the table of a tool lies in a model's folder."""
    return f"{FOLDER}/{tool}.jsonl"


def answer_files(folder: Path) -> tuple[str, ...]:
    """The files of a folder that answer calls, which travel with the model."""
    tables = sorted((folder / FOLDER).glob("*.jsonl"))
    names = [hotels.TABLE, FILE, *(str(path.relative_to(folder)) for path in tables)]
    return tuple(name for name in names if (folder / name).is_file())


def _records(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
