"""How people and models write a range of prices or ratings, in English or Chinese -> its two bounds, both included."""

import math
import re
from typing import Any

from ..errors import DataError

NUMBER = r"(?:[$€£¥￥]\s*)?(\d+(?:\.\d+)?)(?:\s*(?:元|分|块|yuan|rmb|cny|eur|euros?|usd|dollars?|stars?|[$€£]))?"
BETWEEN = re.compile(rf"(?:between\s+|from\s+)?{NUMBER}\s*(?:-|–|—|~|～|至|到|to|and)\s*{NUMBER}")
AT_LEAST = re.compile(
    rf"(?:(?:at least|from|over|above|>=?|≥)\s*{NUMBER}|{NUMBER}\s*(?:\+|以上|and above|and up|or more))"
)
AT_MOST = re.compile(rf"(?:(?:at most|up to|under|below|<=?|≤)\s*{NUMBER}|{NUMBER}\s*(?:以下|以内|and below|or less))")
ALONE = re.compile(NUMBER)


def read_range(value: Any, slot: str, *, alone: bool = False) -> tuple[float, float]:
    """The bounds of "400-500元", "4.5 and above" or "up to 200"; infinite where open, and both always included.

    Where `alone`, a number without a word is a lower bound. Raises DataError for what cannot be read.
    """
    text = str(value).strip().lower() if isinstance(value, str | int | float) else ""
    if match := BETWEEN.fullmatch(text):
        low, high = map(float, match.groups())
        if low > high:
            raise DataError(f"{slot} {value!r} ends below its beginning; write {high:g}-{low:g}")
        return low, high
    if match := AT_LEAST.fullmatch(text):
        return float(match[1] or match[2]), math.inf
    if match := AT_MOST.fullmatch(text):
        return -math.inf, float(match[1] or match[2])
    if alone and (match := ALONE.fullmatch(text)):
        return float(match[1]), math.inf
    usual = "4.5 and above, or 4-4.5" if alone else "100-200, 200 and above, or 100 and below"
    raise DataError(f"{slot} {value!r} cannot be read; write it as {usual}")
