"""Durations and sizes as people type them, and durations as they can be typed."""

import math
import re

DURATION = re.compile(r"(?:(\d+(?:\.\d+)?)h)?(?:(\d+(?:\.\d+)?)m)?(?:(\d+(?:\.\d+)?)s)?", re.IGNORECASE | re.ASCII)
SIZE = re.compile(r"(\d+(?:\.\d+)?) ?([KMGT])(i?)B", re.IGNORECASE | re.ASCII)
POWERS = "KMGT"


def parse_duration(text: str) -> float:
    """Seconds of 90s, 10m, 1.5h, 2h30m. Raises ValueError."""
    match = DURATION.fullmatch(text.strip())
    parts = [float(part or 0) for part in match.groups()] if match else []
    seconds = sum(part * length for part, length in zip(parts, (3600, 60, 1), strict=False))
    if not 0 < seconds < math.inf:
        raise ValueError(f"expected a duration such as 90s, 10m, 1.5h or 2h30m, got {text!r}")
    return seconds


def parse_size(text: str) -> int:
    """Bytes of 8GiB, 500MiB (powers of 1024), 2GB (powers of 1000). Raises ValueError."""
    match = SIZE.fullmatch(text.strip())
    count = 0.0
    if match:
        number, unit, binary = match.groups()
        count = float(number) * (1024 if binary else 1000) ** (POWERS.index(unit.upper()) + 1)
    if not 1 <= count < math.inf:
        raise ValueError(f"expected a size such as 8GiB, 500MiB or 2GB, got {text!r}")
    return int(count)


def typed_duration(seconds: float) -> str:
    """No less than these seconds, as it can be typed: 45s, 13m, 2h30m."""
    if seconds < 120:
        return f"{max(math.ceil(seconds), 1)}s"
    hours, minutes = divmod(math.ceil(seconds / 60), 60)
    return f"{hours}h{minutes}m" if hours and minutes else f"{hours}h" if hours else f"{minutes}m"
