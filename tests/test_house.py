"""Files and functions keep within their limits, so that each can be read at once."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FILE, FUNCTION = 250, 50
"""Lines of a file, and of a function with its signature and docstring."""
EXEMPT: dict[str, str] = {}
"""By `file` or `file:function` why it may be longer."""


def too_long(folder: Path) -> Iterator[str]:
    """Each file and function below `folder` that is over its limit, as `file` or `file:function`."""
    for path in sorted(folder.rglob("*.py")):
        name, source = path.relative_to(folder).as_posix(), path.read_text(encoding="utf-8")
        if len(source.splitlines()) > FILE:
            yield name
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and length(node) > FUNCTION:
                yield f"{name}:{node.name}"


def length(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    return (node.end_lineno or 0) - node.lineno + 1


def test_files_and_functions_are_short() -> None:
    found = {f"{room}/{name}" for room in ("flows", "tasks", "configs") for name in too_long(ROOT / room)}
    assert found == set(EXEMPT)


@pytest.mark.parametrize(
    ("source", "seen"),
    [
        ("x = 1\n" * 251, ["long.py"]),
        ("x = 1\n" * 250, []),
        ("class A:\n    async def grow(self):\n" + "        x = 1\n" * 50, ["long.py:grow"]),
        ("def grow():\n" + "    x = 1\n" * 49, []),
    ],
)
def test_what_is_over_a_limit_is_seen(tmp_path: Path, source: str, seen: list[str]) -> None:
    (tmp_path / "long.py").write_text(source, encoding="utf-8")
    assert list(too_long(tmp_path)) == seen


MOST = 180
"""Lines that say `dict[str, Any]`: less than half of what they were. What is left holds data of others: parsed JSON and
YAML, messages and schemas of tools, a library's options, the report that each kind adds to. What our own functions hand
to one another is a dataclass or a TypedDict."""


def test_few_dictionaries_of_anything_are_handed_on() -> None:
    paths = [path for room in ("flows", "tasks", "configs") for path in (ROOT / room).rglob("*.py")]
    lines = [line for path in paths for line in path.read_text(encoding="utf-8").splitlines()]
    assert sum("dict[str, Any]" in line for line in lines) <= MOST
