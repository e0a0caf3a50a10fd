"""How a text with a class becomes segments: in the tokenizer's own form for a head, or before its label word."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import cast

from ...data.pairs import Content
from ...text.encoding import Encoding, read_encoding
from ...text.segments import Encoded, Segment, encode_segments
from ...text.tokenizer import TextTokenizer

LABEL_WORD = "label_word"
"""The kind whose model generates a label's word; the other has a head."""
EARLIER = "generative"
"""What encoding.json of an earlier model calls that kind."""


@dataclass(frozen=True)
class LabelWordEncoding(Encoding):
    """text, end of text, and the one token that stands for the label, which alone is supervised."""

    def render(self, text: str, label: str | None) -> list[Segment]:
        """The segments of one row; without a label, the same less the supervised tail."""
        return [Segment(text), *self._tails[label]]

    @cached_property
    def _tails(self) -> dict[str | None, tuple[Segment, ...]]:
        """What follows the text, per label; the same objects for every row."""
        end = Segment(None, (self.special["eos"],))
        tails: dict[str | None, tuple[Segment, ...]] = {None: (end,)}
        for label, word in zip(self.labels, self.label_ids, strict=True):
            tails[label] = (end, Segment(None, (word,), supervised=True))
        return tails

    def encode(
        self, tokenizer: TextTokenizer, texts: Sequence[Content], labels: Sequence[str] | None = None
    ) -> Encoded:
        """Encode rows; of a long text the last tokens are kept. Without labels the tail's place is left free, so that
        texts are cut as in training."""
        answers: Sequence[str | None] = [None] * len(texts) if labels is None else labels
        rows = [self.render(cast(str, text), label) for text, label in zip(texts, answers, strict=True)]
        return encode_segments(rows, tokenizer.ids, self.max_length - (labels is None), keep="last")


def encoding_class(kind: str) -> type[Encoding]:
    """The class of a kind's encoding."""
    return LabelWordEncoding if kind == LABEL_WORD else Encoding


def load_encoding(path: Path) -> Encoding:
    """Read encoding.json."""
    kind = json.loads(path.read_text(encoding="utf-8"))["kind"]
    kind = LABEL_WORD if kind == EARLIER else kind
    return replace(read_encoding(path, encoding_class(kind)), kind=kind)
