"""A list of blocks (OpenAI's, Anthropic's, Gemini's) in; its text, thoughts, calls and results out."""

import json
from dataclasses import dataclass, field
from typing import Any

from ..errors import DataError
from .calls import kind_of
from .turn_keys import check_only, only_one

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
KEYS = {
    TEXT: ("text",),
    THOUGHTS: ("thinking",),
    CALL: ("id", "name", "input", "args"),
    RESULT: ("tool_use_id", "id", "name", "content", "response", "is_error"),
}
"""Keys that are read of each block."""
WRAPPED = {"functionCall": CALL, "function_call": CALL, "functionResponse": RESULT, "function_response": RESULT}
"""The one key of a block of Gemini's that holds it -> what it is."""
MEDIA = ("image", "image_url", "input_image", "video", "audio", "input_audio", "document", "file")
"""Blocks that are no text."""
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
    for given in content:
        block = _unwrapped(given, place)
        kind = _kind(block, place)
        check_only(block, {"type", *KEYS[kind]}, place, f" of a {kind} block")
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


def _unwrapped(block: Any, place: str) -> Any:
    """A block of Gemini's form, which has no type, as one that has; others as they are."""
    if not isinstance(block, dict):
        return block
    if "thought" in block and isinstance(block["thought"], bool):
        rest = {key: value for key, value in block.items() if key != "thought"}
        return {"type": THOUGHTS, "thinking": rest.pop("text", None), **rest} if block["thought"] else rest
    held = next((key for key in WRAPPED if block.get(key)), None)
    if held is None:
        return block
    check_only(block, {held}, place, " next to it")
    if not isinstance(block[held], dict):
        raise DataError(f"{place}: {held} is {kind_of(block[held])}; it must be an object with a name")
    return {"type": WRAPPED[held], **block[held]}


def _kind(block: Any, place: str) -> str:
    if isinstance(block, str):
        raise DataError(f'{place}: its content is a list of plain texts; write {{"type": "text", "text": …}} blocks')
    if not isinstance(block, dict):
        raise DataError(f"{place}: its content holds what is no block but {type(block).__name__}; write text blocks")
    named = block.get("type", "text" if "text" in block else None)
    if not isinstance(named, str) or named not in TYPES:
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
            arguments = only_one(block, ("input", "args"), place)
            blocks.calls.append({"name": block.get("name"), "arguments": arguments, "id": block.get("id")})
        case _:
            if block.get("is_error"):
                raise DataError(
                    f"{place}: is_error of a tool_result has no place in a message; write the error into "
                    "its content and leave the key out"
                )
            given = only_one(block, ("content", "response"), place)
            own = {"tool_call_id": only_one(block, ("tool_use_id", "id"), place), "name": block.get("name")}
            blocks.results.append({"content": result_text("" if given is None else given, place), **own})


def _string(block: dict[str, Any], key: str, place: str) -> str:
    if not isinstance(block.get(key), str):
        raise DataError(f"{place}: a {key} block without a text in {key!r}; fill it in or take the block out")
    return str(block[key])


def result_text(value: Any, place: str) -> str:
    """What a tool gave as text: texts and lists of text blocks as they are, anything else as JSON.

    Raises DataError for blocks that are no text, such as images.
    """
    if isinstance(value, str):
        return value
    blocks = value if isinstance(value, list) else []
    if blocks and all(_is_text(block) for block in blocks):
        return "".join(block["text"] for block in blocks)
    types = [str(block.get("type")) if isinstance(block, dict) else "" for block in blocks]
    odd = next((kind for kind in types if kind in MEDIA), None)
    if odd is not None and all(kind in MEDIA or kind in TYPES for kind in types):
        raise DataError(f"{place}: a tool's result holds a block of type {odd!r}, which is no text; take it out")
    return json.dumps(value, ensure_ascii=False)


def holds_results(content: Any) -> bool:
    """Whether a content is a list of results, as a turn of Gemini's role `function` has it."""
    return isinstance(content, list) and any(
        isinstance(block, dict) and any(WRAPPED[key] == RESULT and block.get(key) for key in WRAPPED)
        for block in content
    )


def _is_text(block: Any) -> bool:
    return isinstance(block, dict) and TYPES.get(str(block.get("type"))) == TEXT and isinstance(block.get("text"), str)
