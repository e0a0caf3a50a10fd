"""Pictures of a model's predictions for people (PNG): confusion matrix, reliability diagram, mistakes, single rows."""

import math
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from ..data.fonts import ELLIPSIS, columns, lettering, shorten, spell
from .metrics import Confusion, Floats, Ids

DPI = 90
WIDEST = 18
"""Columns of a label that are drawn."""
MOST_CLASSES = 100
"""Classes in a confusion matrix; of more, those with the most mistakes."""
COUNTED = 30
"""Classes up to which a confusion matrix has its counts written in."""
MOST_BARS = 20
"""Classes that each get a bar; of more, the likeliest ones and the true one do."""
FEWEST_BARS = 4
"""Bars that a chart has room for at least, so that few are slim."""
LINES, LINE = 24, 62
"""Lines of a text that are drawn, and columns of one."""
NO_FONT = "No installed font has the letters of this text; install one that has them, and draw it again."
RIGHT, WRONG, OTHER = "#009e73", "#d55e00", "#9a9a9a"
"""Of Okabe and Ito's palette, which colour-blind people can distinguish."""


@dataclass(frozen=True)
class Answer:
    """One row as it is shown: its id, what the model saw (a text, or uint8 [height, width] or [height, width, 3]),
    the true class id, and the probabilities [classes]."""

    id: str
    seen: str | npt.NDArray[np.uint8]
    truth: int
    probabilities: Floats

    @property
    def predicted(self) -> int:
        """The predicted class id."""
        return int(self.probabilities.argmax())

    def bars(self) -> list[int]:
        """Class ids that get a bar: all in their order, or of many the likeliest first and the true one last."""
        count = len(self.probabilities)
        if count <= MOST_BARS:
            return list(range(count))
        likely = np.argsort(-self.probabilities, kind="stable")[: MOST_BARS // 2].tolist()
        return likely if self.truth in likely else [*likely, self.truth]


def named(label: str) -> str:
    """A label as it is drawn: what the fonts in use lack as code points, and not too wide."""
    return shorten(spell(label), WIDEST)


def draw_confusion(counts: Confusion, labels: Sequence[str], path: Path) -> None:
    """Rows are true classes, columns predicted ones; colours are shares of the row, numbers are rows of data."""
    classes, title = list(range(len(labels))), ""
    if len(labels) > MOST_CLASSES:
        classes = counts.worst(MOST_CLASSES)
        title = f"the {MOST_CLASSES} of {len(labels):,} classes with the most mistakes"
    shown = counts.table(classes)
    shares = shown / np.maximum(counts.sums()[1][classes], 1)[:, None]
    side = 0.5 if len(shown) <= COUNTED else 0.16
    with lettering(labels):
        names = [named(labels[class_id]) for class_id in classes]
        room = 0.9 + 0.1 * max(map(columns, names)) + side * len(shown)
        figure = Figure(figsize=(max(room, 2.8), max(room, 2.8)), layout="constrained")
        axes = figure.subplots()
        axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
        size = 10 if len(shown) <= COUNTED else 7
        turned = 90 if max(map(columns, names)) > (5 if size == 10 else 2) else 0
        axes.set_xticks(range(len(names)), names, rotation=turned, fontsize=size)
        axes.set_yticks(range(len(names)), names, fontsize=size)
        axes.set(xlabel="predicted", ylabel="true", title=title)
        if len(shown) <= COUNTED:
            _write_counts(axes, shown, shares)
        figure.savefig(path, dpi=DPI, metadata={"Software": None})


def _write_counts(axes: Any, counts: Ids, shares: Floats) -> None:
    size = min(9.0, 40 / len(f"{counts.max():,}"))
    for row, column in np.argwhere(counts):
        colour = "w" if shares[row, column] > 0.5 else "k"
        axes.text(column, row, f"{counts[row, column]:,}", ha="center", va="center", color=colour, fontsize=size)


def draw_calibration(bins: Sequence[tuple[float, float, int]], error: float, path: Path) -> None:
    """Accuracy against mean confidence, per bin; the area of a point is its share of the rows."""
    figure = Figure(figsize=(3.4, 3.2), layout="constrained")
    axes = figure.subplots()
    confidence, right, rows = (np.array(column) for column in zip(*bins, strict=True))
    axes.plot([0, 1], [0, 1], color="grey", linestyle=":")
    axes.plot(confidence, right, linewidth=0.8)
    axes.scatter(confidence, right, s=8 + 160 * rows / rows.sum())
    axes.set(xlabel="confidence", ylabel="accuracy", title=f"calibration error {error:.3f}")
    axes.set(xlim=(-0.03, 1.03), ylim=(-0.03, 1.03))  # so that the points at 0 and 1 are whole
    figure.savefig(path, dpi=DPI, metadata={"Software": None})


def draw_grid(answers: Sequence[Answer], labels: Sequence[str], path: Path) -> None:
    """Images side by side, each under its true class, the predicted one and the probability of that."""
    across = min(len(answers), 5)
    down = math.ceil(len(answers) / across)
    with lettering(labels):
        figure = Figure(figsize=(1.9 * across, 2.3 * down), layout="constrained")
        places = np.atleast_1d(figure.subplots(down, across)).ravel()
        for axes, answer in zip(places, answers, strict=False):
            true, predicted = (named(labels[class_id]) for class_id in (answer.truth, answer.predicted))
            arrow = " → " if columns(true + predicted) < WIDEST else "\n→ "
            _show(axes, answer)
            axes.set_title(f"{true}{arrow}{predicted}  {answer.probabilities.max():.3f}", fontsize=9)
            axes.text(0.5, -0.03, answer.id, fontsize=6, ha="center", va="top", transform=axes.transAxes)
        for axes in places[len(answers) :]:
            axes.axis("off")
        figure.savefig(path, dpi=DPI, metadata={"Software": None})


def draw_answers(answers: Sequence[Answer], labels: Sequence[str], path: Path) -> None:
    """Each row (an image, or a text) with a bar chart of its classes' probabilities: the true one's in green, a wrong
    prediction's in red."""
    texts = [answer.seen for answer in answers if isinstance(answer.seen, str)]
    across = 1 if texts or len(answers) == 1 else 2
    down, bars = math.ceil(len(answers) / across), max(len(answer.bars()) for answer in answers)
    widths = (4.6, 3.6) if texts else (2.6, 3.0)
    with lettering([*labels, *texts]):
        lines = max((len(text_lines(text)) for text in texts), default=0)
        size = (across * sum(widths), down * max(1.5 if texts else 2.6, 0.8 + 0.2 * bars, 0.9 + 0.14 * lines))
        figure = Figure(figsize=size, layout="constrained")
        places = np.reshape(figure.subplots(down, 2 * across, width_ratios=widths * across), (-1, 2))
        for (picture, chart), answer in zip(places, answers, strict=False):
            _show(picture, answer)
            picture.set_title(f"true: {named(labels[answer.truth])}", fontsize=10)
            picture.text(0.5, -0.03, answer.id, fontsize=7, ha="center", va="top", transform=picture.transAxes)
            _draw_bars(chart, answer, labels)
        for axes in places[len(answers) :].ravel():
            axes.axis("off")
        figure.savefig(path, dpi=DPI, metadata={"Software": None})


def _show(axes: Any, answer: Answer) -> None:
    """An image, or a text in lines of its own."""
    if isinstance(answer.seen, str):
        draw_text(axes, answer.seen)
    else:
        axes.set(xticks=[], yticks=[])
        axes.imshow(answer.seen, cmap="gray", vmin=0, vmax=255)


def draw_text(axes: Any, text: str) -> None:
    """A text in lines of its own."""
    axes.set(xticks=[], yticks=[])
    lines = "\n".join(text_lines(text))
    axes.text(0.02, 0.97, lines, fontsize=8, va="top", transform=axes.transAxes).set_in_layout(False)


def text_lines(text: str) -> list[str]:
    """A text in lines of about LINE columns, LINES at most."""
    plain = " ".join(text.split())
    shown = spell(plain)
    if len(shown) > 3 * len(plain):  # code points mostly, which nobody reads by the hundred
        shown = NO_FONT
    lines = textwrap.wrap(shown, max(1, LINE * len(shown) // max(1, columns(shown))))
    return lines if len(lines) <= LINES else [*lines[: LINES - 1], ELLIPSIS]


def draw_bars(
    axes: Any, names: Sequence[str], values: Sequence[float], colours: Sequence[str], shown: Sequence[str]
) -> None:
    """Horizontal bars of shares from above, each with its name before it and what is `shown` of it behind it."""
    places = range(len(names))
    axes.barh(places, values, color=colours)
    axes.set_yticks(places, names, fontsize=8)
    spare = max(0, FEWEST_BARS - len(names)) / 2
    axes.set(xlim=(0, 1.18), ylim=(len(names) - 0.5 + spare, -0.5 - spare))
    axes.set_xticks([0, 0.5, 1])
    for place, value, text in zip(places, values, shown, strict=True):
        axes.text(value + 0.015, place, text, va="center", fontsize=7)


def _draw_bars(axes: Any, answer: Answer, labels: Sequence[str]) -> None:
    classes = answer.bars()
    values = answer.probabilities[classes]
    colours = [
        RIGHT if class_id == answer.truth else WRONG if class_id == answer.predicted else OTHER for class_id in classes
    ]
    names = [named(labels[class_id]) for class_id in classes]
    draw_bars(axes, names, values.tolist(), colours, [f"{value:.3f}" for value in values])
    axes.set_title(f"predicted: {named(labels[answer.predicted])}", fontsize=10)
    if left := len(labels) - len(classes):
        axes.set_xlabel(f"{left:,} other classes share {1 - values.sum():.3f}", fontsize=8)
