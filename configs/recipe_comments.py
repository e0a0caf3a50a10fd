"""Words of a starter recipe: values as YAML has them on one line, counts and bounds as its remarks say them."""

import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import yaml

NEW_WEIGHTS = """# Runs offline, on a CPU, with new weights: it shows that all fits, not what a good model can do.
# For a pretrained one put in what the remarks behind `tokenizer`, `model` and `learning_rate` name."""
"""The warning above a recipe that trains a StarterModel."""
NO_WORDS = ("null", "true", "false", "yes", "no", "on", "off", "y", "n")
FORGIVING = "accuracy would forgive a model that forgets the rarest label"
OUT_OF_LABELS = "map them in download.columns.label_map and take them out of `labels`"
"""What to do about spellings of one label where `validate.labels` names each."""
Lines = Iterator[tuple[str, str]]
"""Lines of YAML, each with the remark behind it."""


def recipe_text(opening: Iterable[str], sections: Iterable[Callable[[], Lines]]) -> str:
    """A recipe: its opening comment and name, and an empty line before each section."""
    blocks = ["\n".join(f"{line}  # {remark}" if remark else line for line, remark in part()) for part in sections]
    return "\n\n".join(["\n".join(opening), *blocks]) + "\n"


def opening(what: str, output: str, warning: str, name: str) -> Iterator[str]:
    """The comment above a recipe, and its name."""
    yield f"# {what}"
    yield f"#\n#   temper run {plain(output)}\n#"
    yield "# Written by `temper init`, which inspected the data and guessed: read the remarks, fix what is wrong."
    yield warning
    yield f"name: {name}"


def label_lines(labels: Mapping[str, int]) -> Lines:
    """`validate.labels`, on one line where they fit."""
    if len(flow(list(labels))) < 80:
        yield f"  labels: {flow(list(labels))}", f"in the order of class ids; {counted(labels)}"
    else:
        yield "  labels:", "in the order of class ids; rows behind each"
        yield from ((f"  - {flow(label)}", f"{count:,}") for label, count in labels.items())


def spelt(variants: str) -> dict[str, str]:
    """What was seen of labels that are spellings of one label, if there are some."""
    return {"spelt": f"as if one label: {variants}"} if variants else {}


def variant_lines(variants: str, fix: str = "map them in download.columns.label_map") -> Lines:
    """What to do about labels that are spellings of one label, if there are some."""
    if variants:
        yield f"  # {plain(variants)}", ""
        yield f"  # are spellings of one label, so validate stops: {fix}", ""
        yield "  # or name them in distinct_labels: [[A, a]].", ""


def trained_tokenizer(repo: str, size: int) -> Lines:
    """A tokenizer of `size` tokens that is learnt, and the repository of one that is not."""
    yield "  tokenizer:", f"or {{kind: hub, repo: {repo}}}"
    yield "    kind: train", "learnt from the training rows"
    yield f"    vocab_size: {size}", ""


def row_lines(rows: int) -> Lines:
    """The fewest rows that `validate` lets pass."""
    yield f"  min_rows: {rounded(0.9 * rows, math.floor)}", f"it has {rows:,}"


def longest_line(longest: int, remark: str) -> Lines:
    """The longest text that `validate` lets pass, in characters."""
    yield f"  max_chars: {rounded(2 * longest, math.ceil)}", remark


def share_lines(missing: float, duplicates: float, lacking: str = "") -> Lines:
    """The largest shares of rows with a value missing and of duplicates; `lacking`: what the former lack."""
    yield f"  max_missing: {above(missing)}", f"found {missing:.2%}{lacking}"
    yield f"  max_duplicates: {above(duplicates)}", f"found {duplicates:.2%}"


def cleaned(dropped: Mapping[str, int], rows: int) -> str:
    """What `clean` drops, in words."""
    return f"drops {counted(dropped) or 'none'} of {rows:,} rows"


def divided(how: str, parts: Mapping[str, int]) -> str:
    """How `split` divides the rows, in words."""
    return f"{how}: {', '.join(f'{part} {count:,}' for part, count in parts.items() if count)}"


@dataclass(frozen=True)
class StarterModel:
    """A model with new weights that a recipe trains: its family and configuration, and the pretrained one of the Hub
    that could take its place, with its learning rate."""

    family: str
    config: str
    repo: str
    rate: str = "1e-3"
    pretrained_rate: str = "2e-5"

    def train_lines(self, batch: int, rows: int, epochs: int | None = None) -> Lines:
        """The section `train`, for so many rows."""
        yield "train:", ""
        yield "  model:", f"or {{kind: hub, repo: {self.repo}}}"
        yield f"    kind: new\n    family: {self.family}\n    config: {self.config}", ""
        yield f"  learning_rate: {self.rate}", f"{self.pretrained_rate} for a pretrained model"
        yield from schedule_lines(usual_epochs(rows) if epochs is None else epochs)
        yield from text_pace_lines(batch, rows)


def small_gpt2(positions: int, repo: str) -> StarterModel:
    """A GPT-2 that learns in minutes on a CPU."""
    return StarterModel("gpt2", f"{{n_layer: 2, n_head: 4, n_embd: 128, n_positions: {positions}}}", repo)


def schedule_lines(epochs: int) -> Lines:
    """Learning rates that fall to 0, gradients clipped, and the number of epochs."""
    yield f"  schedule: linear\n  clip: 1.0\n  epochs: {epochs}", ""


def usual_epochs(rows: int) -> int:
    """Fewer for more rows."""
    return 5 if rows < 2000 else 3 if rows < 20_000 else 1


def pace_lines(batch: int, rows: int) -> Lines:
    """Batches of a training on so many rows, and how often it is evaluated."""
    steps = math.ceil(rows / batch)
    yield f"  batch_size: {batch}", f"{steps:,} steps an epoch"
    yield f"  logging_steps: {max(1, min(steps, 500) // 4)}", ""
    yield f"  eval_steps: {min(steps, 500)}", ""


GROUPED = 200
"""Batches from which on texts are grouped by length: rows of 50 batches are sorted together, so that of fewer the same
rows would meet in every epoch, and such a training is short anyway."""


def text_pace_lines(batch: int, rows: int) -> Lines:
    """The same of texts; those of a long training are grouped by length."""
    yield from pace_lines(batch, rows)
    if rows >= GROUPED * batch:
        yield "  group_by_length: true", "a batch has texts of like length, so less padding"


def metric_lines(labels: Mapping[str, int], remark: str = "") -> Lines:
    """The metric, where it is another than the default."""
    if (metric := fair_metric(labels)) != "accuracy":
        yield f"  metric: {metric}", remark


def register_lines(name: str, metric: str) -> Lines:
    """The section `register`."""
    yield "register:", ""
    yield f"  model: {name.replace('_', '-')}", "its name in the registry"
    if metric != "accuracy":
        yield f"  metric: {metric}", ""


def choice(labels: Iterable[str]) -> str:
    """What a model chooses from."""
    named = [f"`{plain(name)}`" for name in labels]
    return f"{', '.join(named[:-1])} or {named[-1]}" if len(named) < 6 else f"one of {len(named)} labels"


def fair_metric(labels: Mapping[str, int]) -> str:
    """Accuracy flatters a model that forgets a rare label."""
    counts = labels.values()
    return "macro_f1" if min(counts) * 2 * len(counts) < sum(counts) else "accuracy"


def counted(counts: Mapping[str, int]) -> str:
    """Names with their counts, the commonest first, up to six."""
    common = sorted(counts.items(), key=lambda item: -item[1])
    rest = f", … and {len(common) - 6} more" if len(common) > 6 else ""
    return ", ".join(f"{plain(name)}: {count:,}" for name, count in common[:6]) + rest


def plain(text: str) -> str:
    """A text as a remark can hold it: no line ends, nothing that YAML refuses."""
    return "".join(character if character.isprintable() else " " for character in text)


def flow(value: Any) -> str:
    """A value on one line of YAML; texts are quoted unless they are plainly words."""
    if isinstance(value, list):
        return f"[{', '.join(map(flow, value))}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{flow(key)}: {flow(item)}' for key, item in value.items())}}}"
    if re.fullmatch(r"[^\W\d_][\w./-]*|/[\w./-]+", value) and value.lower() not in NO_WORDS:
        return str(value)
    quoted = str(yaml.safe_dump(value, default_style='"', allow_unicode=True, width=math.inf)).strip()
    return "".join(letter if letter.isprintable() else f"\\U{ord(letter):08x}" for letter in quoted)


def rounded(value: float, toward: Any) -> int:
    """To two digits."""
    unit: int = 10 ** max(0, len(str(int(value))) - 2)
    return max(1, int(toward(value / unit)) * unit)


def above(share: float) -> float:
    """A bound with room above what was found."""
    return min(1.0, math.ceil((1.5 * share + 0.005) * 100) / 100)
