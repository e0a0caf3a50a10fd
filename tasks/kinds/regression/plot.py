"""True and predicted numbers -> a picture of one against the other."""

from pathlib import Path

from matplotlib.figure import Figure

from ...learn.metrics import Floats
from ...learn.pictures import DPI, OTHER, RIGHT


def draw_numbers(truth: Floats, predicted: Floats, path: Path) -> None:
    """Draw predicted against true numbers (PNG), with the line on which they are equal."""
    figure = Figure(figsize=(5.2, 5.0), layout="constrained")
    axes = figure.subplots()
    ends = [float(min(truth.min(), predicted.min())), float(max(truth.max(), predicted.max()))]
    axes.plot(ends, ends, color=OTHER, linewidth=1, zorder=1)
    axes.scatter(truth, predicted, s=9, alpha=0.5, color=RIGHT, linewidths=0, zorder=2)
    axes.set(xlabel="true", ylabel="predicted", title=f"{len(truth):,} test rows")
    figure.savefig(path, dpi=DPI, metadata={"Software": None})
