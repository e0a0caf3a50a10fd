"""Examples that a kind leaves of its test -> tables of both sides, in which agreement and difference are coloured."""

from collections.abc import Sequence
from pathlib import Path

from ..learn.examples import Example, Examples, Line, Piece, read_examples
from .html_elements import Html, element, join

SIGNS = {"same": "✓ ", "other": "✗ "}
"""What stands before a marked piece, for those who see no colours and for paper."""


def show_examples(records: Path) -> Html:
    """The examples among the records of an evaluation; nothing where there are none."""
    shown = read_examples(records)
    if shown is None or not shown.examples:
        return Html()
    tables = [_table(example, shown) for example in shown.examples]
    return join([element("h3", shown.title), element("p", shown.remark, class_="remark"), *tables])


def _table(example: Example, shown: Examples) -> Html:
    head = element("tr", *(element("th", name, scope="col") for name in ("", "true", "predicted")))
    lines = [_line(line, flowing=shown.flowing) for line in example.lines]
    parts = element("caption", example.row), element("thead", head), element("tbody", *lines)
    return element("div", element("table", *parts, class_="sides"), class_="scroll")


def _line(line: Line, *, flowing: bool) -> Html:
    who = element("th", line.who, scope="row")
    if line.predicted is None:
        return element("tr", who, element("td", *_pieces(line.true, flowing=flowing), colspan=2, class_="given"))
    sides = [element("td", *_pieces(side, flowing=flowing)) for side in (line.true, line.predicted)]
    return element("tr", who, *sides)


def _pieces(pieces: Sequence[Piece], *, flowing: bool) -> list[Html]:
    return [_piece(piece, "span" if flowing else "div") for piece in pieces]


def _piece(piece: Piece, tag: str) -> Html:
    label = [element("small", piece.label)] if piece.label else []
    return element(tag, SIGNS.get(piece.mark, "") + piece.text, *label, class_=f"piece {piece.mark}")
