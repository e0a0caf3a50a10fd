"""Calls of tools and their schemas, in the forms that data have them; OpenAI's form out."""

import json
from typing import Any

from ..errors import DataError

SEARCH = "search_hotels"
"""The tool that the hotel form's `search` turns call."""


def kind_of(value: Any) -> str:
    """What a value is, in the words of JSON."""
    names = {dict: "an object", list: "a list", str: "a text", type(None): "null", bool: "true or false"}
    return names.get(type(value), "a number" if isinstance(value, int | float) else type(value).__name__)


def parse_json(text: str, what: str) -> Any:
    """Parse JSON text. Raises DataError that says where it breaks off, and names Python's own spelling as such."""
    try:
        return json.loads(text)
    except ValueError as error:
        if text.lstrip().startswith(("[{'", "{'", "['")):
            raise DataError(
                f"{what} is written as Python prints it, with single quotes, not as JSON: "
                f"{text[:60]!r}; "
                "write it with json.dumps, or save JSON lines or Parquet"
            ) from None
        raise DataError(f"{what} is no JSON ({error}): {text[:60]!r}") from None
    except RecursionError:
        raise DataError(f"{what} is nested too deeply to be read: {text[:60]!r}") from None


def read_calls(turn: dict[str, Any], place: str) -> list[Any]:
    """The calls of an assistant's turn, in OpenAI's form or its older one of a single function."""
    calls = turn.get("tool_calls")
    if calls is None:
        calls = [turn["function_call"]] if turn.get("function_call") is not None else []
    if not isinstance(calls, list):
        raise DataError(f"{place}: tool_calls is {kind_of(calls)}; it must be a list of calls")
    return [read_call(call, place) for call in calls]


def written_calls(field: Any, place: str) -> list[Any]:
    """The calls of a ShareGPT function_call: an object with name and arguments, or a list of such, as JSON."""
    value = parse_json(field, f"{place}: the call") if isinstance(field, str) else field
    calls = value if isinstance(value, list) else [value]
    if not calls:
        raise DataError(f"{place}: a function_call without a call; leave the turn out")
    return [read_call(call, place) for call in calls]


def read_call(call: Any, place: str) -> Any:
    """One call in OpenAI's form; arguments written as JSON text become an object, an empty text the empty one."""
    function = call.get("function", call) if isinstance(call, dict) else call
    if not isinstance(function, dict):
        raise DataError(f"{place}: a call is {kind_of(function)}; it must be an object with `name` and `arguments`")
    name, arguments = function.get("name"), function.get("arguments")
    if not isinstance(name, str) or not name.strip():
        raise DataError(f"{place}: a call without a name; `function.name` must say which tool it calls")
    if isinstance(arguments, str):
        arguments = parse_json(arguments, f"{place}: the arguments of {name}") if arguments.strip() else {}
    if not isinstance(arguments, dict):
        raise DataError(f"{place}: the arguments of {name} are {kind_of(arguments)}; write an object, {{}} for none")
    read: dict[str, Any] = {"type": "function", "function": {"name": name, "arguments": arguments}}
    return read if call.get("id") is None else {"id": str(call["id"]), **read}


def read_tools(value: Any) -> list[Any]:
    """A dialogue's own tools as JSON schemas in OpenAI's form: a list, or JSON text of one; empty where none is given.

    Bare schemas and Anthropic's (`input_schema`) are put into that form. Raises DataError naming the tool.
    """
    given = parse_json(value, "tools") if isinstance(value, str) and value.strip() else value
    if given is None or given == "" or (isinstance(given, str) and not given.strip()):
        return []
    given = [given] if isinstance(given, dict) else given
    if not isinstance(given, list):
        raise DataError(f"tools is {kind_of(given)}; it must be a list of JSON schemas, or JSON text of one")
    return [_tool(tool, number) for number, tool in enumerate(given, 1)]


def _tool(tool: Any, number: int) -> Any:
    tool = parse_json(tool, f"tool {number}") if isinstance(tool, str) else tool
    function = tool.get("function", tool) if isinstance(tool, dict) else tool
    if not isinstance(function, dict) or not isinstance(function.get("name"), str) or not function["name"].strip():
        raise DataError(
            f'tool {number} has no name; a tool is {{"type": "function", "function": {{"name": …, '
            '"description": …, "parameters": {…}}}'
        )
    if function is tool:
        function = {key: part for key, part in tool.items() if key != "type"}
    if "input_schema" in function and "parameters" not in function:
        function = {("parameters" if key == "input_schema" else key): part for key, part in function.items()}
    return {"type": "function", "function": function}
