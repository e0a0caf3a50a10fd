"""A table's records and what a call asks for in -> the records that fit. It travels with models whose tools are tables.

What a call does wrong is raised in words that the model which made it can act on.
"""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..errors import DataError
from .calls import kind_of
from .ranges import read_range

Record = Mapping[str, Any]


@dataclass(frozen=True)
class Column:
    """What an argument is compared with, and how: equals, contains, range or all_of, as `encode.tools` describes them.

    at_least: whether a number without a word is the lower bound of a range.
    """

    column: str
    match: str = "equals"
    at_least: bool = False


@dataclass(frozen=True)
class Search:
    """How a tool searches its table: arguments and their columns, the columns that are returned, in what order.

    returns: None for all columns. order: columns, with a minus in front from the largest on; records without a value
    come last, equal ones stay as in the table. limit: most records that a call gets. required: arguments that a call
    must have.
    """

    columns: Mapping[str, Column]
    returns: tuple[str, ...] | None = None
    order: tuple[str, ...] = ()
    limit: int = 3
    required: tuple[str, ...] = field(default=())

    def needed(self) -> set[str]:
        """The columns that the table must have."""
        ordered = {name.removeprefix("-") for name in self.order}
        return {column.column for column in self.columns.values()} | ordered | set(self.returns or ())


@dataclass(frozen=True)
class TableTool:
    """A tool that looks its answer up in a table."""

    name: str
    how: Search
    records: Sequence[Record]

    def matching(self, arguments: Mapping[str, Any]) -> list[Record]:
        """All records that fit every argument, sorted; empty values (null, "", []) ask nothing. Raises DataError."""
        asked = {name: value for name, value in arguments.items() if value not in (None, "", [])}
        for name in arguments:
            if name not in self.how.columns:
                raise DataError(f"{self.name} knows no {name!r}; it takes {', '.join(self.how.columns) or 'nothing'}")
        for name in self.how.required:
            if name not in asked:
                raise DataError(f"{self.name} needs {name!r}; call it with a value")
        tests = [_test(name, value, self.how.columns[name]) for name, value in asked.items()]
        matching = [record for record in self.records if all(test(record) for test in tests)]
        for column in reversed(self.how.order):
            matching = _sorted(matching, column)
        return matching

    def search(self, arguments: Mapping[str, Any], limit: int | None = None) -> list[dict[str, Any]]:
        """The first records of `matching`, with the columns that are returned. Raises DataError."""
        records = self.matching(arguments)[: limit or self.how.limit]
        shown = self.how.returns
        return [{name: record.get(name) for name in (record if shown is None else shown)} for record in records]


def _sorted(records: list[Record], column: str) -> list[Record]:
    name = column.removeprefix("-")
    known = [record for record in records if record.get(name) is not None]
    unknown = [record for record in records if record.get(name) is None]
    return sorted(known, key=lambda record: record[name], reverse=column.startswith("-")) + unknown


def _test(argument: str, value: Any, how: Column) -> Callable[[Record], bool]:
    """What a record must fulfil for one argument; a record without a value fits none."""
    column = how.column
    match how.match:
        case "all_of":
            if not isinstance(value, list) or not all(isinstance(word, str) for word in value):
                example = json.dumps(list(map(str, value)) if isinstance(value, list) else [str(value)])
                raise DataError(f"{argument} {value!r} must be a list of texts; write it as {example}")
            wanted = [word.strip().lower() for word in value]
            return lambda record: all(any(word in has.lower() for has in record.get(column) or ()) for word in wanted)
        case "range":
            low, high = read_range(value, argument, alone=how.at_least)
            return lambda record: low <= (math.nan if record.get(column) is None else record[column]) <= high
        case "contains":
            if not isinstance(value, str):
                raise DataError(f"{argument} {value!r} must be a text, not {kind_of(value)}")
            part = value.strip().lower()
            return lambda record: part in str(record.get(column) or "").lower()
    if isinstance(value, list | dict):
        raise DataError(f"{argument} {value!r} must be a single value, not {kind_of(value)}")
    same = _plain(value)
    return lambda record: record.get(column) is not None and _plain(record[column]) == same


def _plain(value: Any) -> str:
    """A value as texts and numbers are compared: 7, 7.0 and "7" are one."""
    if isinstance(value, bool):
        return str(value).lower()
    return format(value, ".15g") if isinstance(value, int | float) else str(value).strip().casefold()
