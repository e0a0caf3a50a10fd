"""Files of the Schema-Guided Dialogue data set -> dialogues with their places, and services with their tools."""

import gzip
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..dialogues.calls import kind_of, parse_json
from ..errors import DataError

GZIP = b"\x1f\x8b"


@dataclass(frozen=True)
class Service:
    """A service's intents: as tools in OpenAI's form, and the slots that a call of each may name."""

    tools: list[dict[str, Any]]
    slots: dict[str, frozenset[str]]


def read_dialogues(path: Path) -> Iterator[tuple[str, Any]]:
    """Each dialogue with its place: an object a line or an array of them, plain or gzip. Raises DataError."""
    text = _text(path)
    if text.lstrip().startswith("["):
        for number, value in enumerate(parse_json(text, path.name), 1):
            yield f"{path.name}, dialogue {number}", value
        return
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            yield f"{path.name}:{number}", parse_json(line, f"{path.name}:{number}")


def read_services(paths: list[Path]) -> dict[str, Service]:
    """The services of schema files by name. Raises DataError for what is no schema, and for two that differ."""
    known: dict[str, Any] = {}
    for path in paths:
        described = parse_json(_text(path), path.name)
        if not isinstance(described, list):
            raise DataError(f"{path.name} is {kind_of(described)}; a schema file holds a list of services")
        for number, service in enumerate(described, 1):
            name = need(service, "service_name", str, f"{path.name}, service {number}")
            if known.setdefault(name, service) != service:
                raise DataError(f"{path.name}: {name} is described otherwise than in a file before; keep one of them")
    return {name: _service(service, name) for name, service in known.items()}


def need(holder: Any, key: str, kind: type, place: str) -> Any:
    """A value of an object. Raises DataError with its place where it is absent or of another kind."""
    value = holder.get(key) if isinstance(holder, dict) else None
    if not isinstance(value, kind):
        wanted = kind_of(kind())
        problem = f"`{key}` is {kind_of(value)}" if isinstance(holder, dict) else f"it is {kind_of(holder)}"
        raise DataError(f"{place}: {problem}; the data set has an object whose `{key}` is {wanted} there")
    return value


def _text(path: Path) -> str:
    raw = path.read_bytes()
    try:
        return (gzip.decompress(raw) if raw.startswith(GZIP) else raw).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{path.name}: byte {error.start} is not UTF-8; take the file as it is published") from None
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(f"{path.name}: damaged gzip ({error}); fetch the file again") from None


def _service(described: Any, name: str) -> Service:
    """A schema's intents with the slots that they ask for; what they return stands in the results."""
    place = f"schema of {name}"
    slots = {need(slot, "name", str, place): slot for slot in need(described, "slots", list, place)}
    tools, asked = [], {}
    for intent in need(described, "intents", list, place):
        called = need(intent, "name", str, place)
        inside = f"{place}, intent {called}"
        required = need(intent, "required_slots", list, inside)
        names = [*required, *need(intent, "optional_slots", dict, inside)]
        if unknown := [slot for slot in names if slot not in slots]:
            raise DataError(f"{inside}: the slot {unknown[0]!r} is none of {name}, which has {', '.join(slots)}")
        properties = {slot: _property(slots[slot]) for slot in names}
        parameters = {"type": "object", "properties": properties, "required": required}
        function = {"name": called, "description": intent.get("description", ""), "parameters": parameters}
        tools.append({"type": "function", "function": function})
        asked[called] = frozenset(names)
    return Service(tools, asked)


def _property(slot: Any) -> dict[str, Any]:
    """A slot as a JSON schema: a text, of a categorical slot one of its values."""
    schema = {"type": "string", "description": slot.get("description", "")}
    values = slot.get("possible_values")
    return schema | {"enum": values} if slot.get("is_categorical") and values else schema
