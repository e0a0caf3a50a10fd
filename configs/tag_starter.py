"""Facts about texts whose words are tagged -> the text of a commented starter recipe for token classification."""

import math
from collections.abc import Callable
from dataclasses import dataclass

from .recipe_comments import Lines, StarterModel, counted, flow, register_lines, spelt, variant_lines
from .starter_source import source_lines, split_column
from .text_starter import BERT, BERT_REPO, TextFacts, TextStarter

LONGEST = 256
"""Longest row of a starter recipe, in tokens; longer texts are read in windows."""


@dataclass(frozen=True, kw_only=True)
class TagFacts(TextFacts):
    """What was seen of texts and tags.

    types: entities per type. notes: of the reading (the scheme, what cannot be read). variants: types that are
    spellings of one type.
    """

    types: dict[str, int]
    notes: list[str]
    variants: str = ""


@dataclass(frozen=True)
class TagStarter(TextStarter):
    """What the text follows from; see `Starter`."""

    facts: TagFacts

    def seen(self) -> dict[str, str]:
        """What was seen, in words."""
        facts, columns = self.facts, self.facts.columns
        what = f"tags of the words in {columns.tokens!r}" if columns.tags else f"spans of the texts in {columns.text!r}"
        return {
            "rows": f"{facts.rows:,}",
            "tags": f"{columns.tags or columns.spans!r}: {what}",
            "entities": counted(facts.types),
            **spelt(facts.variants),
            **self.prepared(),
        }

    def aim(self, rows: str) -> str:
        """What is learnt from these rows, as a sentence."""
        return f"A small BERT learns, from {rows}, to find entities."

    def sections(self) -> list[Callable[[], Lines]]:
        """Those of the recipe, in their order."""
        prepared = [self._download, self._validate, self._clean, self.split_section]
        return [*prepared, self._encode, self._train, self._register]

    def _download(self) -> Lines:
        columns = self.facts.columns
        yield from source_lines(self.source, self.path)
        yield "  columns:", ""
        if columns.tags:
            yield f"    tokens: {flow(columns.tokens)}", "the words"
            yield f"    tags: {flow(columns.tags)}", f"one for each word; {counted(self.facts.types)}"
            yield f"    scheme: {columns.scheme}", "that the tags are in; so named, no further row changes it"
        else:
            yield f"    text: {flow(columns.text)}", ""
            yield f"    spans: {flow(str(columns.spans))}", f"in characters; {counted(self.facts.types)}"
        yield from split_column(self.source, columns)

    def _validate(self) -> Lines:
        yield "validate:", "a run stops where the rows break one of these"
        yield from variant_lines(self.facts.variants)
        yield from self.bounds()

    def _clean(self) -> Lines:
        yield "clean:", self.seen()["clean"]
        yield "  steps:", "none that changes a text, in which the tags have their places"
        yield "  - missing", ""
        yield "  - contradictions", "the same text with different tags: none is kept"
        yield "  - duplicates", ""

    def _encode(self) -> Lines:
        yield from self.encode_head("token_classification", BERT_REPO)
        usual = 2 * self.tokens[math.ceil(0.99 * len(self.tokens)) - 1]
        room = min(LONGEST, max(80, -(-usual // 8) * 8))
        yield f"  max_length: {room}", "in tokens; a longer text is read in windows"

    def _train(self) -> Lines:
        rows = self.facts.parts["train"]
        model = StarterModel(*BERT, BERT_REPO, pretrained_rate="5e-5")
        return model.train_lines(16, rows, 5 if rows < 5000 else 3)

    def _register(self) -> Lines:
        return register_lines(self.name, "entity_f1")
