"""A recipe's file with other values in it: every character that need not change stays, remarks and layout too."""

import json
import os
import re
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import yaml


def save(path: Path, text: str, expected: Mapping[str, Any], wanted: str) -> None:
    """Write the file in one step, and only if the recipe in it is the expected one (as of `literal.complete`).

    wanted: the values, for the message. Raises RecipeError.
    """
    from configs.literal import complete
    from configs.load import RecipeError, load_recipe

    aside = path.with_name(f".{path.name}.new")
    try:
        with aside.open("w", encoding="utf-8", newline="") as handle:
            handle.write(text)
            handle.flush()
            os.fsync(handle.fileno())
        try:
            written = complete(load_recipe(aside))
        except RecipeError:
            written = None
        if written != expected:
            raise RecipeError(f"{path}: cannot be edited without changing something else; write into it {wanted}")
        shutil.copymode(path, aside)
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)


def with_values(path: Path, overrides: Sequence[str], remark: str) -> None:
    """Write changes (section.key=value) into a recipe's file, each with the remark behind it. Raises RecipeError."""
    from configs.literal import complete
    from configs.load import load_recipe

    expected = complete(load_recipe(path, overrides))
    text = path.read_bytes().decode()
    for override in overrides:
        key, _, value = override.partition("=")
        text = _edited(text, key.split("."), value, remark)
    save(path, text, expected, ", ".join(overrides))


def _edited(text: str, keys: list[str], value: str, remark: str) -> str:
    """The YAML text with this value, JSON of one line, at these keys."""
    import yaml

    node: Any = yaml.compose(text, Loader=yaml.SafeLoader)
    missing, parent = list(keys), node
    while missing and isinstance(node, yaml.MappingNode):
        entries = {key.value: (key, child) for key, child in node.value}
        if missing[0] not in entries:
            break
        parent, (_, node) = node, entries[missing.pop(0)]
    if not missing:
        return _replaced(text, node, value, "" if parent.flow_style else remark)
    if not isinstance(node, yaml.MappingNode):  # `lora: null` becomes a section
        return _replaced(text, node, _nested(missing, value), remark)
    return _inserted(text, node, missing, value, remark)


def _nested(keys: Sequence[str], value: str) -> str:
    for key in reversed(keys):
        value = f"{{{json.dumps(key)}: {value}}}"
    return value


def _replaced(text: str, node: "yaml.Node", value: str, remark: str) -> str:
    stop = _stop(text, node)
    behind = f"  # {remark}" if remark and not rest_of_line(text, stop)[0].strip() else ""
    before = text[: node.start_mark.index]
    if not before.rpartition("\n")[2].strip() and before.rstrip().endswith(":"):
        before = before.rstrip() + " "  # a list may stand no deeper than its key, a value of one line may not
    return before + value + behind + text[stop:]


def _stop(text: str, node: "yaml.Node") -> int:
    """Where a node ends, without the empty lines and remarks that YAML counts to a block."""
    start = node.start_mark.index
    lines = text[start : node.end_mark.index].splitlines(keepends=True)
    while len(lines) > 1 and (not lines[-1].strip() or lines[-1].strip().startswith("#")):
        lines.pop()
    return start + len("".join(lines).rstrip())


def rest_of_line(text: str, at: int) -> re.Match[str]:
    """What stands in a line from this place on."""
    rest = re.compile(r"[^\r\n]*").match(text, at)
    assert rest is not None
    return rest


def _inserted(text: str, node: "yaml.MappingNode", keys: Sequence[str], value: str, remark: str) -> str:
    """A new key at the end of a mapping."""
    key, last = node.value[-1]
    if node.flow_style:
        stop = last.end_mark.index
        return text[:stop] + f", {keys[0]}: {_nested(keys[1:], value)}" + text[stop:]
    end = rest_of_line(text, _stop(text, last)).end()
    newline = "\r\n" if "\r\n" in text else "\n"
    line = f"{newline}{' ' * key.start_mark.column}{keys[0]}: {_nested(keys[1:], value)}  # {remark}"
    return text[:end] + line + text[end:]
