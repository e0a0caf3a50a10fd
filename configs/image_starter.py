"""Facts about images -> the text of a commented starter recipe, which says behind every value what it follows from."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from .image_sources import ImagesSource, TorchvisionSource
from .remarks import above, counted, flow, plain, rounded
from .sources import HubSource
from .splitting import GivenSplit, HashSplit
from .starter import placed

LARGEST = 64  # pixels a side of a net with new weights on a CPU; more is for a person to ask for


@dataclass(frozen=True)
class ImageFacts:
    """What was seen of images.

    labels: rows per label. missing, duplicates, unreadable: shares. sides: the smallest, median and largest shorter
    side in pixels. grey: whether all are. parts: rows per given part, empty where none is given.
    """

    rows: int
    labels: dict[str, int]
    missing: float
    duplicates: float
    unreadable: float
    sides: tuple[int, int, int]
    grey: bool
    split: HashSplit | GivenSplit
    parts: dict[str, int]


@dataclass(frozen=True)
class ImageStarter:
    """What the text follows from: output is where it will lie, path names the images."""

    name: str
    output: Path
    path: str
    source: ImagesSource | TorchvisionSource | HubSource
    facts: ImageFacts

    @property
    def size(self) -> int:
        """Side of the square that the net sees: the images' own where it is small."""
        return max(8, min(self.facts.sides[1], LARGEST))

    @property
    def metric(self) -> str:
        """Accuracy flatters a model that forgets a rare label."""
        counts = self.facts.labels.values()
        return "macro_f1" if min(counts) * 2 * len(counts) < sum(counts) else "accuracy"

    def seen(self) -> dict[str, str]:
        """What was seen, in words."""
        facts = self.facts
        low, middle, high = facts.sides
        how = f"as given: {counted(facts.parts)}" if facts.parts else "by a hash of the image, per label"
        sides = f"{low} pixels" if low == high else f"{low} to {high} pixels, half of them up to {middle}"
        return {
            "images": f"{facts.rows:,}, {'grey' if facts.grey else 'coloured'}",
            "labels": counted(facts.labels),
            "clean": f"{facts.duplicates:.1%} stand twice, {facts.unreadable:.1%} cannot be read",
            "split": how,
            "side": f"{sides} on the shorter side",
        }

    def text(self) -> str:
        """The recipe."""
        sections = [self._download, self._validate, self._split, self._encode, self._train, self._register]
        blocks = ["\n".join(f"{line}  # {said}" if said else line for line, said in part()) for part in sections]
        return "\n\n".join(["\n".join(self._opening()), *blocks]) + "\n"

    def _opening(self) -> Iterator[str]:
        labels = [f"`{plain(name)}`" for name in self.facts.labels]
        which = f"{', '.join(labels[:-1])} or {labels[-1]}" if len(labels) < 6 else f"one of {len(labels)} labels"
        yield f"# A small CNN learns, from the {self.facts.rows:,} images of {plain(self.path)}, to tell {which}."
        yield f"#\n#   temper run {plain(str(self.output))}\n#"
        yield "# Written by `temper init`, which looked at the images: read the remarks, mend what is wrong."
        yield """# Runs offline, on a CPU, with new weights: it shows that all fits, not what a good model can do.
# For a pretrained one put in what the remarks behind `size`, `normalise` and `model` name."""
        yield f"name: {self.name}"

    def _download(self) -> Iterator[tuple[str, str]]:
        source = self.source
        yield "download:", ""
        if isinstance(source, TorchvisionSource):
            yield f"  kind: torchvision\n  name: {source.name}", ""
            if source.path:
                yield f"  path: {flow(self.path)}", "its files; leave it out and torchvision downloads them"
            return
        yield from placed(source, self.path)
        if isinstance(source, HubSource):
            columns = source.columns
            yield (
                f"  columns: {{image: {flow(str(columns.image))}, label: {flow(str(columns.label))}}}",
                "by their types",
            )
            return
        if source.pattern:
            yield f"  pattern: {flow(source.pattern)}", "searched in each path; as you said"
        else:
            yield "  # pattern: '(?P<label>[a-z]+)_'", "where names of files tell the class, not folders"
        if source.split_folders:
            yield "  split_folders: true", "folders called train, val or test give the split"

    def _validate(self) -> Iterator[tuple[str, str]]:
        facts = self.facts
        yield "validate:", "a run stops where the rows break one of these"
        yield f"  labels: {flow(list(facts.labels))}", f"in the order of class ids; {counted(facts.labels)}"
        yield f"  min_rows: {rounded(0.9 * facts.rows, math.floor)}", f"it has {facts.rows:,}"
        yield f"  max_missing: {above(facts.missing)}", f"found {facts.missing:.2%} without a label"
        yield f"  max_duplicates: {above(facts.duplicates)}", f"found {facts.duplicates:.2%}"
        worst = max(facts.labels.values()) / min(facts.labels.values())
        if worst > 20:
            yield f"  max_imbalance: {rounded(1.5 * worst, math.ceil)}", f"found {worst:.1f}"

    def _split(self) -> Iterator[tuple[str, str]]:
        yield "split:", self.seen()["split"]
        yield f"  kind: {self.facts.split.kind}", ""
        if isinstance(self.facts.split, GivenSplit):
            yield f"  validation: {self.facts.split.validation}", ""

    def _encode(self) -> Iterator[tuple[str, str]]:
        yield "encode:\n  kind: image", ""
        yield f"  mode: {'L' if self.facts.grey else 'RGB'}", "RGB for a pretrained model" if self.facts.grey else ""
        yield f"  size: {self.size}", f"224 for a pretrained model; {self.seen()['side']}"
        yield "  # normalise: imagenet", "for a pretrained model; when absent, by the training images"

    def _train(self) -> Iterator[tuple[str, str]]:
        rows = self.facts.parts.get("train") or round(0.8 * self.facts.rows)
        batch = 16 if rows < 2000 else 64
        steps = math.ceil(rows / batch)
        channels = [16, 32, 64] if self.size >= 16 else [16, 32]
        net = f"{{kind: cnn, channels: {channels}, padding: same, batch_norm: true, dense: [128], dropout: 0.2}}"
        yield "train:", ""
        yield f"  model: {net}", "or {kind: torchvision, name: resnet18, weights: DEFAULT}"
        yield "  optimizer: {kind: adam}\n  learning_rate: 1e-3", "1e-4 for a pretrained model"
        yield "  schedule: cosine", ""
        yield f"  epochs: {8 if rows < 20_000 else 3}", ""
        yield f"  batch_size: {batch}", f"{steps:,} steps an epoch"
        yield f"  logging_steps: {max(1, min(steps, 500) // 4)}", ""
        yield f"  eval_steps: {min(steps, 500)}", ""
        validated = not isinstance(self.facts.split, GivenSplit) or self.facts.split.validation == "given"
        if self.metric != "accuracy" and validated:
            yield f"  metric: {self.metric}", "accuracy would forgive a model that forgets the rarest label"

    def _register(self) -> Iterator[tuple[str, str]]:
        yield "register:", ""
        yield f"  model: {self.name.replace('_', '-')}", "its name in the registry"
        if self.metric != "accuracy":
            yield f"  metric: {self.metric}", ""
