"""How a row becomes segments: the one renderer that training, validation and inference share."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import ClassVar, Literal, TypeVar

from .segments import Encoded, Segment, encode_segments
from .tokenizer import TextTokenizer

FILE = "encoding.json"


@dataclass(frozen=True)
class Encoding:
    """Everything that a text needs to become model input, as saved beside the tokenizer.

    labels: in class-id order. label_ids: per label the one token that stands for it (generative), else empty.
    special: ids of eos, cls, sep as far as the kind uses them. pad_id fills; attention is by length, never by id.
    """

    kind: Literal["generative", "classifier", "regression", "masked"]
    labels: tuple[str, ...]
    label_ids: tuple[int, ...]
    special: dict[str, int]
    max_length: int
    padding: Literal["longest", "max_length"]
    pad_id: int
    new_tokens: ClassVar[tuple[int, ...]] = ()
    """Ids that the tokenizer did not bring along, whose embeddings are therefore new: none in rows of this form."""

    @property
    def keep(self) -> Literal["first", "last"]:
        """Which end of a long text survives."""
        return "last" if self.kind == "generative" else "first"

    def render(self, text: str, label: str | None) -> list[Segment]:
        """The segments of one row; without a label, the same less the supervised tail."""
        return [*self._head, Segment(text), *self._tails[label]]

    @cached_property
    def _head(self) -> tuple[Segment, ...]:
        return () if self.kind == "generative" else (Segment(None, (self.special["cls"],)),)

    @cached_property
    def _tails(self) -> dict[str | None, tuple[Segment, ...]]:
        """What follows the text, per label; the same objects for every row."""
        end = Segment(None, (self.special["eos" if self.kind == "generative" else "sep"],))
        tails: dict[str | None, tuple[Segment, ...]] = dict.fromkeys((None, *self.labels), (end,))
        for label, word in zip(self.labels, self.label_ids, strict=self.kind == "generative"):
            tails[label] = (end, Segment(None, (word,), supervised=True))
        return tails

    def encode(self, tokenizer: TextTokenizer, texts: Sequence[str], labels: Sequence[str] | None = None) -> Encoded:
        """Encode rows; without labels the tail's place is left free, so that texts are cut as in training."""
        answers: Sequence[str | None] = [None] * len(texts) if labels is None else labels
        rows = [self.render(text, label) for text, label in zip(texts, answers, strict=True)]
        tail = 1 if self.kind == "generative" and labels is None else 0
        return encode_segments(rows, tokenizer.ids, self.max_length - tail, keep=self.keep)

    def save(self, folder: Path) -> None:
        """Write encoding.json."""
        text = json.dumps(asdict(self), ensure_ascii=False, indent=1, sort_keys=True)
        (folder / FILE).write_text(text, encoding="utf-8")


Form = TypeVar("Form")


def load_encoding(path: Path) -> Encoding:
    """Read encoding.json."""
    return read_encoding(path, Encoding)


def read_encoding(path: Path, form: type[Form]) -> Form:
    """Read encoding.json as the dataclass whose fields it has; its lists were tuples."""
    saved = json.loads(path.read_text(encoding="utf-8"))
    return form(**{name: tuple(value) if isinstance(value, list) else value for name, value in saved.items()})
