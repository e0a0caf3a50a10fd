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
READ = frozenset(
    {
        "role",
        "from",
        "type",
        "tool_calls",
        "function_call",
        "name",
        "tool_call_id",
        "records",
        "arguments",
        *CONTENTS,
        *THOUGHTS,
        *WEIGHTS,
    }
)
SILENT = frozenset({"id", "uuid", "message_id", "index", "timestamp", "created", "created_at", "date", "time", "model"})
"""Keys that say where or when a message was written, which no template renders; they are left out and counted."""
TRAINED = ("weight", "weights", "loss_mask", "mask", "train", "assistant_masks", "completion_mask")
"""Keys and columns next to a dialogue that say what of it is trained."""
UNSUPPORTED = (
    *TRAINED,
    "images",
    "videos",
    "audios",
    "documents",
    "chat_template_kwargs",
    "history",
    "system_message",
    "system_instruction",
)
"""Keys and columns next to a dialogue that change what is trained, and that nothing here reads."""
EMPTY: tuple[Any, ...] = (None, "", [], {}, ())
WEIGHT = "write a `weight` of 0 into turns that are given"
INTO_SYSTEM = "call it `system`"
UNSUPPORTED_FIXES = {
    "history": "write its turns before the others as messages",
    "system_message": INTO_SYSTEM,
    "system_instruction": INTO_SYSTEM,
    "chat_template_kwargs": "set encode.template_options, which is for all rows",
    **dict.fromkeys(TRAINED, WEIGHT),
}
"""Key next to a dialogue -> what helps; dropping it for others."""


def strip_keys(turn: dict[str, Any], ignore: Collection[str], left: Counter[str]) -> dict[str, Any]:
    """The turn without keys that are left out: those that a recipe ignores and SILENT ones, counted in `left`."""
    gone = [key for key in turn if key in ignore or (key in SILENT and turn[key] not in EMPTY)]
    left.update(gone)
    return {key: value for key, value in turn.items() if key not in gone}


def check_keys(turn: dict[str, Any], place: str) -> None:
    """Raise DataError for keys with a value that nothing reads, since a template or a trainer may."""
    unknown = [str(key) for key, value in turn.items() if key not in READ and not _is_empty(value)]
    if "mask" in unknown:
        raise DataError(
            f"{place}: the key 'mask' means trained in some data and not trained in others; write "
            "`loss_mask` or `weight`, 1 for a turn to learn and 0 for one that is given"
        )
    if unknown:
        many = len(unknown) > 1
        them, verb = ("them", "are") if many else ("it", "is")
        raise DataError(
            f"{place}: the key{'s' * many} {', '.join(map(repr, unknown))} {verb} not read and may change what is "
            f"trained; rename {them}, or leave {them} out with `download.columns.ignore: [{', '.join(unknown)}]`"
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
