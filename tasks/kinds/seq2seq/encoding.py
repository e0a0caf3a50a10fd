"""Texts and targets -> what an encoder reads and a decoder writes: the one renderer for both."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
import numpy.typing as npt

from ...learn.labels import IGNORE_INDEX
from ...text.collation import Matrix, pad_rows
from ...text.encoding import FILE, read_encoding
from ...text.segments import Encoded, Segment, encode_segments
from ...text.tokenizer import TextTokenizer

UNCUT = 2**31 - 1


@dataclass(frozen=True)
class Seq2SeqEncoding:
    """Everything that a text needs to become model input, as saved next to the tokenizer.

    prefix stands before each text. max_length: of a source, max_target: of a target, in tokens, each with its end.
    special: the id of eos. pad_id fills; attention is by length, never by id.
    """

    prefix: str
    special: dict[str, int]
    max_length: int
    max_target: int
    padding: Literal["longest", "max_length"]
    pad_id: int
    kind: Literal["seq2seq"] = "seq2seq"
    labels: tuple[str, ...] = ()
    label_ids: tuple[int, ...] = ()
    new_tokens: ClassVar[tuple[int, ...]] = ()

    def encode(self, tokenizer: TextTokenizer, texts: Sequence[str]) -> Encoded:
        """What the encoder reads: prefix, text, end; the end of a long text is cut off."""
        rows = [[Segment(self.prefix + text), Segment(None, (self.special["eos"],))] for text in texts]
        return encode_segments(rows, tokenizer.ids, self.max_length, keep="first")

    def encode_targets(self, tokenizer: TextTokenizer, targets: Sequence[str]) -> Encoded:
        """What the decoder writes, whole: the target and its end, all of it supervised."""
        end = Segment(None, (self.special["eos"],), supervised=True)
        rows = [[Segment(target, supervised=True), end] for target in targets]
        return encode_segments(rows, tokenizer.ids, UNCUT, keep="first")

    def save(self, folder: Path) -> None:
        """Write encoding.json."""
        text = json.dumps(asdict(self), ensure_ascii=False, indent=1, sort_keys=True)
        (folder / FILE).write_text(text, encoding="utf-8")


def load_seq2seq_encoding(path: Path) -> Seq2SeqEncoding:
    """Read encoding.json."""
    return read_encoding(path, Seq2SeqEncoding)


def join_pairs(sources: Encoded, targets: Encoded) -> Encoded:
    """One row per pair, as it is stored: the source, unsupervised, and behind it the target, supervised."""
    lengths = sources.lengths + targets.lengths
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    within = np.arange(offsets[-1]) - np.repeat(offsets[:-1], lengths)
    first = within < np.repeat(sources.lengths, lengths)
    ids = np.empty(len(within), np.int32)
    ids[first], ids[~first] = sources.ids, targets.ids
    return Encoded(ids, np.where(first, IGNORE_INDEX, ids).astype(np.int32), offsets, sources.cut)


def split_pairs(encoded: Encoded, rows: Sequence[int] | npt.NDArray[np.int64]) -> tuple[Encoded, Encoded]:
    """The sources and the targets of some rows of pairs."""
    chosen = np.asarray(rows, np.int64)
    lengths = encoded.lengths[chosen]
    row_of = np.repeat(np.arange(len(chosen)), lengths)
    starts = np.cumsum(lengths) - lengths
    at = np.arange(len(row_of)) - starts[row_of] + encoded.offsets[chosen][row_of]
    given = encoded.labels[at] == IGNORE_INDEX
    halves = []
    for half in (given, ~given):
        counts = np.bincount(row_of[half], minlength=len(chosen))
        offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        halves.append(Encoded(encoded.ids[at[half]], encoded.labels[at[half]], offsets, encoded.cut[chosen]))
    return halves[0], halves[1]


def pad_pairs(
    encoding: Seq2SeqEncoding, encoded: Encoded, rows: Sequence[int] | npt.NDArray[np.int64]
) -> dict[str, Matrix]:
    """input_ids and attention_mask, int64 [len(rows), source length], and labels [len(rows), target length].

    Labels are -100 behind a target's end because of where that is, whatever the pad's id; the model makes of them what
    its decoder is given, by its own start token.
    """
    fixed = encoding.padding == "max_length"
    sources, targets = split_pairs(encoded, rows)
    every = range(len(sources))
    left = pad_rows(sources, every, encoding.pad_id, encoding.max_length if fixed else None)
    right = pad_rows(targets, every, encoding.pad_id, encoding.max_target if fixed else None)
    return {"input_ids": left["input_ids"], "attention_mask": left["attention_mask"], "labels": right["labels"]}
