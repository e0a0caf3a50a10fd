"""Decoded tokens with their labels -> a line in colours: what is supervised, and what is given."""

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


def colour_pieces(pieces: list[str], labels: list[int], *, by_turn: bool = False) -> Text:
    """Decoded tokens, supervised ones on green, the others dim; by turn: a new line wherever supervision begins or
    ends."""
    line = Text()
    before = None
    for piece, label in zip(pieces, labels, strict=True):
        if by_turn and before is not None and (label >= 0) != before:
            line.append("\n")
        before = label >= 0
        shown = "".join(map(_visible, piece)) or "∅"
        line.append(shown, "supervised" if label >= 0 else "quiet")
        line.append("│", "quiet")
    return line
