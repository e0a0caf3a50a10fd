"""Calls of tools and their schemas, in the forms that data have them; OpenAI's form out."""

import json
from typing import Any

from ..errors import DataError
from .turn_keys import check_only, only_one

SEARCH = "search_hotels"
"""The tool that the hotel form's `search` turns call."""
ARGUMENTS = ("arguments", "parameters", "args", "input")
"""What the forms call a call's arguments."""
CALL_TYPES = (None, "function", "tool_call", "tool_use", "function_call")
"""What the forms call a call of a function."""
DECLARED = ("function_declarations", "functionDeclarations")
"""What Gemini's form calls a list of tools."""


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
    calls, older = turn.get("tool_calls"), turn.get("function_call")
    if isinstance(calls, str) and calls.strip():
        calls = parse_json(calls, f"{place}: tool_calls")
    if calls and older:
        raise DataError(f"{place}: calls both in tool_calls and in function_call; keep one of them")
    if not calls and older:
        calls = [parse_json(older, f"{place}: function_call") if isinstance(older, str) else older]
    if calls is not None and calls != "" and not isinstance(calls, list):
        raise DataError(f"{place}: tool_calls is {kind_of(calls)}; it must be a list of calls")
    return [read_call(call, place) for call in calls or []]


def written_calls(field: Any, place: str) -> list[Any]:
    """The calls of a ShareGPT function_call: an object with name and arguments, or a list of such, as JSON."""
    value = parse_json(field, f"{place}: the call") if isinstance(field, str) else field
    calls = value if isinstance(value, list) else [value]
    if not calls:
        raise DataError(f"{place}: a function_call without a call; leave the turn out")
    return [read_call(call, place) for call in calls]


def read_call(call: Any, place: str) -> Any:
    """One call in OpenAI's form; arguments written as JSON text become an object, an empty text and null the empty one.

    Raises DataError for what is no call, and for keys that nothing reads.
    """
    function = call.get("function", call) if isinstance(call, dict) else call
    if isinstance(call, dict) and isinstance(function, str):  # {"function": "f", "arguments": {…}}
        function = {"name": function, **{key: value for key, value in call.items() if key in ARGUMENTS}}
        call = {key: value for key, value in call.items() if key not in ARGUMENTS}
    if not isinstance(function, dict):
        raise DataError(f"{place}: a call is {kind_of(function)}; it must be an object with `name` and `arguments`")
    if call.get("type") not in CALL_TYPES:
        raise DataError(f"{place}: a call of type {call['type']!r} is not read; write it as one of type 'function'")
    name, arguments = function.get("name"), only_one(function, ARGUMENTS, place)
    if not isinstance(name, str) or not name.strip():
        raise DataError(f"{place}: a call without a name; `function.name` must say which tool it calls")
    own = {"name", *ARGUMENTS}
    check_only(call, {"id", "type", "function"} if function is not call else {"id", "type", *own}, place, f" of {name}")
    if function is not call:
        check_only(function, own, place, f" of {name}")
    if isinstance(arguments, str):
        arguments = parse_json(arguments, f"{place}: the arguments of {name}") if arguments.strip() else {}
    arguments = {} if arguments is None else arguments
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
    tools = [part for tool in given for part in _declared(tool)]
    return [_tool(tool, number) for number, tool in enumerate(tools, 1)]


def _declared(tool: Any) -> list[Any]:
    """The tools of an object that holds several, as Gemini's do; else the tool itself."""
    held = next((tool[key] for key in DECLARED if key in tool), None) if isinstance(tool, dict) else None
    return list(held) if isinstance(held, list) else [tool]


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
