"""A content that is a list of blocks (OpenAI's, Anthropic's) in; its text, thoughts, calls and results out."""

import json
from dataclasses import dataclass, field
from typing import Any

from ..errors import DataError

TEXT, THOUGHTS, CALL, RESULT = "text", "thinking", "tool_use", "tool_result"
TYPES = {
    "text": TEXT,
    "input_text": TEXT,
    "output_text": TEXT,
    "thinking": THOUGHTS,
    "tool_use": CALL,
    "tool_result": RESULT,
}
"""What the forms call a block -> what it is."""
ORDER = {"assistant": (THOUGHTS, TEXT, CALL), "user": (RESULT, TEXT), "system": (TEXT,), "tool": (TEXT,)}
"""Blocks that a turn of each role may hold, in the order in which one message can hold them."""


@dataclass
class Blocks:
    """What a content holds; calls as {name, arguments, id}, results as {content, tool_call_id}."""

    text: str = ""
    thoughts: str = ""
    calls: list[Any] = field(default_factory=list)
    results: list[Any] = field(default_factory=list)


def read_blocks(content: list[Any], role: str, place: str) -> Blocks:
    """Read the blocks of a turn. Raises DataError for a type that cannot be trained on, and for another order."""
    blocks, last = Blocks(), ""
    for block in content:
        kind = _kind(block, place)
        allowed = ORDER[role]
        if kind not in allowed:
            raise DataError(
                f"{place}: a {block.get('type')} block in a turn of role {role}, which holds "
                f"{' and '.join(allowed)} blocks; take it out or give it its own turn"
            )
        if last and allowed.index(kind) < allowed.index(last):
            raise DataError(
                f"{place}: a {kind} block behind a {last} block; one message holds "
                f"{', then '.join(allowed)}, so split the turn there"
            )
        _add(blocks, kind, block, place)
        last = kind
    return blocks


def _kind(block: Any, place: str) -> str:
    if isinstance(block, str):
        raise DataError(f'{place}: its content is a list of plain texts; write {{"type": "text", "text": …}} blocks')
    if not isinstance(block, dict):
        raise DataError(f"{place}: its content holds what is no block but {type(block).__name__}; write text blocks")
    named = block.get("type", "text" if "text" in block else None)
    if named not in TYPES:
        raise DataError(
            f"{place}: its content holds a block of type {named!r}, which cannot be trained on; blocks are "
            f"{', '.join(TYPES)}: take it out, or leave such rows out"
        )
    return TYPES[named]


def _add(blocks: Blocks, kind: str, block: dict[str, Any], place: str) -> None:
    match kind:
        case "text":
            blocks.text += _string(block, "text", place)
        case "thinking":
            blocks.thoughts += _string(block, "thinking", place)
        case "tool_use":
            blocks.calls.append({"name": block.get("name"), "arguments": block.get("input"), "id": block.get("id")})
        case _:
            if block.get("is_error"):
                raise DataError(
                    f"{place}: is_error of a tool_result has no place in a message; write the error into "
                    "its content and leave the key out"
                )
            blocks.results.append(
                {"content": result_text(block.get("content", "")), "tool_call_id": block.get("tool_use_id")}
            )


def _string(block: dict[str, Any], key: str, place: str) -> str:
    if not isinstance(block.get(key), str):
        raise DataError(f"{place}: a {key} block without a text in {key!r}; fill it in or take the block out")
    return str(block[key])


def result_text(value: Any) -> str:
    """What a tool gave as text: texts and lists of text blocks as they are, anything else as JSON."""
    if isinstance(value, str):
        return value
    if isinstance(value, list) and value and all(_is_text(block) for block in value):
        return "".join(block["text"] for block in value)
    return json.dumps(value, ensure_ascii=False)


def _is_text(block: Any) -> bool:
    return isinstance(block, dict) and TYPES.get(str(block.get("type"))) == TEXT and isinstance(block.get("text"), str)
