"""The JSON Schema of recipes, from the types that read them: completion and hover texts in editors.

It knows each key, its type, its default and its docstring. What keys ask of one another `temper plan` checks.
"""

import ast
import json
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue

from .schema import Recipe

FILE = Path(__file__).with_name("recipe.schema.json")
"""The schema as it is committed, which the recipes next to it name in their first line."""


class _Generator(GenerateJsonSchema):
    """Pydantic's generator, without the titles that repeat each key."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False

    def generate(self, schema: Any, mode: Any = "validation") -> JsonSchemaValue:
        return {"$schema": self.schema_dialect, **super().generate(schema, mode)}


def recipe_schema() -> dict[str, Any]:
    """The schema, by JSON Schema 2020-12."""
    schema = TypeAdapter(Recipe).json_schema(schema_generator=_Generator)
    classes = dict(_classes())
    for name, section in [(Recipe.__name__, schema), *schema["$defs"].items()]:
        fields = section.get("properties", {})
        for key, field in fields.items():
            if text := _description(classes, name, key):
                fields[key] = dict(sorted({**field, "description": text}.items()))
    return schema


def schema_text() -> str:
    """The schema as it stands in a file."""
    return json.dumps(recipe_schema(), indent=1, ensure_ascii=False) + "\n"


def modeline(recipe: Path) -> str:
    """The line of a recipe by which editors find the schema: next to it, else where Temper is installed."""
    in_same_folder = recipe.absolute().parent == FILE.parent
    return f"# yaml-language-server: $schema={FILE.name if in_same_folder else FILE}"


def _description(classes: dict[str, tuple[dict[str, str], list[str]]], name: str, key: str) -> str | None:
    """The docstring of a field, from the class that declares it. Pydantic would read them too, but whenever a recipe's
    types are loaded, which takes a third of that time, and without those of inherited fields."""
    fields, bases = classes.get(name, ({}, []))
    return fields.get(key) or next((text for base in bases if (text := _description(classes, base, key))), None)


def _classes() -> Iterator[tuple[str, tuple[dict[str, str], list[str]]]]:
    """Per class of configs/: the docstrings of its fields, and its bases."""
    for path in sorted(Path(__file__).parent.glob("*.py")):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef):
                yield node.name, (docstrings(node), [base.id for base in node.bases if isinstance(base, ast.Name)])


def docstrings(node: ast.ClassDef) -> dict[str, str]:
    """The docstring of each field of a class that has one."""
    return {
        field.target.id: text
        for field, text in documented(node.body)
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name)
    }


def documented(body: Sequence[ast.stmt]) -> Iterator[tuple[ast.stmt, str]]:
    """The statements that have a docstring behind them, with that text on one line."""
    for before, after in pairwise(body):
        text = after.value.value if isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant) else None
        if isinstance(text, str):
            yield before, " ".join(text.split())


if __name__ == "__main__":
    FILE.write_text(schema_text(), encoding="utf-8")
