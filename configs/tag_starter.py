"""Facts about texts whose words are tagged -> the text of a commented starter recipe for token classification."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .recipe_comments import (
    Lines,
    NewModel,
    cleaned,
    counted,
    divided,
    flow,
    longest_line,
    opening,
    plain,
    recipe_text,
    register_lines,
    row_lines,
    share_lines,
    spelt,
    variant_lines,
)
from .sources import Columns
from .splitting import GivenSplit, HashSplit
from .starter import VOCABULARY
from .starter_source import source_lines, split_column, split_lines
from .target_starter import MODELS, REPOS, WARNING

LONGEST = 256
"""Longest row of a starter recipe, in tokens; longer texts are read in windows."""


@dataclass(frozen=True)
class TagFacts:
    """What was seen of texts and tags.

    rows: of the table. types: entities per type. notes: of the reading (the scheme, what cannot be read). longest:
    characters of a text. missing, duplicates: shares. dropped: rows per reason of `clean`. parts, texts: what is left.
    variants: types that are spellings of one type.
    """

    columns: Columns
    rows: int
    types: dict[str, int]
    notes: list[str]
    longest: int
    missing: float
    duplicates: float
    dropped: dict[str, int]
    split: HashSplit | GivenSplit
    parts: dict[str, int]
    texts: list[str]
    variants: str = ""


@dataclass(frozen=True)
class TagStarter:
    """What the text follows from; see `Starter`. tokens: lengths of texts, ascending."""

    name: str
    output: Path
    path: str
    source: Any
    facts: TagFacts
    tokens: list[int]

    def seen(self) -> dict[str, str]:
        """What was seen, in words."""
        facts, columns = self.facts, self.facts.columns
        how = f"as the column {columns.split!r} says" if columns.split else "by a hash of the text"
        what = f"tags of the words in {columns.tokens!r}" if columns.tags else f"spans of the texts in {columns.text!r}"
        return {
            "rows": f"{facts.rows:,}",
            "tags": f"{columns.tags or columns.spans!r}: {what}",
            "entities": counted(facts.types),
            **spelt(facts.variants),
            "clean": cleaned(facts.dropped, facts.rows),
            "split": divided(how, facts.parts),
        }

    def text(self) -> str:
        """The recipe."""
        rows = f"the {self.facts.rows:,} rows of {plain(Path(self.path).name)}"
        head = opening(f"A small BERT learns, from {rows}, to find entities.", str(self.output), WARNING, self.name)
        parts = [self._download, self._validate, self._clean, self._split, self._encode, self._train, self._register]
        return recipe_text(head, parts)

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
        facts = self.facts
        yield "validate:", "a run stops where the rows break one of these"
        yield from variant_lines(facts.variants)
        yield from row_lines(facts.rows)
        yield from longest_line(facts.longest, f"the longest text has {facts.longest:,}")
        yield from share_lines(facts.missing, facts.duplicates)

    def _clean(self) -> Lines:
        yield "clean:", self.seen()["clean"]
        yield "  steps:", "none that changes a text, in which the tags have their places"
        yield "  - missing", ""
        yield "  - contradictions", "the same text with different tags: none is kept"
        yield "  - duplicates", ""

    def _split(self) -> Lines:
        yield from split_lines(self.facts.split, self.seen()["split"], "few rows: without it a part may be empty")

    def _encode(self) -> Lines:
        yield "encode:\n  kind: token_classification", ""
        yield "  tokenizer:", f"or {{kind: hub, repo: {REPOS['regression']}}}"
        yield "    kind: train", "learnt from the training rows"
        yield f"    vocab_size: {VOCABULARY}", ""
        usual = 2 * self.tokens[math.ceil(0.99 * len(self.tokens)) - 1]
        room = min(LONGEST, max(80, -(-usual // 8) * 8))
        yield f"  max_length: {room}", "in tokens; a longer text is read in windows"

    def _train(self) -> Lines:
        rows, (family, config) = self.facts.parts["train"], MODELS["regression"]
        model = NewModel(family, config, REPOS["regression"], pretrained_rate="5e-5")
        return model.train_lines(16, rows, 5 if rows < 5000 else 3)

    def _register(self) -> Lines:
        return register_lines(self.name, "entity_f1")
