"""Rows of texts, or of pairs of texts -> what a model takes of each, and one string of each to compare rows by."""

import json
from typing import Any, TypedDict

import pandas as pd

TEXT, TEXT_PAIR = "text", "text_pair"


class TextPair(TypedDict):
    """Two texts that are one row: premise and hypothesis, two sentences to compare."""

    text: str
    text_pair: str


Content = str | TextPair
"""What a model that reads texts takes of a row."""


def sides(rows: pd.DataFrame) -> tuple[str, ...]:
    """The columns with texts: of a pair both."""
    return (TEXT, TEXT_PAIR) if TEXT_PAIR in rows else (TEXT,)


def contents(rows: pd.DataFrame) -> list[Any]:
    """What a model takes of each row: its text, or its pair of texts."""
    if TEXT_PAIR not in rows:
        return list(rows[TEXT])
    pairs = zip(rows[TEXT], rows[TEXT_PAIR], strict=True)
    return [TextPair(text=text, text_pair=second) for text, second in pairs]


def side_by_side(content: Content) -> str:
    """A text, or both texts of a pair with a bar between, for people."""
    return content if isinstance(content, str) else f"{content['text']} | {content['text_pair']}"


def joined(rows: pd.DataFrame) -> pd.Series:
    """The words of each row, of a pair one text after the other; missing where a text is."""
    return rows[TEXT] if TEXT_PAIR not in rows else rows[TEXT] + "\n" + rows[TEXT_PAIR]


def distinct(rows: pd.DataFrame, column: str) -> pd.Series:
    """The content of each row, by the column that holds it, as a string that equal rows alone share; of pairs with a
    text missing it is missing."""
    if column != TEXT or TEXT_PAIR not in rows:
        return rows[column]
    whole = rows[TEXT].notna() & rows[TEXT_PAIR].notna()
    written = [spelt(*pair) for pair in zip(rows[TEXT], rows[TEXT_PAIR], strict=True)]
    return pd.Series(written, index=rows.index, dtype="str").where(whole)


def spelt(*texts: Any) -> str:
    """Several texts, of which some may be missing, as one that no others give."""
    return json.dumps([None if pd.isna(text) else text for text in texts], ensure_ascii=False)


def every_text(rows: pd.DataFrame) -> list[str]:
    """The texts of all rows, of pairs both."""
    return [text for side in sides(rows) for text in rows[side]]
