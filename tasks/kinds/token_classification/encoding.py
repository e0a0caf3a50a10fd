"""How texts become windows of word pieces, and tags their labels: the one renderer of training and inference."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from typing import Literal

import numpy as np

from ...data.tags.rows import Span, words_between_spaces, words_of
from ...data.tags.schemes import OUTSIDE, Entity, entities_of
from ...learn.labels import IGNORE_INDEX
from ...text.encoding import Encoding
from ...text.segments import Encoded
from ...text.tokenizer import TextTokenizer
from .windows import Windows, lay_out


@dataclass(frozen=True)
class TagEncoding(Encoding):
    """Class token, the pieces of words, separator. labels: tags in IOB2, in class-id order, O first. special: `unk`
    too, which stands for a word of which the tokenizer leaves nothing.

    overlap: pieces that windows share. pieces: those of a word that are trained. tokens: whether the rows were tokens,
    which single spaces separate; else their words follow from the text.
    """

    overlap: int
    pieces: Literal["first", "all"]
    tokens: bool

    def words(self, text: str) -> list[Span]:
        """The words of a text of the kind of rows that the model was trained on."""
        return words_between_spaces(text) if self.tokens else words_of(text)

    def windows(
        self,
        tokenizer: TextTokenizer,
        texts: Sequence[str],
        words: Sequence[Sequence[Span]],
        tags: Sequence[Sequence[str]] | None = None,
    ) -> Windows:
        """Every text in windows; the first piece of each word has its tag's class id as label, in one window.

        With pieces "all" the others have that of the inside of its entity; without `tags` there are no labels.
        """
        pieces = self._pieces(tokenizer, texts, words)
        ids: list[list[int]] = []
        labels: list[list[int]] = []
        rows, cut, window, place = [], [], [], []
        for row, parts in enumerate(pieces):
            budget = self.max_length - 2
            for shown in lay_out([min(len(part), budget) for part in parts], budget, self.overlap):
                line, marks = [self.special["cls"]], [IGNORE_INDEX]
                for word in range(shown.start, shown.stop):
                    part = parts[word][:budget]
                    scored = shown.first <= word < shown.last
                    if scored:
                        window.append(len(ids))
                        place.append(len(line))
                    marks += self._labels(tags[row][word] if tags and scored else None, len(part))
                    line += part
                ids.append([*line, self.special["sep"]])
                labels.append([*marks, IGNORE_INDEX])
                rows.append(row)
                cut.append(sum(max(len(part) - budget, 0) for part in parts[shown.first : shown.last]))
        offsets = np.concatenate([[0], np.cumsum([len(line) for line in ids])]).astype(np.int64)
        flat, marked = (np.array([*chain.from_iterable(lines)], np.int32) for lines in (ids, labels))
        return Windows(
            Encoded(flat, marked, offsets, np.array(cut, np.int32)),
            rows=np.array(rows, np.int64),
            window=np.array(window, np.int64),
            place=np.array(place, np.int64),
            words=np.array([len(parts) for parts in pieces], np.int64),
        )

    def _pieces(
        self, tokenizer: TextTokenizer, texts: Sequence[str], words: Sequence[Sequence[Span]]
    ) -> list[list[list[int]]]:
        """Ids of each word, with the space before it, as tokenizers of bytes read it."""
        forms = [
            [f"{' ' if text[max(start - 1, 0) : start].isspace() else ''}{text[start:stop]}" for start, stop in spans]
            for text, spans in zip(texts, words, strict=True)
        ]
        different = list(dict.fromkeys(form for row in forms for form in row))
        known = dict(zip(different, tokenizer.ids(different) if different else [], strict=True))
        return [[known[form] or [self.special["unk"]] for form in row] for row in forms]

    def _labels(self, tag: str | None, count: int) -> list[int]:
        if tag is None:
            return [IGNORE_INDEX] * count
        inside = f"I{tag[1:]}" if tag != OUTSIDE else tag
        rest = IGNORE_INDEX if self.pieces == "first" else self._ids[inside]
        return [self._ids[tag], *[rest] * (count - 1)]

    @cached_property
    def _ids(self) -> dict[str, int]:
        return {tag: number for number, tag in enumerate(self.labels)}


def tags_of(words: Sequence[Span], entities: Sequence[Entity]) -> list[str] | None:
    """A tag in IOB2 for each word that an entity overlaps, O for the others; None where two entities share a word."""
    tags = [OUTSIDE] * len(words)
    for entity in entities:
        shared = [place for place, (start, stop) in enumerate(words) if start < entity.stop and stop > entity.start]
        if any(tags[place] != OUTSIDE for place in shared):
            return None
        for number, place in enumerate(shared):
            tags[place] = f"{'I' if number else 'B'}-{entity.label}"
    return tags


def entities_in(words: Sequence[Span], tags: Sequence[str]) -> list[Entity]:
    """Entities in characters, from the tags of words."""
    return [
        Entity(words[entity.start][0], words[entity.stop - 1][1], entity.label)
        for entity in entities_of(tags, "iob2")[0]
    ]
