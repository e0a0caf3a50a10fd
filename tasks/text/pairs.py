"""Pairs of texts -> rows of tokens in the tokenizer's own form for pairs: separators, token types, truncation."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, Literal, Protocol

import numpy as np
from tokenizers import processors

from ..data.errors import DataError
from ..data.pairs import TEXT, TEXT_PAIR, Content
from ..learn.labels import IGNORE_INDEX
from .segments import Encoded
from .tokenizer import TextTokenizer

Truncation = Literal["longest_first", "second_only"]
ONE_SIDED = "a text of the pair has no token"
NO_ROOM = "no room for the second text of the pair"


@dataclass(frozen=True)
class PairForm:
    """Ids of special tokens before, between and behind two texts; token types of all of these in their order, a text's
    tokens counted once; and where tokens are taken from a pair that is too long."""

    before: tuple[int, ...]
    between: tuple[int, ...]
    after: tuple[int, ...]
    types: tuple[int, ...]
    truncation: Truncation

    @classmethod
    def of_json(cls, saved: dict[str, Any]) -> "PairForm":
        """As encoding.json keeps it."""
        fields: dict[str, Any] = {name: tuple(v) if isinstance(v, list) else v for name, v in saved.items()}
        return cls(**fields)

    @property
    def special(self) -> int:
        """How many special tokens a row has."""
        return len(self.before) + len(self.between) + len(self.after)


class Paired(Protocol):
    """An encoding that may be one of pairs."""

    @property
    def pair(self) -> PairForm | None:
        """The form of pairs; None where a row is one text."""

    @property
    def max_length(self) -> int:
        """Longest row in tokens."""


def pair_form(tokenizer: TextTokenizer, truncation: Truncation) -> PairForm:
    """The form in which the tokenizer itself encodes a pair. A tokenizer that lays out no pairs (a vocabulary alone, or
    one that is learnt here) gets BERT's: [CLS] text [SEP] text [SEP], the second text and its [SEP] of type 1."""
    if not any(tokenizer.backend.encode("a", "b").special_tokens_mask):
        _lay_out_as_bert(tokenizer)
    probe = tokenizer.backend.encode("a", "b")
    sides, ids, types = probe.sequence_ids, probe.ids, probe.type_ids
    first, second = ([at for at, side in enumerate(sides) if side == number] for number in (0, 1))
    if not first or not second or first[-1] > second[0]:
        raise DataError("encode.tokenizer does not encode a pair as its first text and its second; take another")
    inner = slice(first[-1] + 1, second[0])
    behind = slice(second[-1] + 1, None)
    once = (*types[: first[0]], types[first[0]], *types[inner], types[second[0]], *types[behind])
    return PairForm(tuple(ids[: first[0]]), tuple(ids[inner]), tuple(ids[behind]), once, truncation)


def _lay_out_as_bert(tokenizer: TextTokenizer) -> None:
    backend = tokenizer.backend
    cls, sep = (backend.id_to_token(tokenizer.special[role]) for role in ("cls", "sep"))
    template = processors.TemplateProcessing(
        single=f"{cls} $A {sep}",
        pair=f"{cls}:0 $A:0 {sep}:0 $B:1 {sep}:1",
        special_tokens=[(cls, tokenizer.special["cls"]), (sep, tokenizer.special["sep"])],
    )
    present = backend.post_processor
    backend.post_processor = template if present is None else processors.Sequence([present, template])


def kept_lengths(first: int, second: int, room: int, truncation: Truncation) -> tuple[int, int]:
    """How many tokens stay of texts of these lengths where `room` is for both: as tokenizers' longest_first shares it
    (the longer text alone as far as that does, then halves), or of the second text what the first leaves."""
    if first + second <= room:
        return first, second
    if truncation == "second_only":
        return first, max(room - first, 0)
    short = min(first, second)
    if short > room // 2:
        short = room // 2
    return (room - short, short) if first > second else (short, room - short)


def encode_pairs(form: PairForm, tokenizer: TextTokenizer, pairs: Sequence[Content], longest: int) -> Encoded:
    """Encode pairs of texts, cut at the end of either text. Raises ValueError for what is none, or has no token of one
    of its texts."""
    firsts, seconds = ids_of_both(tokenizer, pairs)
    rows, types, cut = [], [], []
    b, m = len(form.before), len(form.before) + 1 + len(form.between)
    for number, (first, second) in enumerate(zip(firsts, seconds, strict=True)):
        left, right = kept_lengths(len(first), len(second), longest - form.special, form.truncation)
        if not left or not right:
            why = NO_ROOM if first and second else ONE_SIDED
            raise ValueError(f"row {number}: {why}; a pair needs both, got {pairs[number]!r}")
        rows.append([*form.before, *first[:left], *form.between, *second[:right], *form.after])
        types.append(
            [
                *form.types[:b],
                *[form.types[b]] * left,
                *form.types[b + 1 : m],
                *[form.types[m]] * right,
                *form.types[m + 1 :],
            ]
        )
        cut.append(len(first) + len(second) - left - right)
    ids, kinds = (np.fromiter(chain.from_iterable(parts), np.int32) for parts in (rows, types))
    offsets = np.concatenate([[0], np.cumsum([len(row) for row in rows], dtype=np.int64)])
    labels = np.full(len(ids), IGNORE_INDEX, np.int32)
    return Encoded(ids, labels, offsets, np.array(cut, np.int32), kinds)


def ids_of_both(tokenizer: TextTokenizer, pairs: Sequence[Any]) -> tuple[list[list[int]], list[list[int]]]:
    """Token ids of the first texts, and of the second."""
    return tokenizer.ids([pair[TEXT] for pair in pairs]), tokenizer.ids([pair[TEXT_PAIR] for pair in pairs])
