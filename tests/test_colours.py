"""Colours of the terminal: text in each can be read on white and on black, and no other colours are used."""

import ast
import os
import re
import subprocess
import sys
from collections.abc import Sequence

import pytest
from rich.style import Style
from rich.terminal_theme import TerminalTheme
from tiny import ROOT

from flows.cli.console import COLOURS, PROGRESS, Console
from flows.cli.help_colours import STYLES, colour_help

LEAST = 3.8
"""Contrast that text must have on white and on black: a grey cannot have more than 4.58 on both."""
WHITE, BLACK = (255, 255, 255), (0, 0, 0)
NORMAL = [BLACK, (205, 0, 0), (0, 205, 0), (205, 205, 0), (0, 0, 238), (205, 0, 205), (0, 205, 205), (229, 229, 229)]
BRIGHT = [(127, 127, 127), (255, 0, 0), (0, 255, 0), (255, 255, 0), (92, 92, 255), (255, 0, 255), (0, 255, 255), WHITE]
XTERM = TerminalTheme(WHITE, BLACK, NORMAL, BRIGHT)
"""The first sixteen colours of xterm."""
NAMES = {"red", "green", "yellow", "blue", "magenta", "cyan", "white", "black", "dim"}
ANSI = re.compile(r"\x1b\[(?:[0-9;]*;)?(?<!38;5;)(?<!48;5;)[34][0-7]m")
"""One of the first sixteen colours as an escape sequence."""
SOURCES = sorted((ROOT / "flows").rglob("*.py"))


def luminance(colour: Sequence[int]) -> float:
    """Relative luminance of sRGB, after WCAG 2."""
    linear = [
        value / 255 / 12.92 if value / 255 <= 0.04045 else ((value / 255 + 0.055) / 1.055) ** 2.4 for value in colour
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: Sequence[int], other: Sequence[int]) -> float:
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def contrasts(style: Style) -> list[float]:
    """Of a style's text against what is behind it: its own background, else white and black."""
    if style.color is None:
        return []
    behind = [style.bgcolor.get_truecolor(XTERM, foreground=False)] if style.bgcolor else [WHITE, BLACK]
    own = style.color.get_truecolor(XTERM)
    return [contrast(own, colour) for colour in behind]


@pytest.mark.parametrize("name", COLOURS | PROGRESS)
def test_a_colour_can_be_read_on_white_and_on_black(name: str) -> None:
    style = Console().get_style(name)
    fixed = [colour.number for colour in (style.color, style.bgcolor) if colour is not None and colour.number]
    assert not contrasts(style) or min(contrasts(style)) >= LEAST, contrasts(style)
    assert all(number >= 16 for number in fixed), "terminals redefine the first sixteen"


def test_the_measure_refuses_what_cannot_be_read() -> None:
    assert contrast(WHITE, BLACK) == pytest.approx(21)
    for name in ("yellow", "cyan", "green", "blue", "color(238)"):
        assert min(contrasts(Style.parse(name))) < LEAST, name


def styles_of(tree: ast.AST) -> set[str]:
    """The words given to calls and to tables of styles that name a colour of the terminal's."""
    texts = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    return {
        text for text in texts if text and len(text) < 40 and set(text.removeprefix("bold ").split(" on ")) <= NAMES
    }


def test_no_command_uses_a_colour_of_its_own() -> None:
    assert styles_of(ast.parse("x.print('y', style='bold red'); {'a': 'black on green'}")) == {
        "bold red",
        "black on green",
    }
    used = {path.name: styles_of(ast.parse(path.read_text(encoding="utf-8"))) for path in SOURCES}
    assert not {name: words for name, words in used.items() if words}


def test_the_help_and_a_usage_error_have_these_colours() -> None:
    from typer import rich_utils

    assert len(ANSI.findall("\x1b[31m \x1b[1;36;40m \x1b[1;38;5;30m")) == 2
    colour_help()
    assert {getattr(rich_utils, name) for name in STYLES["name"]} == {COLOURS["name"]}
    env = {**os.environ, "FORCE_COLOR": "1", "TERM": "xterm-256color", "COLUMNS": "80"}
    for words in (["--help"], ["plan", "--help"], ["plan", "--nope"], ["no-such-command"]):
        done = subprocess.run(
            [sys.executable, "-m", "flows", *words], env=env, cwd=ROOT, capture_output=True, text=True
        )
        codes = done.stdout + done.stderr
        assert "\x1b[" in codes and not ANSI.findall(codes)
