"""Encoded rows for people: the tokens of one side of a pair, and which side it is."""

from dataclasses import replace
from pathlib import Path

from ...text import token_view
from ...text.parts import Part
from ...text.token_view import TokenView, View

SIDES = ("chosen", "rejected")
"""In the order of a pair's sequences."""


def open_view(folder: Path) -> View:
    """The view of rows in an encoded artifact's folder."""
    view = token_view.open_view(folder)

    def view_side(part: Part, row: int) -> TokenView:
        return replace(view(part, row), truth=SIDES[row % 2])

    return view_side
