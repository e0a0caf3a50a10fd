"""The flow of rows as a picture: a band from the raw rows to the parts, out of which each stage's drops branch off."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from .ledger import DROPPED, PARTS, STAGES

COLOURS = {"train": "#0072b2", "validation": "#56b4e9", "test": "#009e73", "alive": "#c8c8c8", DROPPED: "#d55e00"}
"""Of Okabe and Ito's palette, which colour-blind people can tell apart."""
MOST = 12
"""Reasons drawn by themselves; the rarer ones are one branch per stage."""
LINE = 0.1
"""Height of a line of text; all rows together are 1 high."""
DPI = 90


def draw_flow(ledger: pd.DataFrame, path: Path) -> None:
    """Draw a ledger in which every row has ended (PNG): heights are shares of the raw rows."""
    from matplotlib.figure import Figure

    branches = _branches(ledger)
    stages = [stage for stage in STAGES if stage in branches]
    lines, end = sum(map(len, branches.values())), len(stages) + 1
    figure = Figure(figsize=(2.2 * end + 3.4, 2.6 + 2 * LINE * lines), layout="constrained")
    axes = figure.subplots()
    axes.text(0, 1.05, "raw", ha="center", fontsize=9)
    place = -LINE
    left = float((ledger["state"] != DROPPED).mean())
    for x, stage in reversed(list(enumerate(stages))):  # the last branch off highest, so that none crosses a label
        axes.text(x + 1, 1.05, stage, ha="center", fontsize=9)
        _band(axes, x, (1, 1 - left), (1, 1 - left), COLOURS["alive"])
        upper = 1 - left
        for reason, count, share in branches[stage]:
            _band(axes, x, (upper, upper - share), (place + share / 2, place - share / 2), COLOURS[DROPPED])
            axes.text(x + 1.04, place, f"{reason}: {count:,} ({share:.1%})", va="center", fontsize=8)
            upper, place = upper - share, place - max(LINE, share + LINE / 2)
        left = 1 - upper
    _parts(axes, ledger, end)
    axes.set(xlim=(-0.2, end + 0.9), ylim=(place - LINE / 2, 1.15))
    axes.set_title(f"where each of {len(ledger):,} raw rows ended", fontsize=10, loc="left")
    axes.axis("off")
    figure.savefig(path, dpi=DPI, metadata={"Software": None})


def _branches(ledger: pd.DataFrame) -> dict[str, list[tuple[str, int, float]]]:
    """Per stage the reasons with their rows and shares, commonest first."""
    gone = ledger[ledger["state"] == DROPPED]
    common = gone["reason"].value_counts().index[:MOST].tolist()
    named = gone["reason"].where(gone["reason"].isin(common), "rarer reasons")
    found: dict[str, list[tuple[str, int, float]]] = {}
    counted = pd.DataFrame({"stage": gone["stage"], "reason": named}).value_counts().reset_index()
    for stage, reason, count in counted.itertuples(index=False):
        found.setdefault(str(stage), []).append((str(reason), int(count), int(count) / len(ledger)))
    return found


def _parts(axes: Any, ledger: pd.DataFrame, end: int) -> None:
    top, label = 1.0, 1.0
    for part in PARTS:
        count = int((ledger["state"] == part).sum())
        share = count / len(ledger)
        _band(axes, end - 1, (top, top - share), (top, top - share), COLOURS[part])
        label = min(label, top - share / 2)
        axes.text(end + 0.04, label, f"{part} {count:,} ({share:.1%})", va="center", fontsize=9)
        top, label = top - share, label - LINE


def _band(axes: Any, x: int, start: tuple[float, float], stop: tuple[float, float], colour: str) -> None:
    """A stream from x to x + 1; start and stop are its upper and lower edges there."""
    along = np.linspace(0, 1, 40)
    bend = along * along * (3 - 2 * along)
    upper, lower = (a + (b - a) * bend for a, b in zip(start, stop, strict=True))
    axes.fill_between(x + along, upper, lower, color=colour, linewidth=0.6)
