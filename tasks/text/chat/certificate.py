"""The mask certificate of dialogues: the rows that training will be given, decoded and compared with `expect`."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ...data.dialogues.messages import Message, is_call
from ...learn.labels import IGNORE_INDEX
from ..certificate import CHUNK, Certificate
from ..collation import pad_rows
from ..tokenizer import TextTokenizer
from .encoding import DialogueEncoding, EncodedDialogues
from .expected_text import Expected, expect
from .packing import pack_rows, pad_packed

SPACED = " a word\n and another"
"""Decoded piece by piece, it is itself with tokenizers that keep white space."""


FIXES = {
    "an empty turn": "drop empty turns by the step drop_empty_turns of clean",
    "leaves out part": "give texts and calls turns of their own, or take another encode.template",
    "turn says is written otherwise": "take a template that writes contents as they are, or change such texts in clean",
    "leaves out a turn": "take an encode.template that writes such turns, or drop these dialogues in clean",
    "system turn is missing": "take an encode.template that writes system turns, or drop them from the data",
    "tools are missing": "take the model's template for tools (encode.template_name), or chatml",
    "Python's text": "write a call's arguments by the filter tojson in the template",
    "header is supervised": "fix what the template writes at add_generation_prompt, or join consecutive turns",
    "end-of-turn token stands within": "leave out texts before calls, leave `call` out of encode.train_on, or take "
    "another encode.template",
    "thoughts are missing": "take a template that writes thoughts, set encode.template_options, or leave `thoughts` "
    "out of encode.train_on",
    "which it is not given": "name the token in the tokenizer's tokenizer_config.json",
    "generation blocks": "fix the template's {% generation %} blocks, or take it without them",
    "no supervised token": "raise encode.max_length, or train on more kinds (encode.train_on)",
}
"""Words of a check -> what helps where it is broken."""
OTHER = "take another encode.template, or drop these dialogues in clean; nothing is trained on a mask in doubt"


@dataclass
class DialogueCertificate(Certificate):
    """rows are sequences. turns: those supervised, calls among them; turns_removed: by truncation; lost: of the turns
    that were to be supervised, those that truncation left in no sequence. unsystemed: sequences whose system turn the
    template leaves out, in training as in inference."""

    dialogues: int = 0
    turns: int = 0
    calls: int = 0
    turns_removed: int = 0
    lost: int = 0
    thoughts: int = 0
    own_ids: int = 0
    unsystemed: int = 0
    split: int = 0

    def fix(self, check: str) -> str:
        """What helps where a check is broken."""
        return next((fix for words, fix in FIXES.items() if words in check), OTHER)


class Collated(NamedTuple):
    """One sequence as it lies in a batch: ids, labels and attention (1 or 0) of its place."""

    ids: npt.NDArray[np.int64]
    labels: npt.NDArray[np.int64]
    attention: npt.NDArray[np.int64]


def certify_dialogues(
    encoding: DialogueEncoding,
    tokenizer: TextTokenizer,
    encoded: EncodedDialogues,
    ids: Sequence[str],
    dialogues: Sequence[Sequence[Message]],
) -> DialogueCertificate:
    """Check every sequence after truncation and collation; violations name rows by `ids`, one per dialogue."""
    result = DialogueCertificate(
        pad_is_eos=encoding.pad_id in encoding.end_ids,
        cut_rows=int((encoded.encoded.cut > 0).sum()),
        dialogues=len(set(encoded.origin.tolist())),
        lost=encoded.lost,
        split=encoded.split,
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
        result.own_ids += expected.own_ids
        result.unsystemed += expected.unsystemed
        if "thoughts" in encoding.train_on:
            result.thoughts += sum(bool(dialogue[turn].get("reasoning_content")) for turn in trained)
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
    encoding: DialogueEncoding, tokenizer: TextTokenizer, collated: Collated, expected: Expected, length: int
) -> set[str]:
    """The checks that one collated sequence breaks."""
    marked = collated.labels != IGNORE_INDEX
    runs = _runs(marked)
    whole, *texts = tokenizer.decode([collated.ids[:length].tolist(), *(collated.ids[a:b].tolist() for a, b in runs)])
    whole_ids, ends = collated.ids[:length].tolist(), set(encoding.end_ids)
    special = tokenizer.special_ids
    control = {number for text, number in special.items() if text != tokenizer.unknown}
    due, decoded = [expected.text, *expected.runs], [whole, *texts]
    if due != decoded and len(due) == len(decoded) and not _keeps_space(tokenizer, expected.text):
        back = map(_squeezed, tokenizer.decode(tokenizer.marked_ids(due)))
        decoded = [_squeezed(run) for run in decoded]
        plain = map(_squeezed, due)
        due = [again if run == again else text for run, again, text in zip(decoded, back, plain, strict=True)]
    elif len(due) != len(decoded) and not _keeps_space(tokenizer, expected.text):
        decoded, due = ([_squeezed(run), _squeezed("".join(rest))] for run, *rest in (decoded, due))
    stops = tuple(ending.token for ending in encoding.endings.values())

    def ended(run: str) -> bool:
        return run.endswith(stops) or "thoughts" not in encoding.train_on

    checks = {
        "no supervised token": not marked[1:].any(),
        "attention is not the row's length": not np.array_equal(collated.attention, np.arange(len(marked)) < length),
        "a pad is supervised": bool(marked[length:].any()),
        "label ids differ from input ids": bool((marked & (collated.labels != collated.ids)).any()),
        "supervised runs are not the trained turns": len(runs) != len(expected.runs) and decoded[1:] != due[1:],
        "a supervised run is not what the model generates": decoded[1:] != due[1:],
        "an end-of-turn token is not supervised": any(
            collated.ids[b - 1] not in ends for (_, b), run in zip(runs, expected.runs, strict=False) if ended(run)
        ),
        "token ids are not those of the whole text": not _whole(tokenizer, whole_ids, expected),
        "an end-of-turn token is not attended": any(not collated.attention[b - 1] for _, b in runs),
        "the text is not the dialogue's": decoded[0] != due[0],
        "content became a special token": [n for n in collated.ids[:length].tolist() if n in control]
        != [special[token] for token in expected.specials if special[token] in control],
    }
    return {name for name, broken in checks.items() if broken}


def _whole(tokenizer: TextTokenizer, ids: list[int], expected: Expected) -> bool:
    """Whether ids are those of the whole text, or begin with those of the last turn's prompt where the whole text's do
    not. Texts that spell special tokens have no ids of their own to be compared with."""
    due, given = tokenizer.marked_ids([expected.text, expected.text[: expected.prompt]])
    control = {number for text, number in tokenizer.special_ids.items() if text != tokenizer.unknown}
    if ids == due or [n for n in due if n in control] != [
        tokenizer.special_ids[special] for special in expected.specials
    ]:
        return True
    return len(expected.runs) == 1 and due[: len(given)] != given == ids[: len(given)]


def _runs(marked: npt.NDArray[np.bool_]) -> list[tuple[int, int]]:
    """The [start, end) of every stretch of supervised tokens."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], marked, [False]]).astype(np.int8)))
    return [(int(begin), int(end)) for begin, end in edges.reshape(-1, 2)]


def _keeps_space(tokenizer: TextTokenizer, text: str) -> bool:
    """Whether the tokenizer gives white space back as it was, piece by piece; where not, a text's ids hold it."""
    pieces = tokenizer.decode([[number] for number in tokenizer.ids([SPACED])[0]])
    return "".join(pieces) == SPACED and tokenizer.decode(tokenizer.marked_ids([text])) == [text]


def _squeezed(text: str) -> str:
    """A text without white space, and without the sign that SentencePiece writes for it."""
    return "".join(text.replace("▁", " ").split())
