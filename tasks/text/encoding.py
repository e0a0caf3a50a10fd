"""How a row becomes segments: the one renderer that training, validation and inference share."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import ClassVar, Literal, TypeVar, cast

from ..data.pairs import Content
from .pairs import PairForm, encode_pairs
from .segments import Encoded, Segment, encode_segments
from .tokenizer import TextTokenizer

FILE = "encoding.json"


@dataclass(frozen=True)
class Encoding:
    """Everything that a text needs to become model input, as saved next to the tokenizer.

    A row is in the tokenizer's own form for one text ([CLS] text [SEP]), or as `pair` says for two. kind: as in
    encode.kind. labels: in class-id order. label_ids: per label the one token that stands for it, of kinds that write
    one, else empty. special: ids of eos, cls, sep as far as the kind uses them. pad_id fills; attention is by length,
    never by id.
    """

    kind: str
    labels: tuple[str, ...]
    label_ids: tuple[int, ...]
    special: dict[str, int]
    max_length: int
    padding: Literal["longest", "max_length"]
    pad_id: int
    pair: PairForm | None = field(default=None, kw_only=True)
    new_tokens: ClassVar[tuple[int, ...]] = ()
    """Ids that the tokenizer did not bring along, whose embeddings are therefore new: none in rows of this form."""

    def render(self, text: str, label: str | None) -> list[Segment]:
        """The segments of one row."""
        return [*self._frame[0], Segment(text), *self._frame[1]]

    @cached_property
    def _frame(self) -> tuple[tuple[Segment, ...], tuple[Segment, ...]]:
        """What stands before the text, and what behind it; the same objects for every row."""
        return (Segment(None, (self.special["cls"],)),), (Segment(None, (self.special["sep"],)),)

    def encode(
        self, tokenizer: TextTokenizer, texts: Sequence[Content], labels: Sequence[str] | None = None
    ) -> Encoded:
        """Encode texts or pairs of texts; of a long text the first tokens are kept. Raises ValueError for a pair of
        which a text has no token."""
        if self.pair is not None:
            return encode_pairs(self.pair, tokenizer, texts, self.max_length)
        rows = [self.render(cast(str, text), None) for text in texts]
        return encode_segments(rows, tokenizer.ids, self.max_length, keep="first")

    def save(self, folder: Path) -> None:
        """Write encoding.json."""
        saved = {name: value for name, value in asdict(self).items() if name != "pair" or value is not None}
        text = json.dumps(saved, ensure_ascii=False, indent=1, sort_keys=True)
        (folder / FILE).write_text(text, encoding="utf-8")


Form = TypeVar("Form")


def read_encoding(path: Path, form: type[Form]) -> Form:
    """Read encoding.json as the dataclass whose fields it has; its lists were tuples."""
    saved = json.loads(path.read_text(encoding="utf-8"))
    if saved.get("pair"):
        saved["pair"] = PairForm.of_json(saved["pair"])
    return form(**{name: tuple(value) if isinstance(value, list) else value for name, value in saved.items()})
