"""A rendered text -> token ids of the whole of it, as transformers has them, and where in the text each begins."""

from bisect import bisect_left
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from ..tokenizer import TextTokenizer
from .special_tokens import Spellings

ANCHORS = ("\n", "|", "a", ".")
"""Put before a text that goes on another, so that nothing is added to its beginning; the first that stays apart."""

KNOWN = 4096
"""Beginnings of turns that are remembered."""


class Tokens(NamedTuple):
    """ids, and the place in the text where each token begins. cut: how many borders lay within a token."""

    ids: list[int]
    starts: list[int]
    cut: int = 0

    def place(self, border: int) -> int:
        """The number of tokens that begin before a place in the text."""
        return bisect_left(self.starts, border)


class WholeText:
    """Texts to tokens, with one tokenizer."""

    def __init__(self, tokenizer: TextTokenizer) -> None:
        self.tokenizer = tokenizer
        self._specials = frozenset(tokenizer.special_ids.values())
        self._known = lru_cache(KNOWN)(self._tokens)

    def encode(self, texts: Sequence[tuple[str, Sequence[int]]], spellings: Sequence[Spellings]) -> list[Tokens]:
        """Texts with the borders before which the ids must be those of the text up to there: what generation is given.

        Where a token would reach over a border it is cut there.
        """
        plain = [n for n, (text, _) in enumerate(texts) if not spellings[n].hidden_in(text)]
        placed = dict(zip(plain, self.tokenizer.placed_ids([texts[n][0] for n in plain]), strict=True))
        whole = [
            Tokens(*placed[n]) if n in placed else self._tokens(text, spellings[n]) for n, (text, _) in enumerate(texts)
        ]
        pairs = zip(whole, texts, spellings, strict=True)
        return [self._bordered(tokens, text, borders, hidden) for tokens, (text, borders), hidden in pairs]

    def _bordered(self, tokens: Tokens, text: str, borders: Sequence[int], spellings: Spellings) -> Tokens:
        """Tokens cut at borders before which they are not what the text up to there gives, inspected from the last
        special token on, which no merge reaches over, or from the last cut."""
        ids, starts, cut = tokens
        settled, since = 0, 0
        for border in borders:
            if not 0 < border < len(text):
                continue
            n = bisect_left(starts, border)
            safe = next((i for i in range(n - 1, settled - 1, -1) if ids[i] in self._specials), None)
            kept, base = (settled, since) if safe is None else (safe, starts[safe])
            before = self._known(text[base:border], spellings, first=safe is not None or not settled)
            if ids[kept:n] == before.ids:
                continue
            behind = self._tokens(text[border:], spellings, first=False)
            ids = [*ids[:kept], *before.ids, *behind.ids]
            starts = [*starts[:kept], *(base + at for at in before.starts), *(border + at for at in behind.starts)]
            settled, since, cut = kept + len(before.ids), border, cut + 1
        return Tokens(ids, starts, cut)

    def _tokens(self, text: str, spellings: Spellings, *, first: bool = True) -> Tokens:
        """Tokens of a text, each spelling in it as the letters that it is; first: nothing stands before it."""
        ids: list[int] = []
        starts: list[int] = []
        for at, part, literal in spellings.parts(text):
            opens = first and at == 0 and not literal
            placed = self.tokenizer.placed_ids([part])[0] if opens else self._continued(part, marked=not literal)
            ids += placed[0]
            starts += [at] * len(placed[0]) if literal else [at + start for start in placed[1]]
        return Tokens(ids, starts)

    def _continued(self, text: str, *, marked: bool) -> tuple[list[int], list[int]]:
        """Tokens of a text that goes on another: without the sign that SentencePiece puts before a first word."""
        for anchor in ANCHORS:
            ids, starts = self.tokenizer.placed_ids([anchor + text], marked=marked)[0]
            size = bisect_left(starts, len(anchor))
            if size < len(ids) and ids[:size] == self.tokenizer.ids([anchor])[0]:
                return ids[size:], [start - len(anchor) for start in starts[size:]]
        return self.tokenizer.placed_ids([text], marked=marked)[0]
