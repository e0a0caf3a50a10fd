"""Facts about texts with targets -> the text of a commented starter recipe for regression or sequence to sequence."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from .recipe_comments import Lines, StarterModel, flow, plain, register_lines
from .starter_source import source_lines, split_column
from .text_starter import BERT, BERT_REPO, TextFacts, TextStarter, room

TargetKind = Literal["regression", "seq2seq"]
REPOS: dict[TargetKind, str] = {"regression": BERT_REPO, "seq2seq": "google-t5/t5-small"}
MODELS: dict[TargetKind, tuple[str, str]] = {
    "regression": BERT,
    "seq2seq": ("t5", "{d_model: 128, d_kv: 32, d_ff: 512, num_layers: 2, num_heads: 4}"),
}


@dataclass(frozen=True, kw_only=True)
class TargetFacts(TextFacts):
    """What was seen of texts and targets.

    why: reason per column. targets: what they are, in words. aims: what is left of their column. notation: what groups
    the digits of numbers, and their decimal mark.
    """

    why: dict[str, str]
    targets: str
    aims: list[str]
    notation: tuple[str | None, str] = (None, ".")


@dataclass(frozen=True)
class TargetStarter(TextStarter):
    """What the text follows from; see `Starter`. target_tokens: lengths of targets, ascending."""

    facts: TargetFacts
    kind: TargetKind
    target_tokens: list[int]

    def seen(self) -> dict[str, str]:
        """What was seen, in words."""
        facts, columns = self.facts, self.facts.columns
        return {
            "rows": f"{facts.rows:,}",
            "kind": f"{self.kind}: {facts.why['kind']}",
            "text": f"{columns.text!r}: {facts.why['text']}",
            **({"text_pair": f"{columns.text_pair!r}: {facts.why['text_pair']}"} if columns.text_pair else {}),
            "target": f"{columns.target!r}: {facts.why['target']}; {facts.targets}",
            **self.prepared(),
        }

    def aim(self, rows: str) -> str:
        """What is learnt from these rows, as a sentence."""
        who, does = ("BERT", "predict") if self.kind == "regression" else ("T5", "write")
        return f"A small {who} learns, from {rows}, to {does} {plain(str(self.facts.columns.target))}."

    def sections(self) -> list[Callable[[], Lines]]:
        """Those of the recipe, in their order."""
        prepared = [self._download, self._validate, self._clean, self.split_section]
        limit = [self._evaluate] if self.kind == "seq2seq" else []
        return [*prepared, self._encode, self._train, *limit, self._register]

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
        yield "validate:", "a run stops where the rows break one of these"
        yield from self.bounds()

    def _clean(self) -> Lines:
        yield "clean:", self.seen()["clean"]
        yield "  steps:\n  - unicode\n  - whitespace\n  - missing\n  - duplicates", ""

    def _encode(self) -> Lines:
        yield from self.encode_head(self.kind, REPOS[self.kind])
        yield f"  max_length: {room(self.tokens, 0.99)}", "in tokens; longer texts are cut"
        if self.kind == "seq2seq":
            yield f"  max_target: {room(self.target_tokens, 1)}", "in tokens; rows with longer targets are dropped"
        else:
            yield from _notation_lines(*self.facts.notation)

    def _train(self) -> Lines:
        rows = self.facts.parts["train"]
        model = StarterModel(*MODELS[self.kind], REPOS[self.kind], rate="3e-4" if self.kind == "regression" else "1e-3")
        yield from model.train_lines(16, rows)
        yield "  metric: loss", ""

    def _evaluate(self) -> Iterator[tuple[str, str]]:
        yield "evaluate:", ""
        yield f"  max_new_tokens: {room(self.target_tokens, 1)}", "of a written target"

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
