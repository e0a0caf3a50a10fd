"""A file of tools -> `Tool`s, for a chat: what a recipe has below `encode.tools`, or OpenAI's definitions."""

from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError, model_validator
from pydantic.dataclasses import dataclass

from .fields import STRICT
from .load import RecipeError, read_yaml
from .tools import Tool, require_other_names
from .validation_errors import Places, complaints


@dataclass(frozen=True, kw_only=True, config=STRICT)
class ToolList:
    """What a file of tools holds."""

    tools: tuple[Tool, ...]
    """The tools, as `encode.tools` of a recipe lists them."""

    @model_validator(mode="after")
    def _distinct(self) -> "ToolList":
        require_other_names([tool.name for tool in self.tools])
        return self


def load_tools(path: Path) -> tuple[Tool, ...]:
    """The tools of a YAML or JSON file: a list of them, or one below `tools:`. Raises RecipeError, a line per mistake.

    A definition in OpenAI's form, {"type": "function", "function": {...}}, is a tool that nothing answers.
    """
    values, lines = read_yaml(path)
    if isinstance(values, list):
        values, lines = {"tools": values}, {("tools", *at): line for at, line in lines.items()}
    if not isinstance(values, dict) or not values.get("tools"):
        raise RecipeError(f"{path}: no tools; write a list of them, each with name, description and parameters")
    if isinstance(values["tools"], list):
        values = {**values, "tools": [_bare(tool) for tool in values["tools"]]}
    try:
        return TypeAdapter(ToolList).validate_python(values).tools
    except ValidationError as error:
        raise RecipeError("\n".join(complaints(error, Places(path, lines, {}, values, ToolList)))) from None


def _bare(tool: Any) -> Any:
    """A tool without the wrapping of OpenAI's form."""
    inside = tool.get("function") if isinstance(tool, dict) and tool.get("type", "function") == "function" else None
    return inside if isinstance(inside, dict) else tool
