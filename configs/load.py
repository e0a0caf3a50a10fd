"""YAML + overrides -> `Recipe`; every mistake is named with its file, line, key and the nearest valid key."""

import difflib
from collections.abc import Iterator, Sequence
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, get_args

import yaml
from pydantic import TypeAdapter, ValidationError

from .schema import Recipe

Location = tuple[str | int, ...]


class RecipeError(ValueError):
    """A recipe, an override or a command is wrong; nothing was started."""


def load_recipe(path: Path, overrides: Sequence[str] = ()) -> Recipe:
    """Read one recipe. Raises RecipeError with one line per mistake."""
    if not path.is_file():
        near = difflib.get_close_matches(path.name, [p.name for p in path.parent.glob("*.yaml")], 1, 0.5)
        hint = f"; did you mean {path.parent / near[0]}?" if near else ""
        raise RecipeError(f"{path}: no such recipe{hint}")
    values, lines = _read_yaml(path)
    changed: dict[Location, str] = {}
    for override in overrides:
        _override(values, changed, override)
    try:
        return TypeAdapter(Recipe).validate_python(values)
    except ValidationError as error:
        places = _Places(path, lines, changed, values)
        raise RecipeError("\n".join(_describe(item, places) for item in error.errors())) from None


def _read_yaml(path: Path) -> tuple[dict[str, Any], dict[Location, int]]:
    try:
        text = path.read_text(encoding="utf-8")
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except UnicodeDecodeError as error:
        raise RecipeError(f"{path}: not UTF-8 (byte {error.start}); save the recipe as UTF-8") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f":{mark.line + 1}" if mark else ""
        raise RecipeError(f"{path}{line}: not valid YAML: {getattr(error, 'problem', error)}") from None
    if not isinstance(node, yaml.MappingNode):
        raise RecipeError(f"{path}: a recipe is a mapping of sections, such as `download:` and `train:`")
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise RecipeError(f"{path}:{event.start_mark.line + 1}: anchors and aliases are not allowed")
    lines: dict[Location, int] = {}
    for location, line in _walk(path, node, ()):
        lines[location] = line
    try:
        loaded: dict[str, Any] = yaml.load(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line_number = mark.line + 1 if mark else 1
        raise RecipeError(f"{path}:{line_number}: {getattr(error, 'problem', error)}") from None
    return loaded, lines


def _walk(path: Path, node: yaml.Node, at: Location) -> Iterator[tuple[Location, int]]:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            here = (*at, key.value)
            yield here, key.start_mark.line + 1
            yield from _walk(path, value, here)
        names = [key.value for key, _ in node.value]
        for key, _ in node.value:
            if names.count(key.value) > 1:
                raise RecipeError(f"{path}:{key.start_mark.line + 1}: the key `{key.value}` stands twice")
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            yield (*at, index), value.start_mark.line + 1
            yield from _walk(path, value, (*at, index))


def _override(values: dict[str, Any], changed: dict[Location, str], override: str) -> None:
    name, equals, text = override.partition("=")
    keys = tuple(name.strip().split("."))
    if not equals or not all(keys):
        raise RecipeError(f"override `{override}`: write it as section.key=value")
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError:
        raise RecipeError(f"override `{override}`: {text!r} is not a YAML value") from None
    target = values
    for key in keys[:-1]:
        target = target.setdefault(key, {})
        if not isinstance(target, dict):
            raise RecipeError(f"override `{override}`: `{key}` is a value, not a section")
    target[keys[-1]] = value
    for end in range(1, len(keys) + 1):
        changed.setdefault(keys[:end], override)
    changed[keys] = override


class _Places:
    """Where a location stands: in which override, or on which line of which file."""

    def __init__(
        self, path: Path, lines: dict[Location, int], changed: dict[Location, str], values: dict[str, Any]
    ) -> None:
        self.path, self.lines, self.changed, self.values = path, lines, changed, values

    def real(self, location: Location) -> Location:
        """Drop the union tags that pydantic puts into a location."""
        kept: list[str | int] = []
        value: Any = self.values
        for index, part in enumerate(location):
            last = index == len(location) - 1
            if isinstance(value, dict) and part in value:
                value = value[part]
            elif isinstance(value, (list, tuple)) and isinstance(part, int) and part < len(value):
                value = value[part]
            elif isinstance(value, dict) and value.get("kind", "hash") == part:
                continue
            elif not last:
                continue
            kept.append(part)
        return tuple(kept)

    def name(self, location: Location) -> str:
        if location in self.changed:
            return f"override `{self.changed[location]}`"
        for end in range(len(location), 0, -1):
            if location[:end] in self.lines:
                return f"{self.path}:{self.lines[location[:end]]}"
        return str(self.path)


def _describe(item: Any, places: _Places) -> str:
    location = places.real(item["loc"])
    key = ".".join(map(str, location))
    where = places.name(location)
    if item["type"] in ("extra_forbidden", "unexpected_keyword_argument"):
        valid = _valid_keys(Recipe, item["loc"][:-1])
        near = difflib.get_close_matches(str(location[-1]), valid, 1, 0.6)
        hint = f"did you mean `{near[0]}`?" if near else f"valid keys: {', '.join(valid)}"
        return f"{where}: `{key}` is not a key; {hint}"
    if item["type"] in ("missing", "missing_argument"):
        return f"{where}: `{key}` is missing; add it"
    if item["type"] == "union_tag_not_found":
        return f"{where}: `{key}` needs a `kind`, one of {_tags(item)}"
    if item["type"] == "union_tag_invalid":
        return f"{where}: `{key}.kind` is {item['ctx']['tag']!r}, expected one of {_tags(item)}"
    message = item["msg"].removeprefix("Value error, ")
    given = f", got {item['input']!r}" if item["type"] != "value_error" and not is_dataclass(item["input"]) else ""
    return f"{where}: {f'`{key}`: ' if key else ''}{message[:1].lower()}{message[1:]}{given}"


def _tags(item: Any) -> str:
    return str(item["ctx"].get("expected_tags") or "the kinds in the documentation")


def _valid_keys(kind: Any, location: Location) -> list[str]:
    """Field names at a location, following dataclass fields and union tags."""
    for part in location:
        matches = [field.type for field in fields(kind) if field.name == part] if is_dataclass(kind) else []
        options = matches or [kind]
        kind = options[0]
        members = [m for m in _members(kind) if is_dataclass(m)]
        tagged = [m for m in members if part in _kinds(m)]
        kind = tagged[0] if tagged else (members[0] if len(members) == 1 else kind)
    return [field.name for field in fields(kind)] if is_dataclass(kind) else []


def _members(kind: Any) -> list[Any]:
    inner = [member for argument in get_args(kind) for member in _members(argument)]
    return inner or [kind]


def _kinds(member: Any) -> tuple[Any, ...]:
    return next((get_args(field.type) for field in fields(member) if field.name == "kind"), ())
