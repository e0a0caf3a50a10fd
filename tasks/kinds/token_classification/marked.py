"""Test texts with their true and predicted entities -> examples for the report's page, entities marked in the text."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from ...data.tags.schemes import Entity
from ...learn.examples import Example, Examples, Line, Piece
from .predictor import read_entities

SHOWN = 8
"""Texts drawn at random of those that have an entity on either side."""
REMARK = (
    "Test texts with entities, drawn at random. An entity that the other side has too, with the same boundaries and "
    "type, is marked ✓, another one ✗."
)


def sample_marked(texts: Sequence[str], predictions: pd.DataFrame, seed: int) -> Examples:
    """Examples of test texts; predictions: a row per text, with id, true and predicted entities as JSON."""
    sides = [
        (read_entities(true), read_entities(predicted))
        for true, predicted in zip(predictions["true"], predictions["predicted"], strict=True)
    ]
    marked = [at for at, both in enumerate(sides) if any(both)]
    chosen = sorted(np.random.default_rng(seed).permutation(len(marked))[:SHOWN].tolist())
    shown = []
    for at in (marked[number] for number in chosen):
        true, predicted = sides[at]
        line = Line("text", mark(texts[at], true, predicted), mark(texts[at], predicted, true))
        shown.append(Example(str(predictions["id"].iloc[at]), [line]))
    return Examples("Entities in the text", REMARK, shown, flowing=True)


def mark(text: str, entities: Sequence[Entity], others: Sequence[Entity]) -> list[Piece]:
    """A text in pieces: its entities by whether `others` has them too, and what stands between them."""
    pieces, end = [], 0
    for entity in sorted(entities):
        pieces.append(Piece(text[end : entity.start]))
        pieces.append(Piece(text[entity.start : entity.stop], "same" if entity in others else "other", entity.label))
        end = entity.stop
    return [piece for piece in (*pieces, Piece(text[end:])) if piece.text]
