"""Encoded rows for people: which tokens a row has, which of them carry loss, and what is foretold of it."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..data.escape import code, markdown
from ..kinds.masked_lm.encoding import MaskedEncoding, pad_masked
from ..learn.labels import IGNORE_INDEX
from .encoding import FILE, read_encoding
from .parts import Part
from .tokenizer import TextTokenizer


@dataclass(frozen=True)
class Look:
    """One row: ids as the model is given them, labels (-100 where there is no loss), each token as text, and the class
    or number that is foretold, empty where tokens are."""

    ids: list[int]
    labels: list[int]
    pieces: list[str]
    answer: str


def open_looks(folder: Path) -> tuple[Any, bool]:
    """What `look_at` needs of an encoded artifact's encoding.json, and whether its rows are dialogues."""
    saved = json.loads((folder / FILE).read_text(encoding="utf-8"))
    masked = saved["kind"] == "masked"
    return read_encoding(folder / FILE, MaskedEncoding) if masked else saved["labels"], saved["kind"] == "dialogue"


def look_at(form: Any, tokenizer: TextTokenizer, part: Part, row: int) -> Look:
    """One row of a part; form: the labels in class-id order, or the encoding of masked rows, which are shown as the
    first epoch of a training with seed 0 hides them, the truth behind each hidden token."""
    start, stop = part.encoded.offsets[row], part.encoded.offsets[row + 1]
    ids, labels = part.encoded.ids[start:stop].tolist(), part.encoded.labels[start:stop].tolist()
    if isinstance(form, MaskedEncoding):
        batch = pad_masked(form, part.encoded, part.ids, [row], (0, 0))
        ids, labels = (batch[name][0, : stop - start].tolist() for name in ("input_ids", "labels"))
    pieces = tokenizer.decode([[token] for token in ids])
    if isinstance(form, MaskedEncoding):
        truth = tokenizer.decode([[max(label, 0)] for label in labels])
        told = zip(pieces, truth, labels, strict=True)
        return Look(ids, labels, [a if label == IGNORE_INDEX else f"{a}={b}" for a, b, label in told], "")
    if part.values is not None:
        return Look(ids, labels, pieces, f"{part.values[row]:g}")
    return Look(ids, labels, pieces, form[part.class_ids[row]] if form else "")


def sample(encoding: Any, tokenizer: TextTokenizer, part: Part, row: int) -> str:
    """One row as decoded pieces, supervised ones bold and between marks, the answer behind."""
    look = look_at(encoding if isinstance(encoding, MaskedEncoding) else encoding.labels, tokenizer, part, row)
    marked = [
        f"**▸ {code(p)} ◂**" if label >= 0 else code(p) for p, label in zip(look.pieces, look.labels, strict=True)
    ]
    return " ".join(marked) + (f" → {markdown(look.answer)}" if look.answer else "")
