"""Cron lines as Prefect reads them: its own parser decides, which is loaded without Prefect (that takes seconds)."""

import importlib.util
import sys
from datetime import UTC, datetime
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

LOOKED_AT = 300
"""Times of a cron line between which the shortest distance is looked for."""


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
    refused = ValueError(f"{line!r} is no cron line that Prefect reads, or names no time at all")
    croniter = _parser()
    if not croniter.is_valid(line) or {"r", "h"} & {field.casefold() for field in line.split()}:
        raise refused
    try:
        times = croniter(line, datetime.now(UTC))
        return [times.get_next(float) for _ in range(count)]
    except (ValueError, LookupError, OverflowError):
        raise refused from None


def shortest_gap(line: str) -> float:
    """Seconds between two times of a cron line, the fewest there are. Raises ValueError."""
    return min(after - before for before, after in pairwise(next_times(line, LOOKED_AT)))
