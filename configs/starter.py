"""Facts about a table -> the text of a commented starter recipe, which says behind every value what it follows from."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

from .recipe_comments import (
    FORGIVING,
    NEW_WEIGHTS,
    OUT_OF_LABELS,
    Lines,
    choice,
    cleaned,
    counted,
    divided,
    fair_metric,
    flow,
    label_lines,
    longest_line,
    metric_lines,
    opening,
    plain,
    recipe_text,
    register_lines,
    row_lines,
    schedule_lines,
    share_lines,
    small_gpt2,
    spelt,
    text_pace_lines,
    trained_tokenizer,
    usual_epochs,
    variant_lines,
)
from .sources import ClassFilesSource, Columns, FileSource, HubSource, UrlSource
from .splitting import GivenSplit, HashSplit
from .starter_source import source_lines, split_column, split_lines
from .starter_weights import MULTILINGUAL, NAME, TOKENIZER_DIGEST, WEIGHTS_DIGEST, Start, placed_weights

Kind = Literal["label_word", "classifier"]
LONGEST = 512  # tokens of a row; more is for a person to ask for
VOCABULARY = 4096
WARNING: dict[Kind, str] = {
    "label_word": NEW_WEIGHTS,
    "classifier": "# Downloads a pretrained model at the first run; `temper pin` writes its commit into this file.",
}
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
PRETRAINED = {  # of the Hub, by kind and by whether the texts are mostly ASCII
    ("label_word", True): "openai-community/gpt2",
    ("label_word", False): "Qwen/Qwen3-0.6B-Base",
    ("classifier", True): "distilbert/distilbert-base-uncased",
    ("classifier", False): MULTILINGUAL,
}


@dataclass(frozen=True)
class Facts:
    """What was seen of a table.

    why: reason per column. labels: rows per label, by name. missing, duplicates: shares as `validate` counts them.
    chars: percentile to characters. dropped: rows per reason of `clean`. parts, texts: what is left, split.
    """

    columns: Columns
    why: dict[str, str]
    rows: int
    labels: dict[str, int]
    missing: float
    duplicates: float
    chars: dict[int, int]
    dropped: dict[str, int]
    split: HashSplit | GivenSplit
    parts: dict[str, int]
    texts: list[str]
    variants: str = ""
    """Labels that are spellings of one another, with counts."""


@dataclass(frozen=True)
class Starter:
    """What the text follows from: output is where it will lie, path names the table (a file, an address or a data set
    of the Hub), tokens are lengths, ascending; start is None where a person chose new weights."""

    name: str
    output: Path
    path: str
    source: FileSource | UrlSource | HubSource | ClassFilesSource
    facts: Facts
    kind: Kind
    tokens: list[int]
    start: Start | None = None

    @property
    def installed(self) -> bool:
        """Whether the model starts from weights of an installed package."""
        return self.start is not None and self.start.folder is not None

    @cached_property
    def max_length(self) -> int:
        """Room for 99 of 100 texts and two special tokens, in steps of 8."""
        usual = self.tokens[math.ceil(0.99 * len(self.tokens)) - 1] + 2
        return min(LONGEST, max(16, -(-usual // 8) * 8))

    @property
    def repo(self) -> str:
        """The pretrained model that fits."""
        some = "".join(self.facts.texts[:1000])
        return PRETRAINED[self.kind, len(some.encode("ascii", "ignore")) > 0.8 * len(some)]

    def seen(self) -> dict[str, str]:
        """What was seen, in words."""
        facts, columns = self.facts, self.facts.columns
        cut = sum(length + 2 > self.max_length for length in self.tokens) / len(self.tokens)
        own = (
            "as the data set gives it"
            if isinstance(self.source, HubSource)
            else "as the names of the folders say"
            if isinstance(self.source, ClassFilesSource)
            else "as the names of the files say"
            if getattr(self.source, "split_files", False)
            else f"as the column {columns.split!r} says"
        )
        how = own if columns.split else "by a hash of the text, per label"
        return {
            "rows": f"{facts.rows:,}",
            "text": f"{columns.text!r}: {facts.why['text']}",
            **({"text_pair": f"{columns.text_pair!r}: {facts.why['text_pair']}"} if columns.text_pair else {}),
            "label": f"{columns.label!r}: {facts.why['label']}",
            "labels": counted(facts.labels),
            **spelt(facts.variants),
            "clean": cleaned(facts.dropped, facts.rows),
            "split": divided(how, facts.parts),
            **({"weights": f"{'' if self.installed else 'new: '}{self.start.reason}"} if self.start else {}),
            "length": f"half the texts have {self.tokens[len(self.tokens) // 2]} tokens or fewer; {cut:.1%} are cut",
        }

    def text(self) -> str:
        """The recipe."""
        sections = [self._download, self._validate, self._clean, self._split, self._encode, self._train, self._register]
        return recipe_text(self._opening(), sections)

    def _opening(self) -> Iterator[str]:
        rows = f"from the {self.facts.rows:,} rows of {plain(Path(self.path).name)},"
        named = NAME if self.installed else self.repo
        who, does = ("A small GPT-2", "write") if self.kind == "label_word" else (named, "predict")
        what = (
            f"{who} learns, {rows} to {does} {choice(self.facts.labels)}{' after a text' if does == 'write' else ''}."
        )
        warning = WARNING[self.kind]
        if self.start is not None:
            offline = f"# Runs offline, on a CPU, from published weights: {self.start.reason}."
            warning = offline if self.installed else f"{warning}\n# Weights are new, since {self.start.reason}."
        return opening(what, str(self.output), warning, self.name)

    def _download(self) -> Lines:
        source, columns, why = self.source, self.facts.columns, self.facts.why
        yield from source_lines(source, self.path)
        if isinstance(source, ClassFilesSource):
            return
        yield "  columns:", ""
        yield f"    text: {flow(columns.text)}", why["text"]
        if columns.text_pair:
            yield f"    text_pair: {flow(columns.text_pair)}", why["text_pair"]
        yield f"    label: {flow(columns.label)}", why["label"]
        if list(self.facts.labels) == [str(number) for number in range(len(self.facts.labels))]:
            yield (
                "    # label_names: [zero, one, …]",
                "to name the numbers; then the names stand in validate.labels too",
            )
        yield from split_column(source, columns)

    def _validate(self) -> Lines:
        facts = self.facts
        yield "validate:", "a run stops where the rows break one of these"
        yield from variant_lines(facts.variants, OUT_OF_LABELS)
        yield from label_lines(facts.labels)
        yield from row_lines(facts.rows)
        most = f"half the texts have {facts.chars[50]:,} or fewer, the longest {facts.chars[100]:,}"
        yield from longest_line(facts.chars[100], most)
        yield from share_lines(facts.missing, facts.duplicates)

    def _clean(self) -> Lines:
        yield "clean:", self.seen()["clean"]
        yield "  steps:", "in this order; more: html, control, urls, near_duplicates, label_errors, …"
        yield "  - unicode", ""
        yield "  - whitespace", ""
        yield "  - missing", ""
        yield "  - contradictions", "the same text under two labels: none is kept"
        yield "  - duplicates", ""

    def _split(self) -> Lines:
        few = "few rows: without it a label would lack a part"
        yield from split_lines(self.facts.split, self.seen()["split"], few)

    def _encode(self) -> Lines:
        yield f"encode:\n  kind: {self.kind}", ""
        if self.kind == "label_word":
            yield from trained_tokenizer(self.repo, VOCABULARY)
        elif self.installed:
            yield "  tokenizer:", ""
            yield from placed_weights(TOKENIZER_DIGEST)
        else:
            yield f"  tokenizer: {{kind: hub, repo: {self.repo}}}", ""
        yield f"  max_length: {self.max_length}", f"in tokens; {self.seen()['length']}"
        if self.kind == "label_word" and (words := label_words(list(self.facts.labels))):
            yield f"  label_words: {flow(words)}", "labels that begin alike need words that do not"

    def _train(self) -> Lines:
        rows = self.facts.parts["train"]
        if self.kind == "label_word":
            yield from small_gpt2(self.max_length, self.repo).train_lines(16, rows)
        else:
            yield from self._pretrained(rows)
        if self.facts.parts["validation"]:
            yield from metric_lines(self.facts.labels, FORGIVING)

    def _pretrained(self, rows: int) -> Lines:
        yield "train:", ""
        if self.installed:
            yield "  model:", ""
            yield from placed_weights(WEIGHTS_DIGEST)
        else:
            yield f"  model: {{kind: hub, repo: {self.repo}}}", ""
        yield f"  learning_rate: {'5e-5' if self.installed else '2e-5'}", ""
        yield from schedule_lines(usual_epochs(rows))
        yield from text_pace_lines(16, rows)

    def _register(self) -> Lines:
        return register_lines(self.name, fair_metric(self.facts.labels))


def label_words(labels: list[str]) -> dict[str, str]:
    """A letter per label where two of them begin with the same byte; empty where the labels do as they are.

    With a byte-level tokenizer words of different first bytes have different first tokens. Raises ValueError
    where there are more labels than letters.
    """
    if len({label.encode()[:1] for label in labels}) == len(labels):
        return {}
    if len(labels) > len(LETTERS):
        raise ValueError(f"{len(labels)} labels are too many for a generative model; use --kind classifier")
    return dict(zip(labels, LETTERS, strict=False))
