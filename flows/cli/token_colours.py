"""Decoded tokens with their labels -> a line in colours: what is supervised, and what is given."""

from rich.cells import cell_len
from rich.text import Text

SIGNS = {" ": "·", "\n": "⏎"}
"""Blanks as they are shown within tokens."""


def _visible(letter: str) -> str:
    """A letter as it is, a blank or what does not print (escape, NUL, marks of direction) as a sign for it."""
    if letter in SIGNS:
        return SIGNS[letter]
    if letter.isprintable():
        return letter
    return chr(0x2400 + ord(letter)) if letter < " " else f"\\u{ord(letter):04x}"


def colour_pieces(pieces: list[str], labels: list[int], *, width: int, by_turn: bool = False) -> Text:
    """Decoded tokens, supervised ones on green, the others dim.

    A line has at most `width` cells and ends between tokens, since a token that is broken reads as two. by_turn: a
    new line begins too wherever supervision begins or ends.
    """
    line = Text()
    before, filled = None, 0
    for piece, label in zip(pieces, labels, strict=True):
        shown = "".join(map(_visible, piece)) or "∅"
        cells = cell_len(shown) + 1
        if filled and (filled + cells > width or (by_turn and (label >= 0) != before)):
            line.append("\n")
            filled = 0
        before, filled = label >= 0, filled + cells
        line.append(shown, "supervised" if label >= 0 else "quiet")
        line.append("│", "quiet")
    return line
