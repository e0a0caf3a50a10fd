"""A picture (PNG) of one row and the parts of its answer, for models that predict no single class."""

from pathlib import Path

from matplotlib.figure import Figure

from ..data.fonts import lettering
from .pictures import DPI, OTHER, RIGHT, WRONG, draw_bars, draw_text, named, text_lines
from .row_answers import Bar, RowAnswer

MISSED = "missed"
"""In the place of a probability that the model did not give."""


def colour(bar: Bar) -> str:
    """Green for what is true, red for what is only predicted, grey for all else."""
    return RIGHT if bar.true else WRONG if bar.predicted else OTHER


def draw_row_answer(answer: RowAnswer, row_id: str, path: Path) -> None:
    """The text next to a bar for each part of the answer: a true one in green, one that is only predicted in red; what
    is predicted has an arrow."""
    names = [f"{'→ ' * bar.predicted}{named(bar.name)}" for bar in answer.bars]
    values = [bar.probability or 0.0 for bar in answer.bars]
    shown = [MISSED if bar.probability is None else f"{bar.probability:.3f}" for bar in answer.bars]
    with lettering([*(bar.name for bar in answer.bars), answer.seen]):
        tall = max(1.5, 0.8 + 0.2 * len(names), 0.9 + 0.14 * len(text_lines(answer.seen)))
        figure = Figure(figsize=(8.2, tall), layout="constrained")
        text, chart = figure.subplots(1, 2, width_ratios=(4.6, 3.6))
        draw_text(text, answer.seen)
        text.text(0.5, -0.03, row_id, fontsize=7, ha="center", va="top", transform=text.transAxes)
        draw_bars(chart, names, values, [colour(bar) for bar in answer.bars], shown)
        chart.set_title("→ predicted; green: true", fontsize=10)
        if answer.left:
            chart.set_xlabel(f"{answer.left:,} others are neither true nor predicted", fontsize=8)
        figure.savefig(path, dpi=DPI, metadata={"Software": None})
