"""Pictures for people: training curves, confusion matrix, reliability diagram (PNG)."""

from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont, get_font

from .metrics import Ids

DPI = 90


def drawable(labels: Sequence[str]) -> list[str]:
    """Labels that matplotlib's font can draw, those that it cannot as code points (U+96F6)."""
    known = get_font(findfont(FontProperties())).get_charmap()
    return [
        label if all(ord(letter) in known for letter in label) else " ".join(f"U+{ord(letter):04X}" for letter in label)
        for label in labels
    ]


def draw_curves(history: Sequence[dict[str, float]], chosen: int, path: Path) -> None:
    """Training and validation loss, and validation accuracy, by step; the chosen step is marked."""
    figure = Figure(figsize=(8, 3.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    for axes, names in ((left, ("loss", "eval_loss")), (right, ("eval_accuracy", "eval_macro_f1"))):
        for name in names:
            points = [(row["step"], row[name]) for row in history if name in row]
            if points:
                axes.plot(*zip(*points, strict=True), marker=".", label=name.replace("_", " "))
        axes.axvline(chosen, color="grey", linestyle=":", label=f"kept: step {chosen}")
        axes.set_xlabel("optimiser step")
        axes.legend()
    figure.savefig(path, dpi=DPI, metadata={"Software": None})


def draw_confusion(counts: Ids, labels: Sequence[str], path: Path) -> None:
    """Rows are true classes, columns predicted ones."""
    labels, size = drawable(labels), 2.4 + 0.5 * len(labels)
    figure = Figure(figsize=(size + 0.6, size), layout="constrained")
    axes = figure.subplots()
    axes.imshow(counts, cmap="Blues")
    axes.set_xticks(range(len(labels)), labels, rotation=90 if max(map(len, labels)) > 5 else 0)
    axes.set_yticks(range(len(labels)), labels)
    axes.set_xlabel("predicted")
    axes.set_ylabel("true")
    for row in range(len(labels)):
        for column in range(len(labels)):
            dark = counts[row, column] > counts.max() / 2
            axes.text(column, row, f"{counts[row, column]:,}", ha="center", va="center", color="w" if dark else "k")
    figure.savefig(path, dpi=DPI, metadata={"Software": None})


def draw_calibration(bins: Sequence[tuple[float, float, int]], error: float, path: Path) -> None:
    """Accuracy against mean confidence, per bin."""
    figure = Figure(figsize=(3.4, 3.2), layout="constrained")
    axes = figure.subplots()
    axes.plot([0, 1], [0, 1], color="grey", linestyle=":")
    axes.plot([b[0] for b in bins], [b[1] for b in bins], marker="o")
    axes.set(xlabel="confidence", ylabel="accuracy", title=f"calibration error {error:.3f}", xlim=(0, 1), ylim=(0, 1))
    figure.savefig(path, dpi=DPI, metadata={"Software": None})
