"""The tools of a recipe in -> their definitions in OpenAI's form; what answers them is written next to the encoding."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from configs.settings import settings
from configs.tools import HotelTable, PythonAnswer, TableAnswer, Tool, ToolFile, require_other_names, require_schema

from ...data.dialogues import hotels
from ...data.dialogues.calls import read_tools
from ...data.dialogues.table_search import Column, Search
from ...data.dialogues.tool_tables import read_table, write_table
from ...data.errors import DataError, check_file
from .tool_answers import FILE, FOLDER, table_file

Definition = dict[str, Any]


def write_tools(tools: tuple[Tool, ...] | ToolFile | HotelTable | None, folder: Path) -> list[Definition]:
    """The definitions; tables and tools.json go into `folder`. Raises DataError."""
    match tools:
        case None:
            return []
        case HotelTable():
            path = hotels.demo_table() if tools.path is None else settings().source(tools.path)
            write_table(folder / hotels.TABLE, list(hotels.read_hotels(path).tool.records))
            return [hotels.tool_schema()]
        case ToolFile():
            return read_definitions(settings().source(tools.path))
    answers = {tool.name: _answer(tool, folder) for tool in tools if tool.answered_by is not None}
    if answers:
        (folder / FILE).write_text(json.dumps(answers, ensure_ascii=False, indent=1), encoding="utf-8")
    return [definition(tool.name, tool.description, tool.parameters) for tool in tools]


def definition(name: str, description: str, parameters: Any) -> Definition:
    """A tool in OpenAI's form: what a chat template and a server are given."""
    return {"type": "function", "function": {"name": name, "description": description, "parameters": parameters}}


def read_definitions(path: Path) -> list[Definition]:
    """A file with a list of tools. Raises DataError naming the tool that is none."""
    check_file(path)
    try:
        definitions: list[Definition] = read_tools(path.read_text(encoding="utf-8-sig"))
        require_other_names([tool["function"]["name"] for tool in definitions])
        for tool in definitions:
            require_schema(
                tool["function"].get("parameters", {"type": "object"}), f"parameters of {tool['function']['name']}"
            )
    except ValueError as error:
        raise DataError(f"{path.name}: {error}; fix the definition") from None
    return definitions


def _answer(tool: Tool, folder: Path) -> dict[str, Any]:
    """What tools.json states about a tool; its table is written."""
    match tool.answered_by:
        case TableAnswer() as answer:
            how = _search(tool, answer)
            (folder / FOLDER).mkdir(exist_ok=True)
            write_table(folder / table_file(tool.name), read_table(settings().source(answer.path), tool.name, how))
            return {"kind": answer.kind, "search": asdict(how)}
        case PythonAnswer() as answer:
            return {"kind": answer.kind, "entry": answer.entry}
    raise ValueError(f"nothing answers {tool.name}")


def _search(tool: Tool, answer: TableAnswer) -> Search:
    columns = {argument: Column(argument) for argument in tool.parameters.get("properties", {})}
    columns |= {
        argument: Column(filter_by.column or argument, filter_by.match, filter_by.at_least)
        for argument, filter_by in answer.filters.items()
    }
    return Search(columns, answer.returns, answer.order, answer.limit, tuple(tool.parameters.get("required", ())))
