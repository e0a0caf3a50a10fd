"""Facts about texts with any number of labels -> the text of a commented starter recipe for several labels."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .recipe_comments import (
    OUT_OF_LABELS,
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
from .starter import LONGEST, VOCABULARY
from .starter_source import source_lines, split_column, split_lines
from .target_starter import MODELS, REPOS, WARNING


@dataclass(frozen=True)
class LabelSetFacts:
    """What was seen of texts and labels.

    why: reason per column. labels: rows per label. without: share of rows without one. longest: characters of a text.
    missing, duplicates: shares. dropped: rows per reason of `clean`. parts, texts: what is left.
    variants: labels that are spellings of one label.
    """

    columns: Columns
    why: dict[str, str]
    rows: int
    labels: dict[str, int]
    without: float
    longest: int
    missing: float
    duplicates: float
    dropped: dict[str, int]
    split: HashSplit | GivenSplit
    parts: dict[str, int]
    texts: list[str]
    variants: str = ""


@dataclass(frozen=True)
class LabelSetStarter:
    """What the text follows from; see `Starter`. tokens: lengths of texts, ascending."""

    name: str
    output: Path
    path: str
    source: Any
    facts: LabelSetFacts
    tokens: list[int]

    def seen(self) -> dict[str, str]:
        """What was seen, in words."""
        facts, columns = self.facts, self.facts.columns
        how = f"as the column {columns.split!r} says" if columns.split else "by a hash of the text"
        named = ", ".join(map(repr, columns.label_columns))
        return {
            "rows": f"{facts.rows:,}",
            "text": f"{columns.text!r}: {facts.why['text']}",
            "labels": f"{named}: {facts.why['labels']}; {counted(facts.labels)}; {facts.without:.1%} of the rows none",
            **spelt(facts.variants),
            "clean": cleaned(facts.dropped, facts.rows),
            "split": divided(how, facts.parts),
        }

    def text(self) -> str:
        """The recipe."""
        rows = f"the {self.facts.rows:,} rows of {plain(Path(self.path).name)}"
        what = f"A small BERT learns, from {rows}, to predict any number of {len(self.facts.labels)} labels per text."
        head = opening(what, str(self.output), WARNING, self.name)
        parts = [self._download, self._validate, self._clean, self._split, self._encode, self._train, self._register]
        return recipe_text(head, parts)

    def _download(self) -> Lines:
        columns = self.facts.columns
        yield from source_lines(self.source, self.path)
        yield "  columns:", ""
        yield f"    text: {flow(columns.text)}", self.facts.why["text"]
        named = columns.labels if isinstance(columns.labels, str) else list(columns.label_columns)
        yield f"    labels: {flow(named)}", self.facts.why["labels"]
        if columns.label_separator is not None:
            yield f"    label_separator: {flow(columns.label_separator)}", "between the labels of a row"
        yield from split_column(self.source, columns)

    def _validate(self) -> Lines:
        facts = self.facts
        yield "validate:", "a run stops where the rows break one of these"
        yield from variant_lines(facts.variants, OUT_OF_LABELS)
        yield f"  labels: {flow(list(facts.labels))}", counted(facts.labels)
        yield from row_lines(facts.rows)
        yield from longest_line(facts.longest, f"the longest text has {facts.longest:,}")
        yield from share_lines(facts.missing, facts.duplicates)

    def _clean(self) -> Lines:
        yield "clean:", self.seen()["clean"]
        yield "  steps:\n  - unicode\n  - whitespace\n  - missing", ""
        yield "  - contradictions", "the same text with different labels: none is kept"
        yield "  - duplicates", ""

    def _split(self) -> Lines:
        yield from split_lines(self.facts.split, self.seen()["split"], "shares of each set of labels")

    def _encode(self) -> Lines:
        usual = self.tokens[math.ceil(0.99 * len(self.tokens)) - 1] + 2
        yield "encode:\n  kind: multi_label", ""
        yield "  tokenizer:", f"or {{kind: hub, repo: {REPOS['regression']}}}"
        yield "    kind: train", "learnt from the training rows"
        yield f"    vocab_size: {VOCABULARY}", ""
        yield f"  max_length: {min(LONGEST, max(16, -(-usual // 8) * 8))}", "in tokens; longer texts are cut"
        yield "  thresholds: one", "or per_label; chosen on the validation rows"

    def _train(self) -> Lines:
        rows, (family, config) = self.facts.parts["train"], MODELS["regression"]
        yield from NewModel(family, config, REPOS["regression"]).train_lines(16, rows)
        yield "  metric: loss", ""

    def _register(self) -> Lines:
        return register_lines(self.name, "micro_f1")
