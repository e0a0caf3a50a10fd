"""A second, independent check of pairs of source and target as training reads them: decoded, against the raw rows."""

from collections.abc import Callable, Sequence

import numpy as np

from ...learn.labels import IGNORE_INDEX
from ...text.certificate import Batch, Broken, Certificate, RawRows, begins, differ, gather
from ...text.parts import Part
from ...text.segments import Encoded
from ...text.tokenizer import TextTokenizer
from .encoding import Seq2SeqEncoding, pad_pairs

Collate = Callable[[Seq2SeqEncoding, Encoded, Sequence[int]], Batch]


def certify_pairs(
    encoding: Seq2SeqEncoding,
    tokenizer: TextTokenizer,
    part: Part,
    raw: RawRows,
    collate: Collate = pad_pairs,
) -> Certificate:
    """Check every row after truncation and collation; what is expected is made from the raw texts again."""

    def look(rows: range) -> tuple[Broken, int, int]:
        batch = collate(encoding, part.encoded, rows)
        read = tokenizer.ids([f"{encoding.prefix}{raw.contents[row]}" for row in rows])
        due = tokenizer.ids([raw.truth[row] for row in rows])
        broken = _source_checks(encoding, tokenizer, batch, read) | _target_checks(encoding, tokenizer, batch, due)
        counted = int((batch["labels"] != IGNORE_INDEX).sum())
        return broken, int(batch["attention_mask"].sum()) + counted, counted

    return gather(Certificate(pad_is_eos=encoding.pad_id == encoding.special["eos"]), part.encoded, part.ids, look)


def _source_checks(encoding: Seq2SeqEncoding, tokenizer: TextTokenizer, batch: Batch, read: list[list[int]]) -> Broken:
    inputs, rows = batch["input_ids"], np.arange(len(read))
    lengths = np.array([min(len(ids) + 1, encoding.max_length) for ids in read])
    width = inputs.shape[1]
    given = tokenizer.decode([inputs[row, : n - 1].tolist() for row, n in zip(rows, lengths, strict=True)])
    return {
        "attention is not the source's length": (batch["attention_mask"] != (np.arange(width) < lengths[:, None])).any(
            1
        ),
        "the source does not end with the end token": inputs[rows, np.minimum(lengths, width) - 1]
        != encoding.special["eos"],
        "the given text is not the row's": differ(given, tokenizer.decode(read), lengths < encoding.max_length, begins),
    }


def _target_checks(encoding: Seq2SeqEncoding, tokenizer: TextTokenizer, batch: Batch, due: list[list[int]]) -> Broken:
    labels = batch["labels"]
    marked = labels != IGNORE_INDEX
    lengths = np.array([len(ids) + 1 for ids in due])
    last = labels[np.arange(len(due)), np.minimum(lengths, labels.shape[1]) - 1]
    written = tokenizer.decode([row[kept][:-1].tolist() for row, kept in zip(labels, marked, strict=True)])
    return {
        "no supervised token": ~marked.any(1),
        "what is supervised is not the target's length": (
            marked != (np.arange(labels.shape[1]) < lengths[:, None])
        ).any(1)
        | (lengths > labels.shape[1]),
        "the target is longer than max_target": lengths > encoding.max_target,
        "the target does not end with a supervised end token": last != encoding.special["eos"],
        "the supervised text is not the row's target": np.array(
            [a != b for a, b in zip(written, tokenizer.decode(due), strict=True)], bool
        ),
    }
