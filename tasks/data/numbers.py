"""Numbers as texts -> float64, in the notation that is named, and which notation some texts are in."""

import re
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Notation = tuple[str | None, str]
"""What groups digits by three, and the decimal mark."""
NUMBER = re.compile(r"\s*[+-]?([0-9]+(?:\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?\s*")
PLAIN: Notation = (None, ".")
NOTATIONS: tuple[Notation, ...] = ((",", "."), (".", ","), (" ", ","), ("'", "."), (" ", "."), (None, ","))
"""Notations that numbers are commonly written in, next to the plain one."""
LIKELY: tuple[Notation, ...] = (PLAIN, (",", "."), (None, ","), *NOTATIONS[1:-1])
"""The same for numbers of an unknown one: of those that fit alike the first counts."""


def read_numbers(texts: Sequence[str], thousands: str | None = None, decimal: str = ".") -> Floats:
    """The number that each text is, float64 [rows]; NaN where it is none, or not a finite one.

    thousands: what may group the digits before the decimal mark by three; a group of another size is no number.
    """
    plain = [_plain_number(text, thousands, decimal) for text in texts]
    values = np.array([float(text) if NUMBER.fullmatch(text) else np.nan for text in plain], np.float64)
    return np.where(np.isfinite(values), values, np.nan)


def find_notation(texts: Sequence[str], share: float) -> Notation | None:
    """The notation in which most of the texts are numbers, `1,234` being one with a separator of thousands; None where
    they are less than this share."""
    shares = {each: float(np.isfinite(read_numbers(texts, *each)).mean()) for each in LIKELY} if texts else {}
    best = max(shares, key=shares.__getitem__, default=None)
    return None if best is None or shares[best] < share else best


def _plain_number(text: str, thousands: str | None, decimal: str) -> str:
    """A number as Python writes it, where the text is one in the given notation; else the text, or no number."""
    if (thousands, decimal) == PLAIN:
        return text
    whole, mark, rest = text.strip().replace("\u00a0", " ").replace("\u202f", " ").partition(decimal)
    if thousands is not None and thousands in whole:
        if not re.fullmatch(rf"[+-]?[0-9]{{1,3}}(?:{re.escape(thousands)}[0-9]{{3}})+", whole):
            return ""
        whole = whole.replace(thousands, "")
    return "" if decimal != "." and "." in whole + rest else f"{whole}{'.' if mark else ''}{rest}"
