"""YAML + overrides -> `Recipe`; every mistake is named with its file, line, key and the nearest valid key."""

import difflib
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, get_args

import yaml
from pydantic import TypeAdapter, ValidationError

from .literal import complete, members
from .schema import Recipe

Location = tuple[str | int, ...]
WORDS = {"": None, "~": None, "null": None, "true": True, "false": False}
NUMBERS = (
    (re.compile(r"[-+]?(0|[1-9][0-9_]*)"), int),
    (re.compile(r"[-+]?([0-9][0-9_]*\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?"), float),
    (re.compile(r"[-+]?\.(inf|nan)"), lambda text: float(text.replace(".", ""))),
)
"""Plain scalars as in YAML 1.2: `no`, `on` and 2024-01-01 are words, 1e-3 is a number."""
DEEPEST = 20


class RecipeError(ValueError):
    """A recipe, an override or a command is wrong; nothing was started."""


def load_recipe(path: Path, overrides: Sequence[str] = ()) -> Recipe:
    """Read one recipe. Raises RecipeError with one line per mistake."""
    if not path.is_file():
        known = {found.name: found for at in (Path(__file__).parent, path.parent) for found in at.glob("*.yaml")}
        near = difflib.get_close_matches(f"{path.stem}.yaml", known, 1, 0.5)
        raise RecipeError(f"{path}: no such recipe" + (f"; did you mean {known[near[0]]}?" if near else ""))
    values, lines = _read(path)
    changed: dict[Location, str] = {}
    for override in overrides:
        _override(values, changed, override)
    places = _Places(path, lines, changed, values)
    try:
        recipe = TypeAdapter(Recipe).validate_python(values)
    except ValidationError as error:
        raise RecipeError("\n".join(_complaints(error, places))) from None
    for at in _truths(values, complete(recipe), ()):
        raise RecipeError(f"{places.name(at)}: `{_dotted(at)}`: expected a number, got true or false")
    return recipe


def _read(path: Path) -> tuple[dict[str, Any], dict[Location, int]]:
    data = path.read_bytes()
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise RecipeError(f"{path}:{line}: byte 0x{data[error.start]:02x} is not UTF-8; save it as UTF-8") from None
    lines: dict[Location, int] = {}
    values = parse(text, lambda line: f"{path}:{line}", lines)
    if not isinstance(values, dict):
        what = "empty" if values is None else "not a recipe"
        raise RecipeError(f"{path}: {what}; a recipe is a mapping of sections, such as `download:` and `train:`")
    return values, lines


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
        found: dict[str, Any] = {}
        for key, value in node.value:
            line = key.start_mark.line + 1
            if not isinstance(key, yaml.ScalarNode):
                raise RecipeError(f"{where(line)}: a key must be one word")
            if key.value in found:
                raise RecipeError(f"{where(line)}: the key `{_dotted((*at, key.value))}` stands twice")
            lines[(*at, key.value)] = line
            found[key.value] = _value(value, (*at, key.value), lines, where)
        return found
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


@dataclass(frozen=True)
class _Places:
    """Where a location stands: in which override, or on which line of which file."""

    path: Path
    lines: dict[Location, int]
    changed: dict[Location, str]
    values: dict[str, Any]

    def real(self, item: Any) -> Location:
        """An error's location without the tags that pydantic puts in for unions and dictionary keys."""
        kept: list[str | int] = []
        value: Any = self.values
        for index, part in enumerate(item["loc"]):
            last = index == len(item["loc"]) - 1
            if isinstance(value, dict) and part in value:
                value = value[str(part)]
            elif isinstance(value, list) and isinstance(part, int) and part < len(value):
                value = value[part]
            elif not (last and item["type"] in ("missing", "missing_argument")):
                continue
            kept.append(part)
        return (*kept, "kind") if item["type"] == "union_tag_invalid" else tuple(kept)

    def name(self, at: Location, message: str = "") -> str:
        """The override that set this place, or else file and line, with the last override of something below.

        A message of a check across keys begins with the key that it blames, if that was given.
        """
        blamed = re.match(r"Value error, ([a-z_]+(?:\.[a-z_]+)*)", message)
        exact = (*at, *blamed[1].split(".")) if blamed else at
        at = exact if exact in self.lines or exact in self.changed else at
        over = max((place for place in self.changed if at[: len(place)] == place), key=len, default=None)
        if over is not None:
            return f"override `{self.changed[over]}`"
        below = next((override for place, override in self.changed.items() if place[: len(at)] == at), "")
        if below and at and at not in self.lines:
            return f"override `{below}`"
        known = next((at[:end] for end in range(len(at), 0, -1) if at[:end] in self.lines), None)
        line = f"{self.path}:{self.lines[known]}" if known else str(self.path)
        return f"{line} with override `{below}`" if below else line


WRONG_TYPE = ("literal_error", "tuple_type", "dict_type", "dataclass_type", "string_type", "list_type")
"""What a branch of a union says of a value that was meant for another."""


def _complaints(error: ValidationError, places: _Places) -> Iterator[str]:
    """One line per place."""
    found: dict[Location, list[Any]] = {}
    for item in error.errors():
        found.setdefault(places.real(item), []).append(item)
    for at, items in list(found.items()):  # of a union, the branch whose type fits is the one that was meant
        inside = any(other[: len(at)] == at and other != at for other in found)
        found[at] = [] if inside else [item for item in items if item["type"] not in WRONG_TYPE] or items
    found = {at: items for at, items in found.items() if items}
    for at, (item, *more) in found.items():
        said = _complaint(item, at)
        if more:  # a union of plain types complains once per type
            kinds = " or ".join(each["type"].partition("_")[0] for each in (item, *more))
            said = f"`{_dotted(at)}`: expected {kinds}, got {item['input']!r}"
        yield f"{places.name(at, item['msg'])}: {said}"


def _complaint(item: Any, at: Location) -> str:
    kind, key, given = item["type"], _dotted(at), item["input"]
    options = _options(item["loc"])
    if kind in ("extra_forbidden", "unexpected_keyword_argument"):
        owner = _options(item["loc"][:-1])[0]
        valid = [field.name for field in fields(owner)]
        chosen = "".join(f" of kind `{name}`" for name in _kinds(owner))
        return f"`{key}` is not a key{chosen}" + (_nearest(at[-1], valid) or f"; valid keys: {', '.join(valid)}")
    if kind in ("missing", "missing_argument"):
        return f"`{key}` is missing; add it"
    if kind in ("union_tag_not_found", "union_tag_invalid"):
        valid = [name for option in options for name in _kinds(option)]
        if kind == "union_tag_not_found":
            return f"`{key}` needs a `kind`, one of {', '.join(valid)}"
        tag = item["ctx"]["tag"]
        return f"`{key}`: expected one of {', '.join(valid)}, got {tag!r}{_nearest(tag, valid)}"
    message = re.sub(r"^Value error, |, (unable to parse|got a number with).*", "", item["msg"])
    if kind == "value_error":
        return f"`{key}`: {message}" if key else message
    if options:
        return f"`{key}`: expected keys below it, got {'nothing' if given is None else repr(given)}"
    message = message.replace("Input should be", "expected").replace("String should", "should")
    hint = "; put it in quotes" if kind == "string_type" and isinstance(given, (bool, int, float)) else ""
    hint = _nearest(given, re.findall(r"'([^']*)'", message)) if kind == "literal_error" else hint
    return f"`{key}`: {message}, got {given!r}{hint}"


def _nearest(word: object, valid: Sequence[str]) -> str:
    near = difflib.get_close_matches(str(word), valid, 1, 0.6)
    return f"; did you mean `{near[0]}`?" if near else ""


def _dotted(at: Location) -> str:
    return ".".join(map(str, at))


def _options(location: Location) -> list[Any]:
    """The dataclasses that may stand at one of pydantic's locations, union tags included."""
    options: list[Any] = [Recipe]
    for part in location:
        if isinstance(part, int):  # a place in a list, all of whose members are of the options
            continue
        named = re.sub(r"^function-\w+\[\w+\(\), (\w+)\]$", r"\1", part)  # a branch, behind its validator
        tagged = [option for option in options if named in (*_kinds(option), option.__name__)]
        owned = [field.type for option in options for field in fields(option) if field.name == part]
        options = tagged or [member for kind in owned[:1] for member in members(kind)]
    return options


def _kinds(member: Any) -> tuple[Any, ...]:
    return next((get_args(field.type) for field in fields(member) if field.name == "kind"), ())
