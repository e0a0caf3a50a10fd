"""What matplotlib's own font can draw: a text in, the same text with code points for the letters that it lacks out."""


def drawable(text: str) -> str:
    """The text, each letter that the font lacks as its code point (U+8BC4)."""
    from matplotlib.font_manager import FontProperties, findfont, get_font

    known = get_font(findfont(FontProperties())).get_charmap()
    return "".join(letter if ord(letter) in known else f"U+{ord(letter):04X}" for letter in text)
