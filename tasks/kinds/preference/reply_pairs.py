"""Prompts with two replies -> two sequences each, which share the prompt's tokens."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ...data.dialogues.messages import Message
from ...learn.labels import IGNORE_INDEX
from ...text.chat.encoding import NO_TARGET, TOO_LONG, DialogueEncoding, EncodedDialogues, encode_dialogues
from ...text.segments import Encoded
from ...text.tokenizer import TextTokenizer

Pair = tuple[Sequence[Message], Message]
"""A dialogue that ends in the chosen reply, and the rejected one."""
Ints = npt.NDArray[np.int32]
ALIKE = "replies of the same tokens"
APART = "a template that begins the two replies differently"


class Side(NamedTuple):
    """One sequence: its dialogue as it is encoded, the turn at which it starts, its tokens, and how many were cut."""

    dialogue: Sequence[Message]
    start: int
    ids: Ints
    labels: Ints
    cut: int

    @property
    def shown(self) -> Sequence[Message]:
        """The system turn, and the turns of which the sequence has tokens."""
        return _from(self.dialogue, self.start)


@dataclass(frozen=True)
class EncodedPairs:
    """encoded: of the n-th pair that is kept the chosen side is sequence 2n, the rejected one 2n + 1. dialogues: of the
    sequences. kept: the pairs' numbers; dropped: number -> reason."""

    encoded: EncodedDialogues
    dialogues: list[Sequence[Message]]
    kept: list[int]
    dropped: dict[int, str]


def encode_pairs(
    encoding: DialogueEncoding, tokenizer: TextTokenizer, pairs: Sequence[Pair], ids: Sequence[str] = ()
) -> EncodedPairs:
    """Render, tokenise and label both sides of pairs; of a long prompt the oldest turns go, the same from both sides.

    Dropped are pairs of which a side has no room for its last user turn and the reply, or is not trained on, and those
    that no longer differ, or differ before the reply. Raises DataError as `encode_dialogues` does.
    """
    dialogues = [side for chosen, rejected in pairs for side in (chosen, [*chosen[:-1], rejected])]
    rows = [row for row in ids for _ in range(2)]
    sides, reasons = _encode(encoding, tokenizer, dialogues, rows)
    both = {n: (sides[2 * n], sides[2 * n + 1]) for n in range(len(pairs)) if {2 * n, 2 * n + 1} <= sides.keys()}
    again = {n: max(entry.start for entry in two) for n, two in both.items() if two[0].start != two[1].start}
    shorter = [_from(side.dialogue, start) for n, start in again.items() for side in both[n]]
    fitted, _ = _encode(encoding, tokenizer, shorter, [rows[2 * n] for n in again for _ in range(2)] if rows else [])
    for place, n in enumerate(again):
        both[n] = tuple(
            new._replace(cut=old.cut + len(old.ids) - len(new.ids))
            for old, new in zip(both[n], (fitted[2 * place], fitted[2 * place + 1]), strict=True)
        )  # type: ignore[assignment]
    dropped = {n: reasons.get(2 * n) or reasons[2 * n + 1] for n in range(len(pairs)) if n not in both}
    dropped |= {n: reason for n, two in both.items() if (reason := _no_pair(*two))}
    kept = [n for n in both if n not in dropped]
    whole = [side for n in kept for side in both[n]]
    return EncodedPairs(_joined(whole), [side.dialogue for side in whole], kept, dropped)


def _encode(
    encoding: DialogueEncoding, tokenizer: TextTokenizer, dialogues: list[Sequence[Message]], ids: list[str]
) -> tuple[dict[int, Side], dict[int, str]]:
    """The sequence of each dialogue that has one with its last turn supervised, and why others have none."""
    encoded = encode_dialogues(encoding, tokenizer, dialogues, ids)
    flat, sides, reasons = encoded.encoded, {}, dict(encoded.dropped)
    for number, (origin, trained) in enumerate(zip(encoded.origin.tolist(), encoded.trained, strict=True)):
        span = slice(flat.offsets[number], flat.offsets[number + 1])
        if trained != (len(dialogues[origin]) - 1,):
            reasons[origin] = NO_TARGET
        elif flat.lengths[number] > encoding.max_length:
            reasons[origin] = TOO_LONG
        else:
            place = int(encoded.starts[number])
            sides[origin] = Side(dialogues[origin], place, flat.ids[span], flat.labels[span], int(flat.cut[number]))
    return sides, reasons


def _from(dialogue: Sequence[Message], start: int) -> Sequence[Message]:
    """A dialogue's system turn and its turns from `start` on."""
    head = [turn for turn in dialogue[:1] if turn["role"] == "system"]
    return [*head, *dialogue[max(start, len(head)) :]]


def reply_place(labels: Ints) -> int:
    """Where the reply begins in a sequence."""
    return int(np.argmax(labels != IGNORE_INDEX))


def _no_pair(chosen: Side, rejected: Side) -> str | None:
    """Why two sequences are no pair; None where they are one."""
    if np.array_equal(chosen.ids, rejected.ids):
        return ALIKE
    prompt, again = (side.ids[: reply_place(side.labels)] for side in (chosen, rejected))
    return None if np.array_equal(prompt, again) else APART


def _joined(sides: Sequence[Side]) -> EncodedDialogues:
    none = np.zeros(0, np.int32)
    encoded = Encoded(
        np.concatenate([none, *(side.ids for side in sides)]),
        np.concatenate([none, *(side.labels for side in sides)]),
        np.concatenate([[0], np.cumsum([len(side.ids) for side in sides])]).astype(np.int64),
        np.array([side.cut for side in sides], np.int32),
    )
    return EncodedDialogues(
        encoded,
        np.arange(len(sides)),
        np.array([side.start for side in sides], np.int64),
        [(len(side.dialogue) - 1,) for side in sides],
        {},
        0,
    )
