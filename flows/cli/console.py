"""The terminal: what is printed is text, never markup, and nothing in it acts on the terminal."""

import json
import os
import re
import shlex
import shutil
import sys
from collections.abc import Iterable
from typing import Any

from rich.console import Console as RichConsole
from rich.console import ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.status import Status
from rich.text import Text
from rich.theme import Theme

from tasks.data.escape import HIDDEN, terminal

COLOURS = {
    "good": "color(28)",
    "bad": "bold color(161)",
    "warning": "color(130)",
    "cached": "color(30)",
    "plain": "",
    "name": "bold color(30)",
    "quiet": "color(243)",
    "supervised": "color(16) on color(114)",
}
"""Styles by what they mean. Of the 256 colours that terminals do not redefine, with the lightness at which text can be
read on white and on black: the first sixteen, such as yellow, cannot be read on white in many terminals."""
PROGRESS = {
    "bar.back": "color(243)",
    "bar.complete": "color(30)",
    "bar.finished": "color(28)",
    "bar.pulse": "color(30)",
    "progress.spinner": "color(28)",
    "progress.download": "color(28)",
    "progress.elapsed": "color(130)",
    "progress.remaining": "color(30)",
    "status.spinner": "color(28)",
}
"""The same for rich's bars and spinners."""
THEME = Theme(COLOURS | PROGRESS)


class Console(RichConsole):
    """rich's console for words and data alike: no `[bold]` is read, and of escape sequences the codes are shown.

    Styles come from rich's own objects (Text, Table); what is inside them is shown as it is too.
    """

    def __init__(self, *, stderr: bool = False) -> None:
        super().__init__(file=sys.stderr if stderr else None, markup=False, highlight=False, emoji=False, theme=THEME)

    def status(self, status: RenderableType, **more: Any) -> Status:
        """A line with a spinner, for as long as the context lasts."""
        return super().status(Text(status) if isinstance(status, str) else status, **more)

    def prose(self, text: str | Text, style: str | None = None) -> None:
        """Sentences: on a terminal broken between words, else in one line, so that they can be searched for."""
        self.print(text, style=style, soft_wrap=not self.is_terminal)

    def fact(self, name: Text, value: str | Text) -> None:
        """A name and its value, whose further lines on a terminal stand below its first."""
        text = Text(value) if isinstance(value, str) else value
        room = self.width - name.cell_len
        for line in text.wrap(self, room) if self.is_terminal and room > 0 else [text]:
            line.rstrip()
            self.print(name + line, soft_wrap=True)
            name = Text(" " * name.cell_len)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Segments as rich makes them, the text of each fit for a terminal."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else segment._replace(text=terminal(segment.text))


def program() -> str:
    """What a person types to call this program from here: `temper` where the shell finds it by that name, else its
    path as it was typed, since without an activated environment a copied `temper …` is not found."""
    called, known = sys.argv[0], shutil.which("temper")
    if os.path.basename(called) != "temper" or (known and os.path.realpath(known) == os.path.realpath(called)):
        return "temper"
    return shlex.quote(called)


def print_line(text: str) -> None:
    """A line for the person at the terminal, on stderr."""
    print(terminal(text), file=sys.stderr, flush=True)


def print_json(value: Any, *, indent: int = 1) -> None:
    """One JSON document on stdout."""
    print(json_text(value, indent=indent))


def json_text(value: Any, *, indent: int | None = None) -> str:
    """A JSON document in which hidden characters are escaped, which changes no value."""
    text = json.dumps(value, ensure_ascii=False, indent=indent)
    return HIDDEN.sub(lambda match: match.group() if match.group() == "\n" else _escaped(match), text)


def _escaped(match: re.Match[str]) -> str:
    return json.dumps(match.group())[1:-1]
