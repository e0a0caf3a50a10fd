"""Data shown as data: one function for each surface, so that nothing in a label or a text acts where it is shown."""

import html
import re
from typing import Any

HIDDEN = re.compile(
    "[\\x00-\\x1f\\x7f-\\x9f\\u061c\\u200b\\u200e\\u200f\\u2028-\\u202e\\u2060-\\u206f\\ufeff\\ufff9-\\ufffb"
    "\\ud800-\\udfff\\U000e0000-\\U000e007f]"
)
"""Characters that are not seen but act: of control (escape sequences), direction, no width, halves of a pair. The two
joiners stay, which Persian, Indic scripts and emoji need."""
UNSEEN = re.compile("[\\xa0\\xad\\u200c\\u200d]")
"""What looks like a blank or like nothing; in code, where differences are shown, it stands as its code too."""
MARKS = re.compile(r"([\\`*_{}\[\]|#~])")
FORMULA = re.compile(r"\s*[=+\-@\t\r\n＝＋－＠]")
"""How a cell begins that a spreadsheet computes."""
NUMBER = re.compile(r"[+-]?(\d+(?:\.\d*)?|\.\d+)([eE][+-]?\d+)?")


def visible(text: str) -> str:
    """On one line, each hidden character as its code behind a backslash, as in a program's text."""
    return HIDDEN.sub(_code, text)


def terminal(text: str) -> str:
    """As it may be printed: line ends and tabs stay."""
    return HIDDEN.sub(lambda match: match.group() if match.group() in "\n\t" else _code(match), text)


def _code(match: re.Match[str]) -> str:
    named = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}
    return named.get(match.group()) or f"\\u{ord(match.group()):04x}"


def markdown(text: str, between: str = " ") -> str:
    """A text that Markdown shows as it is, in one cell of a table; `between` stands for line ends."""
    lines = (MARKS.sub(r"\\\1", html.escape(visible(line), quote=False)) for line in text.splitlines())
    return between.join(lines)


def code(text: str) -> str:
    """A text as Markdown code, on one line and in one cell of a table; `` ` `` inside is no end of it."""
    shown = UNSEEN.sub(_code, visible(text)).replace("|", "\\|")
    fence = "`" * (max(map(len, re.findall("`+", shown)), default=0) + 1)
    pad = " " if "`" in shown or not shown.strip() else ""
    return f"{fence}{pad}{shown}{pad}{fence}" if shown else "(empty)"


def hypertext(text: str) -> str:
    """A text as HTML shows it, in an element or in a quoted attribute."""
    return html.escape(terminal(text))


def cell(value: Any) -> Any:
    """A cell of a CSV file: a text that a spreadsheet would compute gets an apostrophe before it; a number stays."""
    if isinstance(value, str) and FORMULA.match(value) and not NUMBER.fullmatch(value):
        return f"'{value}"
    return value
