"""Examples of a test, as the report's page shows them: what a model generated or tagged, next to the truth, in pieces.

A kind leaves them among the records of `evaluate`; the page knows no kind, only how a piece is marked.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

FILE = "examples.json"
Mark = Literal["text", "tool", "same", "other", "fault"]
"""Of a piece; `same` and `other` are what the side next to it has too, or has not."""


@dataclass(frozen=True)
class Piece:
    """A piece of text, how it is marked, and a small label behind it."""

    text: str
    mark: Mark = "text"
    label: str = ""


@dataclass(frozen=True)
class Line:
    """The true and the predicted side of a turn or a text, by who speaks; predicted is None where the turn is given."""

    who: str
    true: Sequence[Piece]
    predicted: Sequence[Piece] | None


@dataclass(frozen=True)
class Example:
    """A row's lines, under its id."""

    row: str
    lines: Sequence[Line]


@dataclass(frozen=True)
class Examples:
    """Examples under a title; `flowing` where the pieces of a side follow one another in one text."""

    title: str
    remark: str
    examples: Sequence[Example]
    flowing: bool = False


def save_examples(examples: Examples, records: Path) -> None:
    """Write examples.json."""
    (records / FILE).write_text(json.dumps(asdict(examples), ensure_ascii=False, indent=1), encoding="utf-8")


def read_examples(records: Path) -> Examples | None:
    """The examples of an artifact's records; None where its kind leaves none."""
    place = records / FILE
    if not place.is_file():
        return None
    stored = json.loads(place.read_text(encoding="utf-8"))
    return Examples(**stored | {"examples": [_example(example) for example in stored["examples"]]})


def _example(stored: dict[str, list[dict[str, list[dict[str, str]] | None]]]) -> Example:
    lines = [
        Line(str(line["who"]), _pieces(line["true"]) or [], _pieces(line["predicted"])) for line in stored["lines"]
    ]
    return Example(str(stored["row"]), lines)


def _pieces(stored: list[dict[str, str]] | None) -> list[Piece] | None:
    return None if stored is None else [Piece(**piece) for piece in stored]  # type: ignore[arg-type]
