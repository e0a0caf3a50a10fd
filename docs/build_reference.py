"""The reference in docs/reference/, from the code: recipe keys, commands, settings, and the tags that MLflow keeps.

`make docs` writes it, and tests/test_reference.py compares what is committed.
"""

import ast
import inspect
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from configs.recipe_schema import docstrings, documented, recipe_schema
from configs.settings import Settings
from flows.cli import COMMANDS, HELP, load_command
from tasks.tracking import wire_format

FOLDER = Path(__file__).with_name("reference")
NOTE = "<!-- Written by `make docs` from the code; change the docstrings there. -->"
RECIPES = """A recipe is YAML with these sections, in the order of the pipeline. Keys without a default are required.
Keys that are not listed are refused, and so are keys that nothing would read in a recipe of its kind. `temper schema`
prints the same as JSON Schema."""
BOUNDS = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
PLAIN = {
    "integer": "whole number",
    "number": "number",
    "string": "text",
    "boolean": "true or false",
    "null": "nothing",
}
LONGEST = 60
"""Characters of a default that a table shows."""


def pages() -> dict[str, str]:
    """File name -> text of each page."""
    return {"recipe.md": recipe_page(), "commands.md": commands_page(), "settings.md": settings_page()}


def recipe_page() -> str:
    """Every key of a recipe, section by section."""
    schema = recipe_schema()
    parts = [f"# Recipe keys\n\n{NOTE}", RECIPES, _table(schema, schema)]
    done: set[str] = set()
    for name, section in schema["properties"].items():
        for place, definition in _places(schema, section, name, done):
            parts += _section(schema, place, definition)
    return "\n\n".join(parts) + "\n"


def _places(schema: Any, field: Any, place: str, done: set[str]) -> Iterator[tuple[str, Any]]:
    """Each definition below a field with the key where it stands first, outer ones before inner ones."""
    found = [name for name in _references(field) if name not in done]
    done.update(found)
    for name in found:
        yield place, schema["$defs"][name]
    for name in found:
        for key, inner in schema["$defs"][name].get("properties", {}).items():
            yield from _places(schema, inner, f"{place}.{key}", done)


def _references(field: Any) -> list[str]:
    """Names of the definitions that a field's schema leads to."""
    if isinstance(field, dict):
        here = [field["$ref"].rpartition("/")[2]] if "$ref" in field else []
        inner = [value for key, value in field.items() if key not in ("default", "discriminator")]
        return here + [name for value in inner for name in _references(value)]
    return [name for value in field for name in _references(value)] if isinstance(field, list) else []


def _section(schema: Any, place: str, definition: Any) -> list[str]:
    kind = definition.get("properties", {}).get("kind", {}).get("const")
    title = f"## `{place}`" + (f" of kind `{kind}`" if kind else "")
    return [title, _line(definition.get("description", "")), _table(schema, definition)]


def _table(schema: Any, definition: Any) -> str:
    lines = ["| key | type | default | meaning |", "|---|---|---|---|"]
    required = definition.get("required", [])
    for key, field in sorted(definition.get("properties", {}).items(), key=lambda one: one[0] not in required):
        default = "" if key in required else _default(field)
        lines.append(f"| `{key}` | {_cell(_type(schema, field))} | {_cell(default)} | "
                     f"{_cell(_line(field.get('description', '')))} |")  # fmt: skip
    return "\n".join(lines)


def _default(field: Any) -> str:
    if "default" not in field:
        return "empty"
    text = json.dumps(field["default"], ensure_ascii=False)
    return f"`{text}`" if len(text) <= LONGEST else "see its section"


def _type(schema: Any, field: Any) -> str:
    """A field's type in words."""
    if "$ref" in field:
        return _type(schema, schema["$defs"][field["$ref"].rpartition("/")[2]])
    if options := field.get("anyOf") or field.get("oneOf"):
        return " or ".join(dict.fromkeys(_type(schema, one) for one in options))
    if "const" in field or "enum" in field:
        return ", ".join(f"`{json.dumps(one) if not isinstance(one, str) else one}`"
                         for one in field.get("enum", [field.get("const")]))  # fmt: skip
    if field.get("type") == "array":
        inner = {_type(schema, one) for one in field.get("prefixItems", [field.get("items", {})])}
        return f"list of {' or '.join(sorted(inner))}"
    if field.get("type") == "object":
        kind = field.get("properties", {}).get("kind", {}).get("const")
        if "properties" in field:
            return f"`kind: {kind}`" if kind else "keys below"
        inner = field.get("additionalProperties")
        return f"names, each with {_type(schema, inner)}" if isinstance(inner, dict) else "keys"
    bounds = [f"{sign} {field[name]}" for name, sign in BOUNDS.items() if name in field]
    return " ".join([PLAIN.get(field.get("type", ""), "any value"), *bounds])


def commands_page() -> str:
    """Every command with its arguments and options."""
    parts = [f"# Commands\n\n{NOTE}", inspect.cleandoc(HELP)]
    for name in COMMANDS:
        command = load_command(name)
        parts += [f"## `temper {name}`", inspect.cleandoc(command.help or COMMANDS[name])]
        lines = [_parameter(one) for one in command.params if not getattr(one, "hidden", False) and one.name != "help"]
        if lines:
            parts.append("\n".join(["| argument or option | meaning |", "|---|---|", *lines]))
    return "\n\n".join(parts) + "\n"


def _parameter(one: Any) -> str:
    option = one.param_type_name == "option"
    shown = ", ".join([*one.opts, *one.secondary_opts]) if option else str(one.metavar or one.name).upper()
    return f"| `{_cell(shown)}` | {_cell(_line(getattr(one, 'help', None) or ''))} |"


def settings_page() -> str:
    """Settings of the process, and the tags that Temper writes to MLflow."""
    lines = ["| variable | default | meaning |", "|---|---|---|"]
    texts = docstrings(ast.parse(inspect.getsource(Settings)).body[0])
    for name, field in Settings.model_fields.items():
        variable = str(field.validation_alias or f"TEMPER_{name.upper()}")
        default = (
            "the project's folder" if name == "home" else f"`{field.default}`" if field.default is not None else ""
        )
        lines.append(f"| `{variable}` | {default} | {_cell(texts.get(name, ''))} |")
    tags = ["| tag | meaning |", "|---|---|"]
    tags += [f"| `{value}{'…' if value.endswith('.') else ''}` | {_cell(text)} |" for value, text in _tags()]
    return "\n\n".join([
        f"# Settings\n\n{NOTE}\n\nSettings are environment variables; no stage's key has them.", "\n".join(lines),
        "## Tags in MLflow", "What Temper writes on runs, versions and registered models.", "\n".join(tags),
    ]) + "\n"  # fmt: skip


def _tags() -> Iterator[tuple[str, str]]:
    """Each tag with the docstring below it in the module."""
    for statement, text in documented(ast.parse(inspect.getsource(wire_format)).body):
        value = statement.value if isinstance(statement, ast.Assign) else None
        if isinstance(value, ast.Constant) and str(value.value).startswith("temper."):
            yield str(value.value), text


def _line(text: str) -> str:
    return " ".join(text.split())


def _cell(text: str) -> str:
    return re.sub(r"(?<!\\)\|", r"\\|", text)


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for name, text in pages().items():
        (FOLDER / name).write_text(text, encoding="utf-8")
