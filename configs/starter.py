"""Facts about a table -> the text of a commented starter recipe, which says behind every value what it follows from."""

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import yaml

from .sources import Columns, FileSource
from .splitting import GivenSplit, HashSplit

Kind = Literal["generative", "classifier"]
NO_WORDS = ("null", "true", "false", "yes", "no", "on", "off", "y", "n")
LONGEST = 512  # tokens of a row; more is for a person to ask for
VOCABULARY = 4096
WARNING: dict[Kind, str] = {
    "generative": """# Runs offline, on a CPU, with new weights: it shows that all fits, not what a good model can do.
# For a pretrained one put in what the remarks behind `tokenizer`, `model` and `learning_rate` name.""",
    "classifier": "# Downloads a pretrained model at the first run; `temper pin` writes its commit into this file.",
}
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
PRETRAINED = {  # of the Hub, by kind and by whether the texts are mostly ASCII
    ("generative", True): "openai-community/gpt2",
    ("generative", False): "Qwen/Qwen3-0.6B-Base",
    ("classifier", True): "distilbert/distilbert-base-uncased",
    ("classifier", False): "google-bert/bert-base-multilingual-cased",
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


@dataclass(frozen=True)
class Starter:
    """What the text follows from: output is where it will lie, path names the table, tokens are lengths, ascending."""

    name: str
    output: Path
    path: str
    source: FileSource
    facts: Facts
    kind: Kind
    tokens: list[int]

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

    @property
    def metric(self) -> str:
        """Accuracy flatters a model that forgets a rare label."""
        counts = self.facts.labels.values()
        return "macro_f1" if min(counts) * 2 * len(counts) < sum(counts) else "accuracy"

    def seen(self) -> dict[str, str]:
        """What was seen, in words."""
        facts, columns = self.facts, self.facts.columns
        cut = sum(length + 2 > self.max_length for length in self.tokens) / len(self.tokens)
        how = f"as the column {columns.split!r} says" if columns.split else "by a hash of the text, per label"
        return {
            "rows": f"{facts.rows:,}",
            "text": f"{columns.text!r}: {facts.why['text']}",
            "label": f"{columns.label!r}: {facts.why['label']}",
            "labels": _counted(facts.labels),
            "clean": f"drops {_counted(facts.dropped) or 'none'} of {facts.rows:,} rows",
            "split": f"{how}: {', '.join(f'{part} {count:,}' for part, count in facts.parts.items() if count)}",
            "length": f"half the texts have {self.tokens[len(self.tokens) // 2]} tokens or fewer; {cut:.1%} are cut",
        }

    def text(self) -> str:
        """The recipe."""
        sections = [self._download, self._validate, self._clean, self._split, self._encode, self._train, self._register]
        blocks = ["\n".join(f"{line}  # {said}" if said else line for line, said in part()) for part in sections]
        return "\n\n".join(["\n".join(self._opening()), *blocks]) + "\n"

    def _opening(self) -> Iterator[str]:
        labels = [f"`{_plain(name)}`" for name in self.facts.labels]
        which = f"{', '.join(labels[:-1])} or {labels[-1]}" if len(labels) < 6 else f"one of {len(labels)} labels"
        rows = f"from the {self.facts.rows:,} rows of {_plain(Path(self.path).name)},"
        who, does = ("A small GPT-2", "write") if self.kind == "generative" else (self.repo, "tell")
        yield f"# {who} learns, {rows} to {does} {which}{' after a text' if does == 'write' else ''}."
        yield f"#\n#   temper run {_plain(str(self.output))}\n#"
        yield "# Written by `temper init`, which looked at the file and guessed: read the remarks, mend what is wrong."
        yield WARNING[self.kind]
        yield f"name: {self.name}"

    def _download(self) -> Iterator[tuple[str, str]]:
        source, columns, why = self.source, self.facts.columns, self.facts.why
        apart = "absolute, since it does not lie below TEMPER_DATA"
        yield "download:\n  kind: file", ""
        yield f"  path: {_flow(self.path)}", apart if Path(self.path).is_absolute() else "below TEMPER_DATA"
        if source.format:
            yield f"  format: {source.format}", "its name does not say"
        if source.encoding != "utf-8":
            yield f"  encoding: {source.encoding}", "a guess, since it is not UTF-8"
        if source.header:
            yield f"  header: {_flow(list(source.header))}", "the first line is already a row"
        if not source.quoting:
            yield "  quoting: false", "double quotes belong to the texts"
        yield "  columns:", ""
        yield f"    text: {_flow(columns.text)}", why["text"]
        yield f"    label: {_flow(columns.label)}", why["label"]
        if list(self.facts.labels) == [str(number) for number in range(len(self.facts.labels))]:
            yield (
                "    # label_names: [zero, one, …]",
                "to name the numbers; then the names stand in validate.labels too",
            )
        if columns.split:
            yield f"    split: {_flow(columns.split)}", "its values name the parts"

    def _validate(self) -> Iterator[tuple[str, str]]:
        facts, labels = self.facts, self.facts.labels
        yield "validate:", "a run stops where the rows break one of these"
        if len(_flow(list(labels))) < 80:
            yield f"  labels: {_flow(list(labels))}", f"in the order of class ids; {_counted(labels)}"
        else:
            yield "  labels:", "in the order of class ids; rows behind each"
            yield from ((f"  - {_flow(label)}", f"{count:,}") for label, count in labels.items())
        yield f"  min_rows: {_rounded(0.9 * facts.rows, math.floor)}", f"it has {facts.rows:,}"
        most = f"half the texts have {facts.chars[50]:,} or fewer, the longest {facts.chars[100]:,}"
        yield f"  max_chars: {_rounded(2 * facts.chars[100], math.ceil)}", most
        yield f"  max_missing: {_above(facts.missing)}", f"found {facts.missing:.2%}"
        yield f"  max_duplicates: {_above(facts.duplicates)}", f"found {facts.duplicates:.2%}"

    def _clean(self) -> Iterator[tuple[str, str]]:
        yield "clean:", self.seen()["clean"]
        yield "  steps:", "in this order; more: html, control, urls, near_duplicates, label_errors, …"
        yield "  - unicode", ""
        yield "  - whitespace", ""
        yield "  - missing", ""
        yield "  - contradictions", "the same text under two labels: none is kept"
        yield "  - duplicates", ""

    def _split(self) -> Iterator[tuple[str, str]]:
        yield "split:", self.seen()["split"]
        yield f"  kind: {self.facts.split.kind}", ""
        if isinstance(self.facts.split, GivenSplit):
            yield f"  validation: {self.facts.split.validation}", ""
        elif self.facts.split.exact:
            yield "  exact: true", "few rows: without it a label would lack a part"

    def _encode(self) -> Iterator[tuple[str, str]]:
        hub = f"{{kind: hub, repo: {self.repo}}}"
        yield f"encode:\n  kind: {self.kind}", ""
        if self.kind == "generative":
            yield "  tokenizer:", f"or {hub}"
            yield "    kind: train", "learnt from the training rows"
            yield f"    vocab_size: {VOCABULARY}", ""
        else:
            yield f"  tokenizer: {hub}", ""
        yield f"  max_length: {self.max_length}", f"in tokens; {self.seen()['length']}"
        if self.kind == "generative" and (words := label_words(list(self.facts.labels))):
            yield f"  label_words: {_flow(words)}", "labels that begin alike need words that do not"

    def _train(self) -> Iterator[tuple[str, str]]:
        rows, fresh, hub = self.facts.parts["train"], self.kind == "generative", f"{{kind: hub, repo: {self.repo}}}"
        steps = math.ceil(rows / 16)
        yield "train:", ""
        if fresh:
            yield "  model:", f"or {hub}"
            yield "    kind: new\n    family: gpt2", ""
            yield f"    config: {{n_layer: 2, n_head: 4, n_embd: 128, n_positions: {self.max_length}}}", ""
        else:
            yield f"  model: {hub}", ""
        yield f"  learning_rate: {'1e-3' if fresh else '2e-5'}", "2e-5 for a pretrained model" if fresh else ""
        yield "  schedule: linear\n  clip: 1.0", ""
        yield f"  epochs: {5 if rows < 2000 else 3 if rows < 20_000 else 1}", ""
        yield "  batch_size: 16", f"{steps:,} steps an epoch"
        yield f"  logging_steps: {max(1, min(steps, 500) // 4)}", ""
        yield f"  eval_steps: {min(steps, 500)}", ""
        if self.metric != "accuracy" and self.facts.parts["validation"]:
            yield f"  metric: {self.metric}", "accuracy would forgive a model that forgets the rarest label"

    def _register(self) -> Iterator[tuple[str, str]]:
        yield "register:", ""
        yield f"  model: {self.name.replace('_', '-')}", "its name in the registry"
        if self.metric != "accuracy":
            yield f"  metric: {self.metric}", ""


def label_words(labels: list[str]) -> dict[str, str]:
    """A letter per label where two of them begin with the same byte; empty where the labels do as they are.

    With a byte-level tokenizer words of different first bytes have different first tokens. Raises ValueError
    where there are more labels than letters.
    """
    if len({label.encode()[:1] for label in labels}) == len(labels):
        return {}
    if len(labels) > len(LETTERS):
        raise ValueError(f"{len(labels)} labels are too many for a model that writes them; use --kind classifier")
    return dict(zip(labels, LETTERS, strict=False))


def _counted(counts: Mapping[str, int]) -> str:
    common = sorted(counts.items(), key=lambda item: -item[1])
    rest = f", … and {len(common) - 6} more" if len(common) > 6 else ""
    return ", ".join(f"{_plain(name)}: {count:,}" for name, count in common[:6]) + rest


def _plain(text: str) -> str:
    """A text as a remark can hold it: no line ends, nothing that YAML refuses."""
    return "".join(character if character.isprintable() else " " for character in text)


def _flow(value: Any) -> str:
    """A value on one line of YAML; texts are quoted unless they are plainly words."""
    if isinstance(value, list):
        return f"[{', '.join(map(_flow, value))}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{_flow(key)}: {_flow(item)}' for key, item in value.items())}}}"
    if re.fullmatch(r"[^\W\d_][\w./-]*|/[\w./-]+", value) and value.lower() not in NO_WORDS:
        return str(value)
    return str(yaml.safe_dump(value, default_style='"', allow_unicode=True, width=math.inf)).strip()


def _rounded(value: float, toward: Any) -> int:
    """To two digits."""
    unit: int = 10 ** max(0, len(str(int(value))) - 2)
    return max(1, int(toward(value / unit)) * unit)


def _above(share: float) -> float:
    """A bound with room above what was found."""
    return min(1.0, math.ceil((1.5 * share + 0.005) * 100) / 100)
