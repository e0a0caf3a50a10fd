"""Cron lines as Prefect reads them: its own parser decides, which is loaded without Prefect (that takes seconds)."""

import importlib.util
import sys
from datetime import UTC, datetime
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

LOOKED_AT = 300
"""Times of a cron line between which the shortest distance is searched for."""
FIELDS = {
    "minute": "0 to 59",
    "hour": "0 to 23",
    "day of month": "1 to 31, or L for the last day",
    "month": "1 to 12, or jan to dec",
    "day of week": "0 to 7 (0 and 7 are Sunday), or sun to sat, fri#2 for the second Friday, L5 for the last",
}
"""What Prefect reads in each field of a cron line, next to `*`, lists, ranges and steps."""


@cache
def _parser() -> Any:
    """Prefect's copy of croniter."""
    prefect = importlib.util.find_spec("prefect")
    assert prefect is not None and prefect.origin is not None
    file = Path(prefect.origin).with_name("_vendor") / "croniter" / "croniter.py"
    spec = importlib.util.spec_from_file_location("temper_croniter", file)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module.croniter


def next_times(line: str, count: int = 1) -> list[float]:
    """The next times of a cron line, in seconds since 1970. Raises ValueError for what Prefect refuses."""
    croniter = _parser()
    if not _valid(line):
        raise ValueError(f"Prefect does not read the cron line {line!r}: {_faults(line.split())}")
    try:
        times = croniter(line, datetime.now(UTC))
        return [times.get_next(float) for _ in range(count)]
    except (ValueError, LookupError, OverflowError):
        raise ValueError(
            f"the cron line {line!r} names a day that never comes; change its day of month (field 3) or its month "
            "(field 4)"
        ) from None


def _valid(line: str) -> bool:
    return bool(_parser().is_valid(line)) and not {"r", "h"} & {field.casefold() for field in line.split()}


def _faults(given: list[str]) -> str:
    """What to write in the fields that are wrong, each inspected alone."""
    wrong = []
    for at, (field, (name, valid)) in enumerate(zip(given, FIELDS.items(), strict=True)):
        if not _valid(" ".join(field if at == other else "*" for other in range(len(given)))):
            wrong.append(f"its {name} {field!r} is not {valid}")
    return "; ".join(wrong) or "write `*` in one of day of month (field 3) and day of week (field 5)"


def shortest_gap(line: str) -> float:
    """Seconds between two times of a cron line, the fewest there are. Raises ValueError."""
    return min(after - before for before, after in pairwise(next_times(line, LOOKED_AT)))
