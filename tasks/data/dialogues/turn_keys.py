"""Keys of a message: those that are read, those that say nothing about training, and what is trained by them."""

from collections import Counter
from collections.abc import Collection, Mapping
from typing import Any

from ..errors import DataError

CONTENTS = ("content", "value", "text", "parts")
"""What the forms call a content."""
THOUGHTS = ("reasoning_content", "thinking", "reasoning")
"""What the forms call the thoughts before a content."""
WEIGHTS = ("weight", "train", "loss_mask")
"""Keys that say whether a turn is trained: 1 or true, 0 or false."""
ROLES = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "human": "user",
    "assistant": "assistant",
    "gpt": "assistant",
    "chatgpt": "assistant",
    "model": "assistant",
    "ai": "assistant",
    "bot": "assistant",
    "function_call": "call",
    "tool_call": "call",
    "search": "call",
    "tool": "tool",
    "ipython": "tool",
    "tool_response": "tool",
    "tool_result": "tool",
    "function": "tool",
    "observation": "tool",
    "return": "tool",
    "function_call_output": "tool",
}
"""What the forms call a role -> system, user, assistant, tool, or call (an assistant's turn that only calls)."""
CHECKED = frozenset({"role", "from", "type", *THOUGHTS, *WEIGHTS})
"""Keys that any turn may have, each with checks of its own."""
GIVEN = frozenset({*CONTENTS, "name", "tool_calls", "function_call", "tool_call_id"})
READ = {
    "system": GIVEN,
    "user": GIVEN,
    "assistant": frozenset({*CONTENTS, "name", "tool_calls", "function_call"}),
    "call": frozenset({*CONTENTS, "name"}),
    "item": frozenset({"name", "arguments", "call_id"}),
    "search": frozenset({"arguments"}),
    "results": frozenset(CONTENTS),
    "tool": frozenset({*CONTENTS, "name", "tool_call_id", "call_id", "records", "output"}),
}
"""Kind of turn -> keys that are read of it, or refused in words of their own; item: a call of OpenAI's newer form;
results: blocks of them in a tool's turn."""
PARTS = frozenset({*CONTENTS, "tool_calls", "function_call"})
"""Keys that hold blocks and calls, which have keys of their own."""
STRUCTURE = frozenset(
    [
        "id",
        "type",
        "name",
        "text",
        "thinking",
        "input",
        "function",
        "arguments",
        "parameters",
        "args",
        "content",
        "tool_use_id",
        "is_error",
        "thought",
        "functionCall",
        "function_call",
        "functionResponse",
        "function_response",
    ]
)
"""Keys of blocks and calls that are read."""
SILENT_PARTS = frozenset({"index", "cache_control", "signature", "thought_signature", "thoughtSignature"})
"""Keys of blocks and calls that are for servers alone; they are left out and counted."""
SILENT = frozenset({"id", "uuid", "message_id", "index", "timestamp", "created", "created_at", "date", "time", "model"})
"""Keys that say where or when a message was written, which no template renders; they are left out and counted."""
TRAINED = ("weight", "weights", "loss_mask", "mask", "train", "assistant_masks", "completion_mask", "label_mask")
THOUGHT_OUT = (*THOUGHTS, "thoughts", "chain_of_thought")
SYSTEM_TEXTS = ("system_message", "instructions", "developer", "sys_prompt")
OPTIONS = ("chat_template_kwargs", "enable_thinking")
SCHEMAS = ("available_tools", "tool_definitions", "tool_schemas", "function_definitions")
"""Keys and columns next to a dialogue that say what of it is trained."""
UNSUPPORTED = (
    *TRAINED,
    *THOUGHT_OUT,
    *SYSTEM_TEXTS,
    *OPTIONS,
    *SCHEMAS,
    "image",
    "images",
    "video",
    "videos",
    "audio",
    "audios",
    "documents",
    "history",
)
"""Keys and columns next to a dialogue that change what is trained, and that nothing here reads."""
EMPTY: tuple[Any, ...] = (None, "", [], {}, ())
WEIGHT = "write a `weight` of 0 into turns that are given"
UNSUPPORTED_FIXES = {
    "history": "write its turns before the others as messages",
    **dict.fromkeys(SYSTEM_TEXTS, "call it `system`, or name it in download.columns.system"),
    **dict.fromkeys(OPTIONS, "set encode.template_options, which is for all rows"),
    **dict.fromkeys(TRAINED, WEIGHT),
    **dict.fromkeys(THOUGHT_OUT, "write it into the message of the assistant as `reasoning_content`"),
    **dict.fromkeys(SCHEMAS, "call it `tools`, or name it in download.columns.tools"),
}
"""Key next to a dialogue -> what helps; dropping it for others."""


def strip_keys(turn: dict[str, Any], ignore: Collection[str], left: Counter[str]) -> dict[str, Any]:
    """The turn without keys that are left out: those that a recipe ignores and SILENT ones, counted in `left`.

    Of its blocks and calls those that a recipe ignores are left out too, unless they are read, and SILENT_PARTS.
    """
    gone = [key for key in turn if key in ignore or (key in SILENT and turn[key] not in EMPTY)]
    left.update(gone)
    kept = {key: value for key, value in turn.items() if key not in gone}
    named = turn.get("role") or turn.get("from")
    if isinstance(named, str) and ROLES.get(named.strip().lower()) == "tool":
        return kept
    silent = SILENT_PARTS | (frozenset(ignore) - STRUCTURE)
    return {key: _strip_part(value, silent, left) if key in PARTS else value for key, value in kept.items()}


def _strip_part(value: Any, silent: Collection[str], left: Counter[str]) -> Any:
    """Blocks and calls without the keys that say nothing; what a tool is given or gave stays as it is."""
    if isinstance(value, list | tuple):
        return [_strip_part(part, silent, left) for part in value]
    if not isinstance(value, dict):
        return value
    gone = [key for key in value if key in silent]
    left.update(gone)
    rest = {key: part for key, part in value.items() if key not in gone}
    inner = rest.get("function")
    return {**rest, "function": _strip_part(inner, silent, left)} if isinstance(inner, dict) else rest


def check_keys(turn: dict[str, Any], kind: str, named: str, place: str) -> None:
    """Raise DataError for keys with a value that nothing reads of this kind of turn (READ), since a template or a
    trainer may. named: what the data call its role."""
    check_only(turn, CHECKED | READ[kind], place, f" on a turn of role {named}", *READ.values())


def check_only(part: Mapping[str, Any], read: Collection[str], place: str, where: str, *elsewhere: Any) -> None:
    """Raise DataError for keys with a value that are not in `read`. where: what has them; elsewhere: keys that are
    read where others stand."""
    unknown = [str(key) for key, value in part.items() if key not in read and not _is_empty(value)]
    if "mask" in unknown:
        raise DataError(
            f"{place}: the key 'mask' means trained in some data and not trained in others; write "
            "`loss_mask` or `weight`, 1 for a turn to learn and 0 for one that is given"
        )
    if not unknown:
        return
    many = len(unknown) > 1
    them, verb = ("them", "are") if many else ("it", "is")
    named = f"{place}: the key{'s' * many} {', '.join(map(repr, unknown))}"
    if any(key in keys for keys in elsewhere for key in unknown):
        raise DataError(
            f"{named} {verb} not read{where}; take {them} out, or move {them} to a turn that may have {them}"
        )
    raise DataError(
        f"{named} {verb} not read{'' if elsewhere else where} and may change what is trained; rename {them}, or leave "
        f"{them} out with `download.columns.ignore: [{', '.join(unknown)}]`"
    )


def check_unsupported(keys: Mapping[str, Any], where: str, *, known: Collection[str] = ()) -> None:
    """Raise DataError for a key or a column next to a dialogue that has a value, changes what is trained and is not
    read."""
    odd = next((key for key in UNSUPPORTED if key in keys and key not in known and not _is_empty(keys[key])), None)
    if odd is not None:
        raise DataError(
            f"{where}: {odd!r} next to the messages is not read and changes what is trained; "
            f"{UNSUPPORTED_FIXES.get(odd, 'drop such rows')}, or leave it out with `download.columns.ignore: [{odd}]`"
        )


def _is_empty(value: Any) -> bool:
    return any(value is empty or (type(value) is type(empty) and value == empty) for empty in EMPTY) or value != value


def only_one(turn: dict[str, Any], keys: tuple[str, ...], place: str) -> Any:
    """The value of the keys that mean the same, None where none has one. Raises DataError where two contradict."""
    given = {key: turn[key] for key in keys if turn.get(key) is not None}
    values = list(given.values())
    if any(value != values[0] for value in values):
        raise DataError(f"{place}: {' and '.join(map(repr, given))} say different things; keep one of them")
    return values[0] if values else None


def read_thoughts(turn: dict[str, Any], place: str) -> str:
    """The thoughts before a content, empty where there are none. Raises DataError for what is no text."""
    thoughts = only_one(turn, THOUGHTS, place)
    if thoughts is not None and not isinstance(thoughts, str):
        raise DataError(
            f"{place}: its thoughts ({next(key for key in THOUGHTS if turn.get(key) is not None)}) are "
            "no text; write them as one"
        )
    return thoughts or ""


def read_weight(turn: dict[str, Any], role: str, place: str) -> int | None:
    """0 for a turn that is not trained, 1 for one that is stated to be; None where nothing is stated.

    Raises DataError for other values, for keys that contradict one another, and for a turn to learn that the model
    does not write.
    """
    weights_given = {key: turn[key] for key in WEIGHTS if turn.get(key) is not None}
    for key, value in weights_given.items():
        if isinstance(value, str | list | dict) or value not in (0, 1):
            raise DataError(f"{place}: {key} {value!r}; it is 1 for a turn to learn and 0 for one that is given")
    weights = {int(value) for value in weights_given.values()}
    if len(weights) > 1:
        shown = ", ".join(f"{key}: {value!r}" for key, value in weights_given.items())
        raise DataError(f"{place}: {shown} contradict one another; keep one of them")
    if weights == {1} and role != "assistant":
        key, value = next(iter(weights_given.items()))
        raise DataError(
            f"{place}: {key}: {value!r} on a turn of role {role}; only the assistant's turns are trained, "
            "so leave the key out"
        )
    return weights.pop() if weights and role == "assistant" else None
