"""What starter recipes of texts with tags, labels or targets have in common: facts, sections and what was seen."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .recipe_comments import (
    NEW_WEIGHTS,
    Lines,
    cleaned,
    divided,
    longest_line,
    opening,
    plain,
    recipe_text,
    row_lines,
    share_lines,
    trained_tokenizer,
)
from .sources import Columns
from .splitting import GivenSplit, HashSplit
from .starter import LONGEST, VOCABULARY
from .starter_source import split_lines

FEW = "few rows: without it a part may be empty"
BERT = ("bert", "{num_hidden_layers: 2, num_attention_heads: 4, hidden_size: 128, intermediate_size: 512}")
"""Family and configuration of the small encoder that is trained."""
BERT_REPO = "distilbert/distilbert-base-uncased"
"""A pretrained one in its place."""


@dataclass(frozen=True, kw_only=True)
class TextFacts:
    """What was seen of texts and of what is to be predicted of them.

    rows: of the table. longest: characters of a text. missing, duplicates: shares. dropped: rows per reason of `clean`.
    parts, texts: what is left.
    """

    columns: Columns
    rows: int
    longest: int
    missing: float
    duplicates: float
    dropped: dict[str, int]
    split: HashSplit | GivenSplit
    parts: dict[str, int]
    texts: list[str]


@dataclass(frozen=True)
class TextStarter:
    """What the text follows from; see `Starter`. tokens: lengths of texts, ascending."""

    name: str
    output: Path
    path: str
    source: Any
    facts: TextFacts
    tokens: list[int]

    def sections(self) -> list[Callable[[], Lines]]:
        """Those of the recipe, in their order."""
        raise NotImplementedError

    def aim(self, rows: str) -> str:
        """What is learnt from these rows, as a sentence."""
        raise NotImplementedError

    def text(self) -> str:
        """The recipe."""
        rows = f"the {self.facts.rows:,} rows of {plain(Path(self.path).name)}"
        return recipe_text(opening(self.aim(rows), str(self.output), NEW_WEIGHTS, self.name), self.sections())

    def prepared(self) -> dict[str, str]:
        """What cleaning drops and how rows are split, in words."""
        split, facts = self.facts.columns.split, self.facts
        how = f"as the column {split!r} says" if split else "by a hash of the text"
        return {"clean": cleaned(facts.dropped, facts.rows), "split": divided(how, facts.parts)}

    def bounds(self) -> Lines:
        """The bounds of `validate` that follow from the texts."""
        facts = self.facts
        yield from row_lines(facts.rows)
        yield from longest_line(facts.longest, f"the longest text has {facts.longest:,}")
        yield from share_lines(facts.missing, facts.duplicates)

    def split_section(self, note: str = FEW) -> Lines:
        """The section `split`."""
        yield from split_lines(self.facts.split, self.prepared()["split"], note)

    def encode_head(self, kind: str, repo: str) -> Lines:
        """The kind, and a tokenizer that is learnt."""
        yield f"encode:\n  kind: {kind}", ""
        yield from trained_tokenizer(repo, VOCABULARY)


def room(lengths: list[int], share: float) -> int:
    """Tokens of this share of the rows and two special ones, in steps of 8."""
    usual = lengths[math.ceil(share * len(lengths)) - 1] + 2
    return min(LONGEST, max(16, -(-usual // 8) * 8))
