"""Facts about texts with targets -> the text of a commented starter recipe for regression or sequence to sequence."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from .recipe_comments import (
    NEW_WEIGHTS,
    Lines,
    NewModel,
    cleaned,
    divided,
    flow,
    longest_line,
    opening,
    plain,
    recipe_text,
    register_lines,
    row_lines,
    share_lines,
)
from .sources import Columns
from .splitting import GivenSplit, HashSplit
from .starter import LONGEST, VOCABULARY
from .starter_source import source_lines, split_column, split_lines

TargetKind = Literal["regression", "seq2seq"]
WARNING = NEW_WEIGHTS
REPOS: dict[TargetKind, str] = {"regression": "distilbert/distilbert-base-uncased", "seq2seq": "google-t5/t5-small"}
MODELS: dict[TargetKind, tuple[str, str]] = {
    "regression": ("bert", "{num_hidden_layers: 2, num_attention_heads: 4, hidden_size: 128, intermediate_size: 512}"),
    "seq2seq": ("t5", "{d_model: 128, d_kv: 32, d_ff: 512, num_layers: 2, num_heads: 4}"),
}


@dataclass(frozen=True)
class TargetFacts:
    """What was seen of texts and targets.

    why: reason per column. targets: what they are, in words. longest: characters of a text. missing, duplicates:
    shares. dropped: rows per reason of `clean`. parts, texts, aims: rows per part, and what is left of both columns.
    notation: what groups the digits of numbers, and their decimal mark.
    """

    columns: Columns
    why: dict[str, str]
    rows: int
    targets: str
    longest: int
    missing: float
    duplicates: float
    dropped: dict[str, int]
    split: HashSplit | GivenSplit
    parts: dict[str, int]
    texts: list[str]
    aims: list[str]
    notation: tuple[str | None, str] = (None, ".")


@dataclass(frozen=True)
class TargetStarter:
    """What the text follows from; see `Starter`. tokens, target_tokens: lengths of texts and targets, ascending."""

    name: str
    output: Path
    path: str
    source: Any
    facts: TargetFacts
    kind: TargetKind
    tokens: list[int]
    target_tokens: list[int]

    def seen(self) -> dict[str, str]:
        """What was seen, in words."""
        facts, columns = self.facts, self.facts.columns
        how = f"as the column {columns.split!r} says" if columns.split else "by a hash of the text"
        return {
            "rows": f"{facts.rows:,}",
            "kind": f"{self.kind}: {facts.why['kind']}",
            "text": f"{columns.text!r}: {facts.why['text']}",
            **({"text_pair": f"{columns.text_pair!r}: {facts.why['text_pair']}"} if columns.text_pair else {}),
            "target": f"{columns.target!r}: {facts.why['target']}; {facts.targets}",
            "clean": cleaned(facts.dropped, facts.rows),
            "split": divided(how, facts.parts),
        }

    def text(self) -> str:
        """The recipe."""
        who, does = ("BERT", "predict") if self.kind == "regression" else ("T5", "write")
        what = f"A small {who} learns, from the {self.facts.rows:,} rows of {plain(Path(self.path).name)}, to {does} "
        head = opening(f"{what}{plain(str(self.facts.columns.target))}.", str(self.output), WARNING, self.name)
        parts = [
            self._download,
            self._validate,
            self._clean,
            self._split,
            self._encode,
            self._train,
            self._evaluate,
            self._register,
        ]
        return recipe_text(head, [part for part in parts if part != self._evaluate or self.kind == "seq2seq"])

    def _download(self) -> Lines:
        columns = self.facts.columns
        yield from source_lines(self.source, self.path)
        yield "  columns:", ""
        yield f"    text: {flow(columns.text)}", self.facts.why["text"]
        if columns.text_pair:
            yield f"    text_pair: {flow(columns.text_pair)}", self.facts.why["text_pair"]
        yield f"    target: {flow(columns.target)}", self.facts.targets
        yield from split_column(self.source, columns)

    def _validate(self) -> Lines:
        facts = self.facts
        yield "validate:", "a run stops where the rows break one of these"
        yield from row_lines(facts.rows)
        yield from longest_line(facts.longest, f"the longest text has {facts.longest:,}")
        yield from share_lines(facts.missing, facts.duplicates)

    def _clean(self) -> Lines:
        yield "clean:", self.seen()["clean"]
        yield "  steps:\n  - unicode\n  - whitespace\n  - missing\n  - duplicates", ""

    def _split(self) -> Lines:
        yield from split_lines(self.facts.split, self.seen()["split"], "few rows: without it a part may be empty")

    def _encode(self) -> Lines:
        yield f"encode:\n  kind: {self.kind}", ""
        yield "  tokenizer:", f"or {{kind: hub, repo: {REPOS[self.kind]}}}"
        yield "    kind: train", "learnt from the training rows"
        yield f"    vocab_size: {VOCABULARY}", ""
        yield f"  max_length: {_room(self.tokens, 0.99)}", "in tokens; longer texts are cut"
        if self.kind == "seq2seq":
            yield f"  max_target: {_room(self.target_tokens, 1)}", "in tokens; rows with longer targets are dropped"
        else:
            yield from _notation_lines(*self.facts.notation)

    def _train(self) -> Lines:
        rows, (family, config) = self.facts.parts["train"], MODELS[self.kind]
        model = NewModel(family, config, REPOS[self.kind], rate="3e-4" if self.kind == "regression" else "1e-3")
        yield from model.train_lines(16, rows)
        yield "  metric: loss", ""

    def _evaluate(self) -> Iterator[tuple[str, str]]:
        yield "evaluate:", ""
        yield f"  max_new_tokens: {_room(self.target_tokens, 1)}", "of a written target"

    def _register(self) -> Lines:
        return register_lines(self.name, "rmse" if self.kind == "regression" else "exact")


def _notation_lines(thousands: str | None, decimal: str) -> Lines:
    """How targets are written."""
    if (thousands, decimal) == (None, "."):
        yield '  # thousands: ","', "where targets are written 1,234; `decimal` for 0,5"
    if thousands is not None:
        yield f"  thousands: {flow(thousands)}", "between the digits of a target, by three; see `target` above"
    if decimal != ".":
        yield f"  decimal: {flow(decimal)}", "of a target"


def _room(lengths: list[int], share: float) -> int:
    """Tokens of this share of the rows and two special ones, in steps of 8."""
    usual = lengths[math.ceil(share * len(lengths)) - 1] + 2
    return min(LONGEST, max(16, -(-usual // 8) * 8))
