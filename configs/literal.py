"""Section -> the plain values that enter a key, so that adding an option to the schema changes no key.

A field is left out while it has the default with which it was introduced (`defaults.json`). A default that is
changed later therefore enters the key, and what was built under the old one is built anew.
"""

import json
from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from pathlib import Path
from typing import Any

from pydantic.fields import FieldInfo

DEFAULTS = Path(__file__).with_name("defaults.json")


def literal(value: Any) -> Any:
    """JSON-ready values of a section, without fields that still have their first default."""
    if is_dataclass(value) and not isinstance(value, type):
        first = first_defaults()
        found = {}
        for field in fields(value):
            plain = literal(getattr(value, field.name))
            name = f"{type(value).__name__}.{field.name}"
            origin = first[name] if name in first else current_default(field)
            if plain != origin or field.name == "kind":
                found[field.name] = plain
        return found
    if isinstance(value, (list, tuple)):
        return [literal(item) for item in value]
    if isinstance(value, dict):
        return {str(key): literal(item) for key, item in value.items()}
    return value


def complete(value: Any) -> Any:
    """All values of a section, defaults included, JSON-ready."""
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: complete(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, (list, tuple)):
        return [complete(item) for item in value]
    if isinstance(value, dict):
        return {str(key): complete(item) for key, item in value.items()}
    return value


@cache
def first_defaults() -> dict[str, Any]:
    """`Class.field` to the default with which the field was introduced."""
    loaded: dict[str, Any] = json.loads(DEFAULTS.read_text(encoding="utf-8"))
    return loaded


def current_default(field: Any) -> Any:
    """A dataclass field's default as it is now; NO_DEFAULT where it has none."""
    default = field.default
    if isinstance(default, FieldInfo):
        default = default.default_factory() if default.default_factory else default.default  # type: ignore[call-arg]
    if default is MISSING or type(default).__name__ == "PydanticUndefinedType":
        if field.default_factory is MISSING:
            return NO_DEFAULT
        default = field.default_factory()
    return literal(default)


class _NoDefault:
    """Equal to no value of a recipe."""


NO_DEFAULT = _NoDefault()
