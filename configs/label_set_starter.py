"""Facts about texts with any number of labels -> the text of a commented starter recipe for several labels."""

from collections.abc import Callable
from dataclasses import dataclass

from .recipe_comments import OUT_OF_LABELS, Lines, StarterModel, counted, flow, register_lines, spelt, variant_lines
from .starter_source import source_lines, split_column
from .text_starter import BERT, BERT_REPO, TextFacts, TextStarter, room


@dataclass(frozen=True, kw_only=True)
class LabelSetFacts(TextFacts):
    """What was seen of texts and labels.

    why: reason per column. labels: rows per label. without: share of rows without one. variants: labels that are
    spellings of one label.
    """

    why: dict[str, str]
    labels: dict[str, int]
    without: float
    variants: str = ""


@dataclass(frozen=True)
class LabelSetStarter(TextStarter):
    """What the text follows from; see `Starter`."""

    facts: LabelSetFacts

    def seen(self) -> dict[str, str]:
        """What was seen, in words."""
        facts, columns = self.facts, self.facts.columns
        named = ", ".join(map(repr, columns.label_columns))
        return {
            "rows": f"{facts.rows:,}",
            "text": f"{columns.text!r}: {facts.why['text']}",
            "labels": f"{named}: {facts.why['labels']}; {counted(facts.labels)}; {facts.without:.1%} of the rows none",
            **spelt(facts.variants),
            **self.prepared(),
        }

    def aim(self, rows: str) -> str:
        """What is learnt from these rows, as a sentence."""
        return f"A small BERT learns, from {rows}, to predict any number of {len(self.facts.labels)} labels per text."

    def sections(self) -> list[Callable[[], Lines]]:
        """Those of the recipe, in their order."""
        return [
            self._download,
            self._validate,
            self._clean,
            lambda: self.split_section("shares of each set of labels"),
            self._encode,
            self._train,
            self._register,
        ]

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
        yield from self.bounds()

    def _clean(self) -> Lines:
        yield "clean:", self.seen()["clean"]
        yield "  steps:\n  - unicode\n  - whitespace\n  - missing", ""
        yield "  - contradictions", "the same text with different labels: none is kept"
        yield "  - duplicates", ""

    def _encode(self) -> Lines:
        yield from self.encode_head("multi_label", BERT_REPO)
        yield f"  max_length: {room(self.tokens, 0.99)}", "in tokens; longer texts are cut"
        yield "  thresholds: one", "or per_label; chosen on the validation rows"

    def _train(self) -> Lines:
        yield from StarterModel(*BERT, BERT_REPO).train_lines(16, self.facts.parts["train"])
        yield "  metric: loss", ""

    def _register(self) -> Lines:
        return register_lines(self.name, "micro_f1")
