"""The tools that a chat brings along (`temper chat --tools FILE`): their definitions, and what answers their calls."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from configs.tool_file import load_tools

from ...data.errors import check_file
from .recipe_tools import write_tools
from .tool_answers import Answers, load_answers


def open_tools(path: Path) -> tuple[list[dict[str, Any]], Answers]:
    """A file's tools in OpenAI's form, and what answers them. Raises RecipeError or DataError."""
    check_file(path)
    with TemporaryDirectory() as folder:
        return write_tools(load_tools(path), Path(folder)), load_answers(Path(folder))
