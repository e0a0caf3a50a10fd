"""Section -> the plain values that enter a key, so that adding an option to the schema changes no key.

A field is left out while it has the default with which it was introduced (`defaults.json`). A default that is
changed later therefore enters the key, and what was built under the old one is rebuilt.

After adding a field with a default, run `python -m configs.literal`: it writes down what is missing and leaves
every older entry as it is.
"""

import json
from collections.abc import Iterator
from dataclasses import MISSING, fields, is_dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any, get_args

from pydantic.fields import FieldInfo

DEFAULTS = Path(__file__).with_name("defaults.json")


def literal(value: Any) -> Any:
    """JSON-ready values of a section, without fields that still have their first default."""
    if is_dataclass(value) and not isinstance(value, type):
        first = first_defaults()
        values = {}
        for field in fields(value):
            plain = literal(getattr(value, field.name))
            name = f"{type(value).__name__}.{field.name}"
            origin = first[name] if name in first else current_default(field)
            if plain != origin or field.name == "kind":
                values[field.name] = plain
        return values
    if isinstance(value, (list, tuple)):
        return [literal(item) for item in value]
    if isinstance(value, dict):
        return {str(key): literal(item) for key, item in value.items()}
    return value.isoformat() if isinstance(value, datetime) else value


def complete(value: Any) -> Any:
    """All values of a section, defaults included, JSON-ready."""
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: complete(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, (list, tuple)):
        return [complete(item) for item in value]
    if isinstance(value, dict):
        return {str(key): complete(item) for key, item in value.items()}
    return value.isoformat() if isinstance(value, datetime) else value


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


def members(kind: Any) -> list[Any]:
    """The dataclasses that a field's annotation names."""
    if is_dataclass(kind) and isinstance(kind, type):
        return [kind]
    return [member for argument in get_args(kind) for member in members(argument)]


def words(kinds: Any) -> list[str]:
    """The `kind` of each of the dataclasses that a union names and that need no other key."""
    return sorted(
        get_args(fields(section)[0].type)[0]
        for section in members(kinds)
        if all(current_default(field) is not NO_DEFAULT for field in fields(section)[1:])
    )


def unrecorded(root: Any) -> dict[str, Any]:
    """`Class.field` to the default as it is now, of every field below `root` that defaults.json does not have.

    Raises ValueError where two classes share a name, since their entries would be one.
    """
    known, unrecorded_keys = first_defaults(), {}
    kinds = list(dict.fromkeys(_reachable(root)))
    names = [kind.__name__ for kind in kinds]
    for kind in kinds:
        if names.count(kind.__name__) > 1:
            raise ValueError(f"two dataclasses are called {kind.__name__}; defaults.json distinguishes them by name")
        for field in fields(kind):
            name, default = f"{kind.__name__}.{field.name}", current_default(field)
            if default is not NO_DEFAULT and name not in known:
                unrecorded_keys[name] = default
    return unrecorded_keys


def _reachable(kind: Any) -> Iterator[Any]:
    yield kind
    for field in fields(kind):
        for member in members(field.type):
            yield from _reachable(member)


def record() -> list[str]:
    """Add what is missing to defaults.json; returns the names of the added fields."""
    from .schema import Recipe

    added = unrecorded(Recipe)
    if added:
        everything = json.dumps(first_defaults() | added, indent=1, sort_keys=True, ensure_ascii=False)
        DEFAULTS.write_text(everything + "\n", encoding="utf-8")
        first_defaults.cache_clear()
    return sorted(added)


class _NoDefault:
    """Equal to no value of a recipe."""


NO_DEFAULT = _NoDefault()

if __name__ == "__main__":
    print("\n".join(record()) or "every default is recorded")
