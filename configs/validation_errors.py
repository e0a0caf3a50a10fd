"""What pydantic finds wrong with a recipe -> one line per mistake: its place, its key and the nearest valid key."""

import difflib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, get_args, get_origin

from pydantic import ValidationError

from .literal import members
from .schema import Recipe

Location = tuple[str | int, ...]


@dataclass(frozen=True)
class Places:
    """Where a location stands: in which override, or on which line of which file."""

    path: Path
    lines: dict[Location, int]
    changed: dict[Location, str]
    values: dict[str, Any]
    root: Any = Recipe
    """The dataclass that the whole file is read as."""

    def real(self, item: Any) -> Location:
        """An error's location without the tags that pydantic puts in for unions and dictionary keys."""
        kept: list[str | int] = []
        value: Any = self.values
        entered: Any = None  # the mapping whose tag has gone by: the source of kind `url` has a key `url` too
        for index, part in enumerate(item["loc"]):
            last = index == len(item["loc"]) - 1
            if isinstance(value, dict) and part == value.get("kind") and value is not entered:
                entered = value
                continue
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
            return f"override `{dotted(over) if at[-1:] == TOKEN else self.changed[over]}`"
        below = next((override for place, override in self.changed.items() if place[: len(at)] == at), "")
        if below and at and at not in self.lines:
            return f"override `{below}`"
        known = next((at[:end] for end in range(len(at), 0, -1) if at[:end] in self.lines), None)
        line = f"{self.path}:{self.lines[known]}" if known else str(self.path)
        return f"{line} with override `{below}`" if below else line


TOKEN = ("token",)
"""Where a name belongs, and a token is pasted by mistake, which is not repeated."""
WRONG_TYPE = ("literal_error", "tuple_type", "dict_type", "dataclass_type", "string_type", "list_type")
"""What a branch of a union states about a value that was meant for another."""


def complaints(error: ValidationError, places: Places) -> Iterator[str]:
    """One line per place."""
    by_location: dict[Location, list[Any]] = {}
    for item in error.errors():
        by_location.setdefault(places.real(item), []).append(item)
    for at, items in list(by_location.items()):  # of a union, the branch whose type fits is the one that was meant
        inside = any(other[: len(at)] == at and other != at for other in by_location)
        by_location[at] = [] if inside else [item for item in items if item["type"] not in WRONG_TYPE] or items
    by_location = {at: items for at, items in by_location.items() if items}
    for at, (item, *more) in by_location.items():
        message = _complaint(item, at, places.root)
        if more:  # a union of plain types complains once per type
            kinds = " or ".join(each["type"].partition("_")[0] for each in (item, *more))
            message = f"`{dotted(at)}`: expected {kinds}, got {item['input']!r}"
        yield f"{places.name(at, item['msg'])}: {message}"


FEW = 8
"""Keys that are all named where none was given."""


def _complaint(item: Any, at: Location, root: Any) -> str:
    kind, key, given = item["type"], dotted(at), item["input"]
    options = _options(item["loc"], root)
    if kind in ("extra_forbidden", "unexpected_keyword_argument"):
        owner = _options(item["loc"][:-1], root)[0]
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
        keys = [field.name for option in options for field in fields(option)]
        named = f" ({', '.join(keys)})" if len(keys) <= FEW else ""
        return f"`{key}`: expected keys below it{named}, got {'nothing' if given is None else repr(given)}"
    if kind == "tuple_type":
        return f"`{key}`: expected a list in brackets, as [{given}], got {given!r}"
    message = message.replace("Input should be", "expected").replace("String should", "should")
    hint = "; put it in quotes" if kind == "string_type" and isinstance(given, (bool, int, float)) else ""
    hint = _nearest(given, re.findall(r"'([^']*)'", message)) if kind == "literal_error" else hint
    shown = "something else" if item["loc"][-1:] == TOKEN else repr(given)
    return f"`{key}`: {message}, got {shown}{hint}"


def _nearest(word: object, valid: Sequence[str]) -> str:
    near = difflib.get_close_matches(str(word), valid, 1, 0.6)
    return f"; did you mean `{near[0]}`?" if near else ""


def dotted(at: Location) -> str:
    """A location as a person writes it: `train.learning_rate`."""
    return ".".join(map(str, at))


def _options(location: Location, root: Any) -> list[Any]:
    """The dataclasses that may stand at one of pydantic's locations, union tags included."""
    options: list[Any] = [root]
    mapped = False
    for part in location:
        if isinstance(part, int) or part.startswith(("tuple[", "tagged-union[")) or mapped:
            mapped = False  # a place in a list or mapping, all of whose members are of the options
            continue
        named = re.sub(r"^function-\w+\[\w+\(\), (\w+)\]$", r"\1", part)  # a branch, behind its validator
        several = len(options) > 1  # else the tag has gone by, and a key may be called like it
        tagged = [option for option in options if named == option.__name__ or (several and named in _kinds(option))]
        owned = [field.type for option in options for field in fields(option) if field.name == part]
        options = tagged or [member for kind in owned[:1] for member in members(kind)]
        mapped = not tagged and bool(options) and get_origin(owned[0]) is dict
    return options


def _kinds(member: Any) -> tuple[Any, ...]:
    return next((get_args(field.type) for field in fields(member) if field.name == "kind"), ())
