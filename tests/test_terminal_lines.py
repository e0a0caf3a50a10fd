"""Lines of the terminal: none breaks a word or a token, and a command that is shown can be copied."""

import io
import os
import sys
from pathlib import Path

import pytest
from rich.cells import cell_len
from rich.text import Text

from flows.cli.console import Console, program
from flows.cli.token_colours import colour_pieces


def narrow(width: int, *, terminal: bool) -> tuple[Console, io.StringIO]:
    console, out = Console(), io.StringIO()
    console.file, console.width, console._force_terminal = out, width, terminal
    return console, out


def test_a_line_of_tokens_ends_between_two() -> None:
    pieces = ["gute", "nacht", "##en", "你好", "a b"] * 7
    labels = [-100, -100, 3, 3, -100] * 7
    lines = colour_pieces(pieces, labels, width=17).plain.split("\n")
    assert len(lines) > 5 and max(map(cell_len, lines)) <= 17
    assert "".join(lines) == "".join(f"{piece.replace(' ', '·')}│" for piece in pieces)
    assert {token for line in lines for token in line.split("│")} == {*pieces[:4], "a·b", ""}


def test_a_token_wider_than_the_line_is_kept_and_turns_begin_lines() -> None:
    assert colour_pieces(["x" * 30, "y"], [1, 1], width=10).plain == f"{'x' * 30}│\ny│"
    assert colour_pieces(["a", "b", "c"], [-100, 1, 1], width=80, by_turn=True).plain == "a│\nb│c│"


def test_a_named_value_is_broken_between_words_and_stands_below_its_beginning() -> None:
    console, out = narrow(30, terminal=True)
    console.fact(Text("  clean   "), "drops duplicate: 14, contradictory label: 2 of 480 rows")
    console.fact(Text("  rows    "), Text("480"))
    lines = out.getvalue().splitlines()
    assert max(map(len, lines)) <= 30 and len(lines) > 3
    assert lines[0].startswith("  clean   drops") and all(line.startswith(" " * 10) for line in lines[1:-1])
    assert " ".join(" ".join(lines[:-1]).split()) == "clean drops duplicate: 14, contradictory label: 2 of 480 rows"
    assert lines[-1] == "  rows    480"


def test_into_a_pipe_a_value_is_one_line() -> None:
    console, out = narrow(30, terminal=False)
    console.fact(Text("  clean   "), "drops duplicate: 14, contradictory label: 2 of 480 rows")
    assert out.getvalue() == "  clean   drops duplicate: 14, contradictory label: 2 of 480 rows\n"


def test_a_shown_command_names_the_program_as_this_shell_finds_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, other = tmp_path / "my env" / "bin" / "temper", tmp_path / "other" / "temper"
    for file in (here, other):
        file.parent.mkdir(parents=True)
        file.write_text("#!/bin/sh\n")
        file.chmod(0o755)
    monkeypatch.setattr(sys, "argv", [str(here), "run"])
    for path, typed in ((here.parent, "temper"), (other.parent, f"'{here}'"), (tmp_path, f"'{here}'")):
        monkeypatch.setenv("PATH", os.fspath(path))
        assert program() == typed
    monkeypatch.setattr(sys, "argv", ["/x/pytest"])
    assert program() == "temper"
