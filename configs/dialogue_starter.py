"""Facts about dialogues -> the text of a commented starter recipe that trains on them."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from .recipe_comments import (
    NEW_WEIGHTS,
    Lines,
    counted,
    divided,
    flow,
    opening,
    plain,
    recipe_text,
    register_lines,
    row_lines,
    share_lines,
    small_gpt2,
    trained_tokenizer,
)
from .sources import Columns
from .starter import VOCABULARY
from .starter_source import source_lines

LONGEST = 1024
REPO = "Qwen/Qwen3-0.6B"
FIXES = {"roles": "merge_turns", "empty_turns": "drop_empty_turns", "last_turn": "cut_trailing_turns"}
"""Faults of dialogues with the steps that fix them."""


@dataclass(frozen=True)
class DialogueFacts:
    """What was seen of dialogues.

    turns, longest: messages of a dialogue, at half of them or fewer and at most. tools: dialogues with tools of their
    own. faults: dialogues per column of `validate`'s checks. missing, duplicates: shares. copies: whether many rows
    nearly copy a row of another part. parts, texts: rows per part, dialogues as text. overhead: tokens around turns.
    """

    columns: Columns
    rows: int
    turns: int
    longest: int
    tools: int
    faults: dict[str, int]
    missing: float
    duplicates: float
    exact: bool
    copies: bool
    parts: dict[str, int]
    texts: list[str]
    overhead: int


@dataclass(frozen=True)
class DialogueStarter:
    """What the text follows from; see `Starter`."""

    name: str
    output: Path
    path: str
    source: Any
    facts: DialogueFacts
    tokens: list[int]

    @cached_property
    def max_length(self) -> int:
        """Room for 99 of 100 dialogues with the marks around their turns, in steps of 64."""
        usual = self.tokens[math.ceil(0.99 * len(self.tokens)) - 1] + self.facts.overhead
        return min(LONGEST, max(64, -(-usual // 64) * 64))

    def seen(self) -> dict[str, str]:
        """What was seen, in words."""
        facts, columns = self.facts, self.facts.columns
        held = columns.messages or f"{' and '.join(columns.prompts)}, replied to in {columns.completion}"
        return {
            "rows": f"{facts.rows:,}",
            "dialogue": f"{held}: half have {facts.turns} messages or fewer, the longest {facts.longest}",
            "tools": f"{facts.tools:,} dialogues have tools of their own",
            "faults": counted(facts.faults) or "none",
            "split": divided("by a hash", facts.parts),
        }

    def aim(self, file: str) -> str:
        """What is learnt, as a sentence."""
        return (
            f"A small GPT-2 learns, from the {self.facts.rows:,} dialogues of {file}, to write the assistant's turns."
        )

    def text(self) -> str:
        """The recipe."""
        head = opening(self.aim(plain(Path(self.path).name)), str(self.output), NEW_WEIGHTS, self.name)
        parts = [self._download, self._validate, self._clean, self._split, self._encode, self._train, self._register]
        return recipe_text(head, parts)

    def _download(self) -> Lines:
        columns = self.facts.columns
        yield from source_lines(self.source, self.path)
        yield "  columns:", "`tools` and `system` next to dialogues are read too; `ignore` leaves keys out"
        if columns.messages:
            yield f"    messages: {flow(columns.messages)}", "its values are lists of turns"
        else:
            yield f"    prompt: {flow(list(columns.prompts))}", "what the user says"
            yield f"    completion: {flow(columns.completion)}", "what the assistant replies"

    def _validate(self) -> Lines:
        facts = self.facts
        yield "validate:", "a run stops where the rows break one of these"
        yield from row_lines(facts.rows)
        yield from share_lines(facts.missing, facts.duplicates)
        if facts.faults:
            yield "  severity: {turns: warn}", f"found {counted(facts.faults)}; `temper data` names the rows"

    def _clean(self) -> Lines:
        yield "clean:\n  steps:", "in this order"
        yield from self._fixing()
        yield "  - missing", ""
        yield "  - duplicates", ""

    def _fixing(self) -> Iterator[tuple[str, str]]:
        for fault in ("empty_turns", "roles", "last_turn"):
            if fault in self.facts.faults:
                yield f"  - {FIXES[fault]}", f"{self.facts.faults[fault]:,} dialogues"

    def _split(self) -> Lines:
        yield "split:", self.seen()["split"]
        yield "  kind: hash", ""
        if self.facts.exact:
            yield "  exact: true", "few rows: without it a part may be empty"
        if self.facts.copies:
            yield "  near_copies: keep", "many dialogues are nearly alike; `drop` makes the test harder"

    def _encode(self) -> Lines:
        yield "encode:\n  kind: dialogue", ""
        yield from trained_tokenizer(REPO, VOCABULARY)
        yield "  template: chatml", "or `own`, where the tokenizer has one"
        yield f"  max_length: {self.max_length}", "in tokens; of longer dialogues the oldest turns go"

    def _train(self) -> Lines:
        yield from small_gpt2(self.max_length, REPO).train_lines(8, self.facts.parts["train"])
        yield "  metric: loss", ""

    def _register(self) -> Lines:
        return register_lines(self.name, "loss")
