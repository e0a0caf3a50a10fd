"""Facts about images -> the text of a commented starter recipe, which says behind every value what it follows from."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from .image_sources import ImagesSource, TorchvisionSource
from .recipe_comments import (
    FORGIVING,
    Lines,
    choice,
    counted,
    fair_metric,
    flow,
    label_lines,
    metric_lines,
    opening,
    pace_lines,
    plain,
    recipe_text,
    register_lines,
    rounded,
    row_lines,
    share_lines,
    spelt,
)
from .sources import FileSource, HubSource
from .splitting import GivenSplit, HashSplit
from .starter_source import placed, reading

Kind = Literal["small", "pretrained"]
LARGEST = 64  # pixels a side of a net with new weights on a CPU; more is for a person to ask for
WARNING: dict[Kind, str] = {
    "small": """# Runs offline, on a CPU, with new weights: it shows that all fits, not what a good model can do.
# `temper init --kind classifier` writes one that starts from ImageNet's weights.""",
    "pretrained": "# Downloads ImageNet's weights at the first run.",
}


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
    variants: str = ""
    """Labels that are spellings of one another, with counts."""
    label_map: dict[str, str] = field(default_factory=dict)
    """Each of them, the commonest aside, to the commonest."""


@dataclass(frozen=True)
class ImageStarter:
    """What the text follows from: output is where it will lie, path names the images."""

    name: str
    output: Path
    path: str
    source: ImagesSource | TorchvisionSource | HubSource | FileSource
    facts: ImageFacts
    kind: Kind = "small"

    @property
    def size(self) -> int:
        """Side of the square that the net sees: the images' own where it is small."""
        return max(8, min(self.facts.sides[1], LARGEST))

    def seen(self) -> dict[str, str]:
        """What was seen, in words."""
        facts = self.facts
        low, middle, high = facts.sides
        by = "group" if isinstance(facts.split, HashSplit) and facts.split.by == "group" else "image, per label"
        how = f"as given: {counted(facts.parts)}" if facts.parts else f"by a hash of the {by}"
        sides = f"{low} pixels" if low == high else f"{low} to {high} pixels, half of them up to {middle}"
        return {
            "images": f"{facts.rows:,}, {'grey' if facts.grey else 'coloured'}",
            "labels": counted(facts.labels),
            **spelt(facts.variants),
            "clean": f"{facts.duplicates:.1%} stand twice, {facts.unreadable:.1%} cannot be read",
            "split": how,
            "side": f"{sides} on the shorter side",
        }

    def text(self) -> str:
        """The recipe."""
        sections = [self._download, self._validate, self._split, self._encode, self._train, self._register]
        return recipe_text(self._opening(), sections)

    def _opening(self) -> Iterator[str]:
        net = "A small CNN" if self.kind == "small" else "ResNet-18, from ImageNet's weights,"
        rows = f"from the {self.facts.rows:,} images of {plain(self.path)},"
        what = f"{net} learns, {rows} to predict {choice(self.facts.labels)}."
        return opening(what, str(self.output), WARNING[self.kind], self.name)

    def _download(self) -> Lines:
        source = self.source
        yield "download:", ""
        if isinstance(source, TorchvisionSource):
            yield f"  kind: torchvision\n  name: {source.name}", ""
            if source.path:
                yield f"  path: {flow(self.path)}", "its files; leave it out and torchvision downloads them"
            return
        yield from placed(source, self.path)
        if isinstance(source, HubSource | FileSource):
            yield from _columns(source)
            return
        if source.pattern:
            yield f"  pattern: {flow(source.pattern)}", "searched in each path; as you said"
        elif not self.path.endswith(".npz"):
            yield "  # pattern: '(?P<label>[a-z]+)_'", "where names of files hold the class, not folders"
        if source.split_folders:
            yield "  split_folders: true", "folders called train, val or test give the split"

    def _validate(self) -> Lines:
        facts = self.facts
        yield "validate:", "a run stops where the rows break one of these"
        if facts.variants:
            place = "download" if isinstance(self.source, ImagesSource) else "download.columns"
            yield f"  # {plain(facts.variants)}", ""
            yield (
                "  # are spellings of one label, so validate stops: take all but one out of `labels` and map them in",
                "",
            )
            yield f"  # {place} (label_map: {flow(facts.label_map)}),", ""
            yield "  # or name them in distinct_labels: [[A, a]].", ""
        yield from label_lines(facts.labels)
        yield from row_lines(facts.rows)
        yield from share_lines(facts.missing, facts.duplicates, " without a label")
        worst = max(facts.labels.values()) / min(facts.labels.values())
        if worst > 20:
            yield f"  max_imbalance: {rounded(1.5 * worst, math.ceil)}", f"found {worst:.1f}"

    def _split(self) -> Lines:
        yield "split:", self.seen()["split"]
        yield f"  kind: {self.facts.split.kind}", ""
        if isinstance(self.facts.split, GivenSplit):
            yield f"  validation: {self.facts.split.validation}", ""
        elif self.facts.split.by == "group":
            yield "  by: group", "what the pattern calls a group stays together"
        elif self.facts.split.exact:
            yield "  exact: true", "few images: without it a label may lack a part"

    def _encode(self) -> Lines:
        yield "encode:\n  kind: image", ""
        if self.kind == "pretrained":
            yield "  mode: RGB\n  size: 224\n  resize: 256\n  normalise: imagenet", "as its weights expect"
            return
        yield f"  mode: {'L' if self.facts.grey else 'RGB'}", ""
        yield f"  size: {self.size}", self.seen()["side"]

    def _train(self) -> Lines:
        rows = self.facts.parts.get("train") or round(0.8 * self.facts.rows)
        yield "train:", ""
        yield from self._pretrained() if self.kind == "pretrained" else self._small(rows)
        yield from pace_lines(16 if rows < 2000 else 64, rows)
        if not isinstance(self.facts.split, GivenSplit) or self.facts.split.validation == "given":
            yield from metric_lines(self.facts.labels, FORGIVING)

    def _small(self, rows: int) -> Lines:
        channels = [16, 32, 64] if self.size >= 16 else [16, 32]
        net = f"{{kind: cnn, channels: {channels}, padding: same, batch_norm: true, dense: [128], dropout: 0.2}}"
        yield f"  model: {net}", ""
        yield "  optimizer: {kind: adam}\n  learning_rate: 1e-3\n  schedule: cosine", ""
        yield f"  epochs: {8 if rows < 20_000 else 3}", ""

    def _pretrained(self) -> Lines:
        yield "  model: {kind: torchvision, name: resnet18, weights: DEFAULT}", ""
        yield "  augment:\n  - kind: random_resized_crop", ""
        yield "  - kind: horizontal_flip", "only where left and right mean the same: not for letters"
        yield "  optimizer: {kind: sgd, momentum: 0.9}\n  learning_rate: 1e-2", ""
        yield "  phases:\n  - {trainable: head, epochs: 3}", "the new layer first"
        yield "  - {epochs: 5, schedule: cosine}", "then all, loaded weights at a tenth of the rate"

    def _register(self) -> Lines:
        return register_lines(self.name, fair_metric(self.facts.labels))


def _columns(source: HubSource | FileSource) -> Lines:
    """Which columns are read, of a table how, and where the files start that it lists."""
    if isinstance(source, FileSource):
        yield from reading(source)
        if source.images:
            yield f"  images: {flow(source.images)}", "where the files start that the table names"
    roles = {role: getattr(source.columns, role) for role in ("image", "label", "split", "group")}
    named = {role: name for role, name in roles.items() if name is not None}
    yield f"  columns: {flow(named)}", "by their types" if isinstance(source, HubSource) else "by values and names"
