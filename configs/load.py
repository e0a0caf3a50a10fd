"""YAML + overrides -> `Recipe`; every mistake is named with its file, line, key and the nearest valid key."""

import difflib
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import TypeAdapter, ValidationError

from .literal import complete
from .schema import Recipe
from .secrets import masked
from .validation_errors import Location, Places, complaints, dotted

WORDS = {"": None, "~": None, "null": None, "true": True, "false": False}
NUMBERS = (
    (re.compile(r"[-+]?(0|[1-9][0-9_]*)"), int),
    (re.compile(r"[-+]?([0-9][0-9_]*\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?"), float),
    (re.compile(r"[-+]?\.(inf|nan)"), lambda text: float(text.replace(".", ""))),
)
"""Plain scalars as in YAML 1.2: `no`, `on` and 2024-01-01 are words, 1e-3 is a number."""
DEEPEST = 20


class RecipeError(ValueError):
    """A recipe, an override or a command is wrong; nothing was started. What it quotes has no secrets in it."""

    def __init__(self, message: str) -> None:
        super().__init__(masked(message))


def load_recipe(path: Path, overrides: Sequence[str] = ()) -> Recipe:
    """Read one recipe. Raises RecipeError with one line per mistake."""
    if not path.is_file():
        known = {file.name: file for at in (Path(__file__).parent, path.parent) for file in at.glob("*.yaml")}
        near = difflib.get_close_matches(f"{path.stem}.yaml", known, 1, 0.5)
        raise RecipeError(f"{path}: no such recipe" + (f"; did you mean {known[near[0]]}?" if near else ""))
    values, lines = read_yaml(path)
    if not isinstance(values, dict):
        what = "empty" if values is None else "not a recipe"
        raise RecipeError(f"{path}: {what}; a recipe is a mapping of sections, such as `download:` and `train:`")
    changed: dict[Location, str] = {}
    for override in overrides:
        _override(values, changed, override)
    places = Places(path, lines, changed, values)
    try:
        recipe = TypeAdapter(Recipe).validate_python(values)
    except ValidationError as error:
        raise RecipeError("\n".join(complaints(error, places))) from None
    for at in _truths(values, complete(recipe), ()):
        raise RecipeError(f"{places.name(at)}: `{dotted(at)}`: expected a number, got true or false")
    return recipe


def read_yaml(path: Path) -> tuple[Any, dict[Location, int]]:
    """The value of a YAML or JSON file, and the line of each place in it. Raises RecipeError."""
    data = path.read_bytes()
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise RecipeError(f"{path}:{line}: byte 0x{data[error.start]:02x} is not UTF-8; save it as UTF-8") from None
    lines: dict[Location, int] = {}
    return parse(text, lambda line: f"{path}:{line}", lines), lines


def parse(text: str, where: Callable[[int], str], lines: dict[Location, int]) -> Any:
    """The value of a YAML text, every key a string; fills `lines` with the line of each place.

    Raises RecipeError for what is no YAML, and for what recipes do without: anchors, tags, keys that stand twice.
    """
    try:
        depth = 0
        for event in yaml.parse(text, Loader=yaml.SafeLoader):
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            _refuse(event, depth, where)
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        return None if node is None else _value(node, (), lines, where)
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise RecipeError(f"{where(line)}: not valid YAML: the character #x{error.character:04x}") from None
    except yaml.MarkedYAMLError as error:
        line = (mark.line if (mark := error.problem_mark) else 0) + 1
        expected = f"{error.context}, " if (error.context or "").startswith("expected") else ""
        raise RecipeError(f"{where(line)}: not valid YAML: {expected}{error.problem}") from None


def _refuse(event: Any, depth: int, where: Callable[[int], str]) -> None:
    named = "anchors and aliases" if getattr(event, "anchor", None) else "tags" if getattr(event, "tag", None) else ""
    if what := "so many levels" if depth > DEEPEST else named:
        raise RecipeError(f"{where(event.start_mark.line + 1)}: {what} are not allowed in a recipe")


def _value(node: yaml.Node, at: Location, lines: dict[Location, int], where: Callable[[int], str]) -> Any:
    if isinstance(node, yaml.MappingNode):
        values: dict[str, Any] = {}
        for key, value in node.value:
            line = key.start_mark.line + 1
            if not isinstance(key, yaml.ScalarNode):
                raise RecipeError(f"{where(line)}: a key must be one word")
            if key.value in values:
                raise RecipeError(f"{where(line)}: the key `{dotted((*at, key.value))}` stands twice")
            lines[(*at, key.value)] = line
            values[key.value] = _value(value, (*at, key.value), lines, where)
        return values
    if isinstance(node, yaml.SequenceNode):
        lines.update({(*at, index): item.start_mark.line + 1 for index, item in enumerate(node.value)})
        return [_value(item, (*at, index), lines, where) for index, item in enumerate(node.value)]
    return _plain(node.value) if getattr(node, "style", None) is None and len(node.value) < 100 else node.value


def _plain(text: str) -> Any:
    if text.lower() in WORDS:
        return WORDS[text.lower()]
    return next((number(text) for pattern, number in NUMBERS if pattern.fullmatch(text)), text)


def _override(values: dict[str, Any], changed: dict[Location, str], override: str) -> None:
    name, equals, text = override.partition("=")
    keys = tuple(name.strip().split("."))
    if not equals or not all(keys):
        raise RecipeError(f"override `{override}`: write it as section.key=value")
    value = parse(text, lambda line: f"override `{override}`", {})
    target = values
    for key in keys[:-1]:
        if target.get(key) is None:
            target[key] = {}
        target = target[key]
        if not isinstance(target, dict):
            raise RecipeError(f"override `{override}`: `{key}` is a value, not a section")
    target[keys[-1]] = value
    changed[keys] = override


def _truths(values: Any, loaded: Any, at: Location) -> Iterator[Location]:
    """Places where the recipe says true or false and a number was made of it."""
    if isinstance(values, dict) and isinstance(loaded, dict):
        for key in values.keys() & loaded.keys():
            yield from _truths(values[key], loaded[key], (*at, key))
    elif isinstance(values, list) and isinstance(loaded, list):
        for index, pair in enumerate(zip(values, loaded, strict=False)):
            yield from _truths(*pair, (*at, index))
    elif isinstance(values, bool) and isinstance(loaded, (int, float)) and not isinstance(loaded, bool):
        yield at
