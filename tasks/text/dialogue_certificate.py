"""The mask certificate of dialogues: the rows that training will be given, decoded and held against `expect`."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ..data.messages import Message, is_call
from .certificate import CHUNK, Certificate
from .collation import pad_rows
from .dialogue import DialogueEncoding, EncodedDialogues
from .packing import pack_rows, pad_packed
from .segments import IGNORE_INDEX
from .substitution import Expected, expect
from .tokenizer import TextTokenizer


@dataclass
class DialogueCertificate(Certificate):
    """rows are sequences. turns: those supervised, calls among them; turns_removed: by truncation; lost: of the turns
    that were to be supervised, those that truncation left in no sequence."""

    dialogues: int = 0
    turns: int = 0
    calls: int = 0
    turns_removed: int = 0
    lost: int = 0


class Collated(NamedTuple):
    """One sequence as it lies in a batch: ids, labels and attention (1 or 0) of its place."""

    ids: npt.NDArray[np.int64]
    labels: npt.NDArray[np.int64]
    attention: npt.NDArray[np.int64]


def certify_dialogues(
    encoding: DialogueEncoding, tokenizer: TextTokenizer, encoded: EncodedDialogues, ids: Sequence[str],
    dialogues: Sequence[Sequence[Message]],
) -> DialogueCertificate:  # fmt: skip
    """Check every sequence after truncation and collation; violations name rows by `ids`, one per dialogue."""
    result = DialogueCertificate(
        pad_is_eos=encoding.pad_id in encoding.end_ids,
        cut_rows=int((encoded.encoded.cut > 0).sum()),
        dialogues=len(set(encoded.origin.tolist())),
        lost=encoded.lost,
    )
    for number, collated in _collated(encoding, encoded):
        origin, start, trained = int(encoded.origin[number]), int(encoded.starts[number]), encoded.trained[number]
        dialogue, length = dialogues[origin], int(encoded.encoded.lengths[number])
        expected = expect(encoding, dialogue, start, trained)
        for check in sorted(expected.broken | _broken(encoding, tokenizer, collated, expected, length)):
            result.violations.setdefault(check, []).append(ids[origin])
        result.rows += 1
        result.tokens += length
        result.supervised += int((collated.labels[1:] != IGNORE_INDEX).sum())
        result.turns += len(trained)
        result.calls += sum(is_call(dialogue[turn]) for turn in trained)
        result.turns_removed += max(start - (dialogue[0]["role"] == "system"), 0)
    result.violations = {check: list(dict.fromkeys(rows)) for check, rows in result.violations.items()}
    return result


def _collated(encoding: DialogueEncoding, encoded: EncodedDialogues) -> Iterator[tuple[int, Collated]]:
    """Every sequence as collation lays it out, alone in its row or packed."""
    flat = encoded.encoded
    width = encoding.max_length if encoding.padding == "max_length" else None
    if encoding.packing:
        rows = pack_rows(flat.lengths, encoding.max_length)
        for begin in range(0, len(rows), CHUNK):
            chunk = rows[begin : begin + CHUNK]
            batch = pad_packed(flat, chunk, encoding.pad_id, width)
            for row, numbers in enumerate(chunk):
                yield from zip(numbers, _unpacked({name: batch[name][row] for name in batch}), strict=False)
        return
    for begin in range(0, len(flat), CHUNK):
        alone = range(begin, min(begin + CHUNK, len(flat)))
        batch = pad_rows(flat, alone, encoding.pad_id, width)
        for row, number in enumerate(alone):
            yield number, Collated(batch["input_ids"][row], batch["labels"][row], batch["attention_mask"][row])


def _unpacked(row: dict[str, Any]) -> Iterator[Collated]:
    """The sequences of a packed row by transformers' rule: one begins where positions do not go up by one."""
    positions = row["position_ids"]
    edges = [0, *(np.flatnonzero(np.diff(positions) != 1) + 1).tolist(), len(positions)]
    for begin, end in pairwise(edges):
        yield Collated(row["input_ids"][begin:end], row["labels"][begin:end], np.ones(end - begin, np.int64))


def _broken(
    encoding: DialogueEncoding, tokenizer: TextTokenizer, found: Collated, expected: Expected, length: int
) -> set[str]:
    """The checks that one collated sequence breaks."""
    marked = found.labels != IGNORE_INDEX
    runs = _runs(marked)
    whole, *texts = tokenizer.decode([found.ids[:length].tolist(), *(found.ids[a:b].tolist() for a, b in runs)])
    wanted_text, *wanted = _given_back(tokenizer, [expected.text, *expected.runs], whole)
    if [wanted_text, *wanted] != [expected.text, *expected.runs]:
        whole, *texts = map(_squeezed, [whole, *texts])
    special = tokenizer.special_ids
    control = {number for text, number in special.items() if text != tokenizer.unknown}
    checks = {
        "no supervised token": not marked[1:].any(),
        "attention is not the row's length": not np.array_equal(found.attention, np.arange(len(marked)) < length),
        "a pad is supervised": bool(marked[length:].any()),
        "label ids differ from input ids": bool((marked & (found.labels != found.ids)).any()),
        "supervised runs are not the trained turns": len(runs) != len(expected.runs),
        "a supervised run is not what the model writes": texts != wanted,
        "an end-of-turn token is not supervised": any(found.ids[b - 1] not in encoding.end_ids for _, b in runs),
        "an end-of-turn token is not attended": any(not found.attention[b - 1] for _, b in runs),
        "the text is not the dialogue's": whole != wanted_text,
        "content became a special token": [n for n in found.ids[:length].tolist() if n in control]
        != [special[token] for token in expected.specials if special[token] in control],
    }
    return {name for name, broken in checks.items() if broken}


def _runs(marked: npt.NDArray[np.bool_]) -> list[tuple[int, int]]:
    """The [start, end) of every stretch of supervised tokens."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], marked, [False]]).astype(np.int8)))
    return [(int(begin), int(end)) for begin, end in edges.reshape(-1, 2)]


def _given_back(tokenizer: TextTokenizer, texts: list[str], whole: str) -> list[str]:
    """The texts as the tokenizer gives them back; without white space where that is not as they were."""
    if whole == texts[0]:
        return texts
    back = tokenizer.decode(tokenizer.marked_ids(texts))
    return texts if back == texts else [_squeezed(text) for text in back]


def _squeezed(text: str) -> str:
    return "".join(text.split())
