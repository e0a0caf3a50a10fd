"""Encoded rows for people: which tokens a row has, which of them carry loss, and what is predicted of it."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ..data.escape import code, markdown
from .encoding import FILE
from .parts import Part
from .tokenizer import TextTokenizer, load_tokenizer


@dataclass(frozen=True)
class TokenView:
    """One row: ids as the model is given them, labels (-100 where there is no loss), each token as text, and the class
    or number that is predicted, empty where tokens are."""

    ids: list[int]
    labels: list[int]
    pieces: list[str]
    truth: str


View = Callable[[Part, int], TokenView]
"""A part and a row's number in it -> the row for people."""


class Labelled(Protocol):
    """An encoding with classes, or none."""

    @property
    def labels(self) -> tuple[str, ...]:
        """In class-id order."""


def view_row(labels: Sequence[str], tokenizer: TextTokenizer, part: Part, row: int) -> TokenView:
    """One row of a part; labels: in class-id order."""
    start, stop = part.encoded.offsets[row], part.encoded.offsets[row + 1]
    ids, targets = part.encoded.ids[start:stop].tolist(), part.encoded.labels[start:stop].tolist()
    pieces = tokenizer.decode([[token] for token in ids])
    if part.values is not None:
        return TokenView(ids, targets, pieces, f"{part.values[row]:g}")
    if part.sets is not None:
        return TokenView(ids, targets, pieces, ", ".join(labels[class_id] for class_id in part.sets[row]) or "no label")
    return TokenView(ids, targets, pieces, labels[part.class_ids[row]] if labels else "")


def open_view(folder: Path) -> View:
    """The view of rows in an encoded artifact's folder."""
    saved = json.loads((folder / FILE).read_text(encoding="utf-8"))
    tokenizer = load_tokenizer(folder, saved["special"])
    return lambda part, row: view_row(saved["labels"], tokenizer, part, row)


def as_markdown(view: TokenView) -> str:
    """One row as decoded pieces, supervised ones bold and between marks, the truth behind."""
    marked = [
        f"**▸ {code(p)} ◂**" if label >= 0 else code(p) for p, label in zip(view.pieces, view.labels, strict=True)
    ]
    return " ".join(marked) + (f" → {markdown(view.truth)}" if view.truth else "")


def sample(encoding: Labelled, tokenizer: TextTokenizer, part: Part, row: int) -> str:
    """One row as Markdown."""
    return as_markdown(view_row(encoding.labels, tokenizer, part, row))
