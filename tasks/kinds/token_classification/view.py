"""Rows for people: each piece of a text, with the tag that it is to have."""

from pathlib import Path

from ...learn.labels import IGNORE_INDEX
from ...text.encoding import FILE, read_encoding
from ...text.parts import Part
from ...text.token_view import TokenView, View, as_markdown
from ...text.tokenizer import TextTokenizer, load_tokenizer
from .encoding import TagEncoding


def view_row(encoding: TagEncoding, tokenizer: TextTokenizer, part: Part, row: int) -> TokenView:
    """One window of a part."""
    inside = slice(part.encoded.offsets[row], part.encoded.offsets[row + 1])
    ids, labels = part.encoded.ids[inside].tolist(), part.encoded.labels[inside].tolist()
    pieces = tokenizer.decode([[token] for token in ids])
    shown = [
        piece if label == IGNORE_INDEX else f"{piece}={encoding.labels[label]}"
        for piece, label in zip(pieces, labels, strict=True)
    ]
    return TokenView(ids, labels, shown, "")


def sample(encoding: TagEncoding, tokenizer: TextTokenizer, part: Part, row: int) -> str:
    """One row as Markdown."""
    return as_markdown(view_row(encoding, tokenizer, part, row))


def open_view(folder: Path) -> View:
    """The view of rows in an encoded artifact's folder."""
    encoding = read_encoding(folder / FILE, TagEncoding)
    tokenizer = load_tokenizer(folder, encoding.special)
    return lambda part, row: view_row(encoding, tokenizer, part, row)
