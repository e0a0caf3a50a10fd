"""Training curves (PNG), apart from the pictures of a report: a change of those is none of a training's key."""

from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure

DPI = 90
LOSSES = {"loss": "training loss", "eval_loss": "validation loss"}
SCORES = {"eval_accuracy": "validation accuracy", "eval_macro_f1": "validation macro-F1"}
RANGE = 20
"""Largest over smallest loss from which on the axis is logarithmic."""


def draw_curves(history: Sequence[dict[str, float]], chosen: int, path: Path, phases: Sequence[int] = ()) -> None:
    """Training and validation loss on one chart, validation accuracy on another, by step; the chosen step is marked,
    and those at which later phases began."""
    figure = Figure(figsize=(8, 3.2), layout="constrained")
    for axes, names in zip(figure.subplots(1, 2), (LOSSES, SCORES), strict=True):
        drawn: list[float] = []
        for name, label in names.items():
            points = [(row["step"], row[name]) for row in history if name in row]
            if points:
                axes.plot(*zip(*points, strict=True), marker=".", label=label)
                drawn += [value for _, value in points]
        if names is LOSSES and drawn and 0 < min(drawn) < max(drawn) / RANGE:
            axes.set_yscale("log")
        axes.axvline(chosen, color="grey", linestyle=":", label=f"kept: step {chosen}")
        for number, step in enumerate(phases):
            axes.axvline(step, color="grey", linewidth=0.8, label=None if number else "next phase")
        axes.set_xlabel("optimiser step")
        axes.legend()
    figure.savefig(path, dpi=DPI, metadata={"Software": None})
