"""Ranges as people read them: the expected number, low and high in brackets, one unit."""

from tasks.store.sizes import UNITS

from .three_numbers import Range

TIMES = ((3600.0, "h"), (60.0, "min"), (1.0, "s"))
FAR = 10
"""Where high is so many times what is expected, each number has its own unit."""
SHORTEST = 2
"""A unit is taken from two of it on: 90 s, then 2 min."""


def duration(seconds: float) -> str:
    """Seconds as a person reads them: 0.4 s, 90 s, 12 min."""
    length, unit = _time_unit(seconds)
    return f"{_number(seconds / length)} {unit}"


def durations(seconds: Range) -> str:
    """12 (8-40) s."""
    if seconds.high >= FAR * max(seconds.expected, 1.0):
        return f"{duration(seconds.expected)} ({duration(seconds.low)}–{duration(seconds.high)})"
    return _range(seconds, *_time_unit(seconds.expected))


def sizes(counts: Range) -> str:
    """1.2 (0.9-1.5) GiB."""
    return _range(counts, *_size_unit(counts.expected))


def size(count: float) -> str:
    """1.2 GiB."""
    unit, name = _size_unit(count)
    return f"{_number(count / unit)} {name}"


def _size_unit(count: float) -> tuple[float, str]:
    step = 0
    while count / 1024**step >= 1024 and step < len(UNITS) - 1:
        step += 1
    return 1024.0**step, UNITS[step]


def _time_unit(seconds: float) -> tuple[float, str]:
    return next((length, unit) for length, unit in TIMES if seconds >= SHORTEST * length or unit == "s")


def _range(item: Range, length: float, unit: str) -> str:
    low, expected, high = (_number(value / length) for value in (item.low, item.expected, item.high))
    return f"{expected} ({low}–{high}) {unit}"


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 9.95 else f"{value:.1f}" if value else "0"
