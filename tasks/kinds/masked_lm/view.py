"""Rows for people, as the first epoch of a training with seed 0 hides them."""

from pathlib import Path

from ...learn.labels import IGNORE_INDEX
from ...text.encoding import FILE, read_encoding
from ...text.parts import Part
from ...text.token_view import TokenView, View, as_markdown
from ...text.tokenizer import TextTokenizer, load_tokenizer
from .encoding import MaskedEncoding, pad_masked


def view_row(encoding: MaskedEncoding, tokenizer: TextTokenizer, part: Part, row: int) -> TokenView:
    """One row of a part, the truth behind each hidden token."""
    length = int(part.encoded.lengths[row])
    batch = pad_masked(encoding, part.encoded, part.ids, [row], (0, 0))
    ids, labels = (batch[name][0, :length].tolist() for name in ("input_ids", "labels"))
    pieces = tokenizer.decode([[token] for token in ids])
    truth = tokenizer.decode([[max(label, 0)] for label in labels])
    shown = [a if label == IGNORE_INDEX else f"{a}={b}" for a, b, label in zip(pieces, truth, labels, strict=True)]
    return TokenView(ids, labels, shown, "")


def sample(encoding: MaskedEncoding, tokenizer: TextTokenizer, part: Part, row: int) -> str:
    """One row as Markdown."""
    return as_markdown(view_row(encoding, tokenizer, part, row))


def open_view(folder: Path) -> View:
    """The view of rows in an encoded artifact's folder."""
    encoding = read_encoding(folder / FILE, MaskedEncoding)
    tokenizer = load_tokenizer(folder, encoding.special)
    return lambda part, row: view_row(encoding, tokenizer, part, row)
