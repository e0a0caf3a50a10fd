"""A hotel table (CrossWOZ's hotel_db.json, or JSON lines) in; the records that a search's arguments ask for out."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any

from ..errors import DEMO, DataError, check_file
from .table_search import Column, Record, Search, TableTool
from .turns import SEARCH, kind_of, parse_json

TABLE = "hotels.jsonl"
"""File of the table on which a model's calls run, next to its tokenizer."""
SLOTS = ("name", "type", "price", "rating", "facilities")
"""What a search may ask for."""
LIMIT = 3
"""Most records that a search returns, unless asked otherwise: a model reads them all before it replies."""
HOW = Search(
    {
        "name": Column("name", "contains"),
        "type": Column("type", "contains"),
        "price": Column("price", "range"),
        "rating": Column("rating", "range", at_least=True),
        "facilities": Column("facilities", "all_of"),
    },
    order=("-rating", "price"),
    limit=LIMIT,
)
"""How the table is searched: the best rated first, of these the cheapest. "wifi" finds every kind of it."""
FROM_CHINESE = {
    "名称": "name",
    "酒店类型": "type",
    "地址": "address",
    "地铁": "subway",
    "电话": "phone",
    "酒店设施": "facilities",
    "价格": "price",
    "评分": "rating",
}
"""CrossWOZ's names of the fields."""
DESCRIPTIONS = {
    "name": "Part of the hotel's name",
    "type": "Kind of hotel, as in the records",
    "price": "Price of a night: a range such as 100-200, at least (100 and above) or at most (200 and below)",
    "rating": "Guests' rating from 0 to 5: at least (4.5 and above), or a range such as 4-4.5",
    "facilities": "What the hotel must have, all of them",
}


@dataclass(frozen=True)
class Hotel:
    """One hotel, as a record shows it; prices per night, null where unknown, ratings from 0 to 5."""

    name: str
    type: str
    address: str
    subway: str
    phone: str
    facilities: tuple[str, ...]
    price: float | None
    rating: float
    hotel_id: int

    def record(self) -> dict[str, Any]:
        """The hotel as JSON has it."""
        return asdict(self) | {"facilities": list(self.facilities)}


@dataclass(frozen=True)
class Hotels:
    """A table of hotels."""

    hotels: tuple[Hotel, ...]

    def __len__(self) -> int:
        return len(self.hotels)

    @cached_property
    def tool(self) -> TableTool:
        """The table as a tool."""
        return TableTool(SEARCH, HOW, [hotel.record() for hotel in self.hotels])

    def matching(self, arguments: Mapping[str, Any]) -> list[Record]:
        """Records of all hotels that fit every argument. Raises DataError."""
        return self.tool.matching(arguments)

    def search(self, arguments: Mapping[str, Any], limit: int = LIMIT) -> list[dict[str, Any]]:
        """The first `limit` records of `matching`."""
        return self.tool.search(arguments, limit)


def read_hotels(path: Path) -> Hotels:
    """Read a table: .json as CrossWOZ's hotel_db.json, .jsonl with the fields of Hotel (hotel_id may be left out).

    Ids count from 1 in the order of the file. Raises DataError with the number of a hotel that cannot be read.
    """
    check_file(path)
    text = path.read_text(encoding="utf-8-sig")
    if path.suffix == ".jsonl":
        lines = [parse_json(line, f"{path.name}:{n}") for n, line in enumerate(text.split("\n"), 1) if line.strip()]
    else:
        lines = [_from_chinese(entry, f"{path.name}, hotel {n}") for n, entry in enumerate(_entries(path, text), 1)]
    hotels = tuple(_hotel(entry, f"{path.name}, hotel {number}", number) for number, entry in enumerate(lines, 1))
    ids = {hotel.hotel_id for hotel in hotels}
    if len(ids) < len(hotels):
        raise DataError(f"{path.name}: {len(hotels) - len(ids)} hotels have an id that another has; number them again")
    return Hotels(hotels)


def demo_hotels() -> Hotels:
    """The small table of invented hotels that comes with Temper."""
    return read_hotels(demo_table())


def demo_table() -> Path:
    """The file of that table."""
    return DEMO / TABLE


def tool_schema() -> dict[str, Any]:
    """The search as a tool in OpenAI's form: what a chat template and a server are given."""
    kinds: dict[str, Any] = {slot: {"type": "string"} for slot in SLOTS}
    kinds["facilities"] = {"type": "array", "items": {"type": "string"}}
    properties = {slot: kind | {"description": DESCRIPTIONS[slot]} for slot, kind in kinds.items()}
    parameters = {"type": "object", "properties": properties, "required": [], "additionalProperties": False}
    description = "Find hotels that fit every argument given; returns their records, best rated first"
    return {"type": "function", "function": {"name": SEARCH, "description": description, "parameters": parameters}}


def _entries(path: Path, text: str) -> list[Any]:
    entries = parse_json(text, path.name)
    if not isinstance(entries, list):
        raise DataError(f"{path.name} is {kind_of(entries)}; CrossWOZ's table is a list of [name, fields]")
    return entries


def _from_chinese(entry: Any, place: str) -> dict[str, Any]:
    if not (isinstance(entry, list) and len(entry) == 2 and isinstance(entry[1], dict)):
        raise DataError(f"{place}: {kind_of(entry)}; CrossWOZ's hotels are pairs [name, fields]")
    return {FROM_CHINESE[name]: value for name, value in entry[1].items() if name in FROM_CHINESE}


def _hotel(entry: Any, place: str, number: int) -> Hotel:
    """Check one hotel; facilities that are white space are left out (CrossWOZ has two)."""
    if not isinstance(entry, dict):
        raise DataError(f"{place} is {kind_of(entry)}; it must be an object with {', '.join(_names())}")
    entry = {"hotel_id": number} | entry
    if odd := [name for name in _names() if name not in entry] + [name for name in entry if name not in _names()]:
        raise DataError(f"{place}: {odd[0]!r} is missing or unknown; the fields are {', '.join(_names())}")
    texts = [name for name in ("name", "type", "address", "subway", "phone") if not isinstance(entry[name], str)]
    numbers = [
        name for name in ("price", "rating") if not _is_number(entry[name]) and (name, entry[name]) != ("price", None)
    ]
    if texts or numbers or not isinstance(entry["hotel_id"], int):
        name = [*texts, *numbers, "hotel_id"][0]
        raise DataError(f"{place}: {name} is {kind_of(entry[name])} ({entry[name]!r}); fix it in the table")
    if not isinstance(entry["facilities"], list) or not all(
        isinstance(facility, str) for facility in entry["facilities"]
    ):
        raise DataError(f"{place}: facilities must be a list of texts")
    kept = tuple(facility.strip() for facility in entry["facilities"] if facility.strip())
    return Hotel(**entry | {"facilities": kept})


def _names() -> list[str]:
    return [field.name for field in fields(Hotel)]


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
