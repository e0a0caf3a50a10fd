"""A second, independent inspect tags as training reads them: every word of every row is predicted once, with its tag.

Nothing of the windows' layout is used here. Each row's words are given to the tokenizer again, one behind the other,
and each window is searched for among their pieces: where it must lie follows from its first label, which is that of the
first word that no window before it predicts.
"""

from collections.abc import Sequence
from itertools import groupby
from typing import Any

import numpy as np

from ...data.tags.rows import Tagged, read_tags
from ...learn.labels import IGNORE_INDEX
from ...text.certificate import Broken, Certificate, attention_odd, gather
from ...text.collation import pad_rows
from ...text.parts import Part
from ...text.tokenizer import TextTokenizer
from .encoding import TagEncoding, entities_in

TOKENS = "the tokens are not the row's words"
ONCE = "a word is not predicted exactly once"
OTHERS = "a tag stands next to the first piece of a word"
INSIDE = "a further piece of a word has another tag than the inside of its entity"
Window = tuple[list[int], list[int]]
"""Ids and labels of a window, without its class token and separator."""
ENTITIES = "the tags are not those of the row's entities"


def certify_tags(
    encoding: TagEncoding, tokenizer: TextTokenizer, part: Part, texts: Sequence[str], tags: Sequence[str]
) -> Certificate:
    """Check every window after collation, and every row (texts and tags, in the order of `part`) as a whole."""
    width = encoding.max_length if encoding.padding == "max_length" else None

    def look(chosen: range) -> tuple[Broken, int, int]:
        batch = pad_rows(part.encoded, chosen, encoding.pad_id, width)
        lengths = part.encoded.lengths[chosen.start : chosen.stop]
        ids, last = batch["input_ids"], np.maximum(lengths - 1, 0)
        odd = {
            "attention is not the row's length": attention_odd(batch, lengths),
            "the first token is not the class token": ids[:, 0] != encoding.special["cls"],
            "the last token is not the separator": ids[np.arange(len(ids)), last] != encoding.special["sep"],
            "a row is longer than max_length": lengths > encoding.max_length,
        }
        return odd, int(lengths.sum()), int((batch["labels"] != IGNORE_INDEX).sum())

    result = gather(Certificate(), part.encoded, part.ids, look)
    result.violations |= {check: [] for check in (TOKENS, ONCE, OTHERS, INSIDE, ENTITIES)}
    grouped = [
        (row, [number for number, _ in windows])
        for row, windows in groupby(enumerate(part.ids), key=lambda pair: pair[1])
    ]
    for (row, windows), text, written in zip(grouped, texts, tags, strict=True):
        inside = [_inside(part, number) for number in windows]
        for check in _broken(encoding, tokenizer, inside, text, read_tags(text, written)):
            result.violations[check].append(row)
    return result


def _inside(part: Part, number: int) -> Window:
    inside = slice(part.encoded.offsets[number] + 1, part.encoded.offsets[number + 1] - 1)
    return part.encoded.ids[inside].tolist(), part.encoded.labels[inside].tolist()


def _broken(encoding: TagEncoding, tokenizer: TextTokenizer, windows: list[Window], text: str, row: Tagged) -> set[str]:
    """The checks that a row breaks."""
    flat, firsts = _pieces(encoding, tokenizer, text, row)
    decoded: list[str] = []
    broken: set[str] = set()
    for ids, labels in windows:
        marked = [place for place, label in enumerate(labels) if label != IGNORE_INDEX]
        if not marked or len(decoded) >= len(row.words):
            return broken | {ONCE}
        start = firsts[len(decoded)] - marked[0]
        if start < 0 or flat[start : start + len(ids)] != ids:
            return broken | {TOKENS}
        heads = [place for place in marked if start + place in firsts]
        others = [place for place in marked if start + place not in firsts]
        expected = [place - start for place in firsts[len(decoded) : len(decoded) + len(heads)]]
        broken |= {ONCE} if heads != expected else set()
        broken |= _others(encoding, heads, others, labels, [firsts, start])
        decoded += [encoding.labels[labels[place]] for place in heads]
    if len(decoded) != len(row.words):
        return broken | {ONCE}
    return broken if _same(encoding, row, decoded) else broken | {ENTITIES}


def _pieces(encoding: TagEncoding, tokenizer: TextTokenizer, text: str, row: Tagged) -> tuple[list[int], list[int]]:
    """All pieces of a row's words behind one another, and at which of them each word begins."""
    flat: list[int] = []
    firsts = []
    for start, stop in row.words:
        spaced = start > 0 and text[start - 1].isspace()
        pieces = tokenizer.ids([f" {text[start:stop]}" if spaced else text[start:stop]])[0]
        firsts.append(len(flat))
        flat += pieces[: encoding.max_length - 2] if pieces else [encoding.special["unk"]]
    return flat, firsts


def _others(encoding: TagEncoding, heads: list[int], others: list[int], labels: list[int], at: list[Any]) -> set[str]:
    """What is wrong with labels behind a word's first piece; there are none, unless all pieces are trained."""
    if encoding.pieces == "first":
        return {OTHERS} if others else set()
    firsts, start = at
    ends = {place - start for place in firsts} | {len(labels)}
    broken = set()
    for head in heads:
        stop = min(end for end in ends if end > head)
        tag = encoding.labels[labels[head]]
        inside = encoding.labels.index(tag if tag == "O" else f"I-{tag[2:]}")
        broken |= {INSIDE} if any(label != inside for label in labels[head + 1 : stop]) else set()
        others = [place for place in others if not head < place < stop]
    return broken | ({OTHERS} if others else set())


def _same(encoding: TagEncoding, row: Tagged, tags: list[str]) -> bool:
    """Whether tags come to the row's entities, each widened to the whole words that it touches."""
    due = []
    for start, stop, label in row.entities:
        touched = [word for word in row.words if word[0] < stop and word[1] > start]
        due.append((touched[0][0], touched[-1][1], label))
    return [tuple(entity) for entity in entities_in(row.words, tags)] == due
