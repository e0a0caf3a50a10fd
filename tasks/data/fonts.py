"""Lettering of pictures: labels in any script come in; a font that has their letters, or code points, go out."""

import importlib.util
import unicodedata
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from itertools import groupby
from pathlib import Path

from matplotlib import rc_context, rcParams
from matplotlib.font_manager import FontEntry, FontProperties, findfont, findSystemFonts, fontManager
from matplotlib.ft2font import FT2Font

PACKAGES = ("notojp_matplotlib",)
"""Python packages that bring a font file; searched, never imported."""
PLACEHOLDERS = "Last Resort"
"""A font with a box for every letter."""
ELLIPSIS = "…"
JOINERS = "\u200c\u200d\u00ad"
"""Invisible characters that words are written with; a font draws them."""


@contextmanager
def lettering(texts: Iterable[str]) -> Iterator[None]:
    """Pictures made and saved inside are lettered in the usual font, and where it lacks a letter of the texts in the
    first installed font that has all that it lacks, if there is one. A $ is a dollar."""
    lacking = frozenset(ord(letter) for letter in set("".join(texts)) if not is_control(letter)) - _known()
    font = _font_of(lacking) if lacking else None
    with rc_context({"font.family": [*rcParams["font.family"], *([font] if font else [])], "text.parse_math": False}):
        yield


def drawable(labels: Iterable[str]) -> list[str]:
    """Labels as the fonts in use can draw them (see `lettering`): letters that they lack are code points (U+96F6)."""
    return [spell(label) for label in labels]


def spell(text: str) -> str:
    """A text as the fonts in use can draw it, in the same way; control characters are code points anyhow."""
    known = _known()
    runs = groupby(text, lambda letter: ord(letter) in known and not is_control(letter))
    return "".join("".join(run) if have else " ".join(f"U+{ord(letter):04X}" for letter in run) for have, run in runs)


def is_control(letter: str) -> bool:
    """Whether a character does something instead of being seen: line ends, NUL, marks that turn text round."""
    return letter not in JOINERS and unicodedata.category(letter) in ("Cc", "Cf", "Cs", "Zl", "Zp")


def shorten(text: str, width: int) -> str:
    """At most `width` columns of text, a wide letter (East Asian ones) taking two; cut in the middle, since names that
    begin alike differ at their ends."""
    if columns(text) <= width:
        return text
    start, end, left, right = 0, len(text), width // 2, (width - 1) // 2
    while (wide := columns(text[start])) <= left:
        start, left = start + 1, left - wide
    while (wide := columns(text[end - 1])) <= right:
        end, right = end - 1, right - wide
    return text[:start] + ELLIPSIS + text[end:]


def columns(text: str) -> int:
    """Width of a text in columns, a wide letter taking two."""
    return sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in text)


def _known() -> frozenset[int]:
    """Code points that the fonts in use have."""
    files = {findfont(FontProperties(family=[name])) for name in rcParams["font.family"]}
    return frozenset().union(*(_letters(str(file), file.face_index) for file in files))


@cache
def _letters(file: str, index: int) -> frozenset[int]:
    """Code points of one face of a font file; none of a file that is no font."""
    try:
        return frozenset(FT2Font(file, face_index=index).get_charmap())
    except (OSError, RuntimeError):
        return frozenset()


@cache
def _font_of(lacking: frozenset[int]) -> str | None:
    """Name of the first installed font with all these letters; upright ones of usual weight first, then sans-serifs."""
    _take_in()
    fonts = sorted({_rank(font): font for font in fontManager.ttflist}.items())
    usable = (font for _, font in fonts if PLACEHOLDERS not in font.name)
    return next((font.name for font in usable if lacking <= _letters(font.fname, font.index)), None)


def _take_in() -> None:
    """Make known to matplotlib the fonts that came after its own list was made, and those of packages."""
    known = {font.fname for font in fontManager.ttflist}
    for file in sorted({*findSystemFonts(), *_packaged()} - known):
        try:
            fontManager.addfont(file)
        except (OSError, RuntimeError):  # no font, or one of a kind that matplotlib cannot read
            continue


def _packaged() -> Iterator[str]:
    for name in PACKAGES:
        spec = importlib.util.find_spec(name)
        for folder in (spec.submodule_search_locations or []) if spec else []:
            yield from (str(path) for path in Path(folder).rglob("*.[ot]t[fc]"))


def _rank(font: FontEntry) -> tuple[bool, int, bool, str, str, int]:
    weight = font.weight if isinstance(font.weight, int) else 400
    return (font.style != "normal", abs(weight - 400), "Sans" not in font.name, font.name, font.fname, font.index)
