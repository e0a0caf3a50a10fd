"""The flow of rows for a person: a band from the raw rows to the parts, out of which each stage's drops branch off."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from configs.stages import WITH_ROWS

from .escape import markdown
from .fonts import spell
from .ledger import DROPPED, PARTS, flow_of_rows

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLOURS = {"train": "#0072b2", "validation": "#56b4e9", "test": "#009e73", "alive": "#c8c8c8", DROPPED: "#d55e00"}
"""Of Okabe and Ito's palette, which colour-blind people can distinguish."""
MOST = 12
"""Reasons drawn by themselves; the rarer ones are one branch per stage."""
WIDEST = 64
"""Letters of a reason that are drawn."""
LINE = 0.1
"""Height of a line of text; all rows together are 1 high."""
INCHES = 2.0
"""Height of all rows together."""
DPI = 90


def describe_flow(ledger: pd.DataFrame) -> str:
    """A table of where the raw rows ended (markdown), the same as the picture."""
    lines = [f"Where each of {len(ledger):,} raw rows ended:", "", "| stage | outcome | rows | of all |"]
    lines += ["|---|---|---:|---:|"]
    flow = flow_of_rows(ledger)
    ended = flow["outcome"].isin(PARTS)
    for stage, outcome, count in pd.concat([flow[~ended], flow[ended]]).itertuples(index=False):
        named = f"**{outcome}**" if outcome in PARTS else f"dropped: {markdown(outcome)}"
        lines.append(f"| {stage} | {named} | {count:,} | {_percent(count / len(ledger))} |")
    return "\n".join(lines)


def draw_flow(ledger: pd.DataFrame, path: Path) -> None:
    """Draw a ledger in which every row has ended (PNG): heights are shares of the raw rows."""
    flow_figure(ledger).savefig(path, dpi=DPI, metadata={"Software": None})


def flow_figure(ledger: pd.DataFrame) -> "Figure":
    """The picture that `draw_flow` writes."""
    from matplotlib.figure import Figure

    branches = _branches(ledger)
    stages = [stage for stage in WITH_ROWS if stage in branches]
    end = len(stages) + 1
    figure = Figure(figsize=(2.2 * end + 3.4, 1), layout="constrained")
    axes = figure.subplots()
    _say(axes, (0, 1.05), "raw", ha="center")
    place, bottom = -LINE, -LINE / 2
    left = float((ledger["state"] != DROPPED).mean())
    for x, stage in reversed(list(enumerate(stages))):  # the last branch off highest, so that none crosses a label
        _say(axes, (x + 1, 1.05), stage, ha="center")
        _band(axes, x, (1, 1 - left), (1, 1 - left), COLOURS["alive"])
        upper = 1 - left
        for reason, count, share in branches[stage]:
            _band(axes, x, (upper, upper - share), (place + share / 2, place - share / 2), COLOURS[DROPPED])
            _say(axes, (x + 1.04, place), f"{reason}: {count:,} ({_percent(share)})", size=8)
            bottom = min(bottom, place - max(LINE, share) / 2 - LINE / 2)
            upper, place = upper - share, place - max(LINE, share + LINE / 2)
        left = 1 - upper
    _parts(axes, ledger, end)
    figure.set_figheight(INCHES * (1.2 - bottom) + 0.4)  # so that a line of text is LINE high, however many there are
    axes.set(xlim=(-0.2, end + 0.9), ylim=(bottom, 1.2))
    axes.set_title(f"where each of {len(ledger):,} raw rows ended", fontsize=10, loc="left")
    axes.axis("off")
    return figure


def _branches(ledger: pd.DataFrame) -> dict[str, list[tuple[str, int, float]]]:
    """Per stage the reasons with their rows and shares, commonest first."""
    gone = ledger[ledger["state"] == DROPPED]
    common = gone["reason"].value_counts().index[:MOST].tolist()
    named = gone["reason"].where(gone["reason"].isin(common), "rarer reasons")
    branches: dict[str, list[tuple[str, int, float]]] = {}
    counted = pd.DataFrame({"stage": gone["stage"], "reason": named}).value_counts().reset_index()
    for stage, reason, count in counted.itertuples(index=False):
        branches.setdefault(str(stage), []).append((_named(str(reason)), int(count), int(count) / len(ledger)))
    return branches


def _named(reason: str) -> str:
    """Not too wide, and in letters that can be drawn (a reason may hold a column's name)."""
    return spell(reason if len(reason) <= WIDEST else reason[: WIDEST - 1] + "…")


def _percent(share: float) -> str:
    return f"{share:.1%}" if share >= 0.001 or share == 0 else "<0.1%"


def _parts(axes: Any, ledger: pd.DataFrame, end: int) -> None:
    top, label = 1.0, 1.0
    for part in PARTS:
        count = int((ledger["state"] == part).sum())
        share = count / len(ledger)
        _band(axes, end - 1, (top, top - share), (top, top - share), COLOURS[part])
        label = min(label, top - share / 2)
        _say(axes, (end + 0.04, label), f"{part} {count:,} ({_percent(share)})")
        top, label = top - share, label - LINE


def _say(axes: Any, at: tuple[float, float], text: str, *, ha: str = "left", size: int = 9) -> None:
    axes.text(*at, text, ha=ha, va="center", fontsize=size, parse_math=False)  # a $ in a reason is a dollar


def _band(axes: Any, x: int, start: tuple[float, float], stop: tuple[float, float], colour: str) -> None:
    """A stream from x to x + 1; start and stop are its upper and lower edges there."""
    along = np.linspace(0, 1, 40)
    bend = along * along * (3 - 2 * along)
    upper, lower = (a + (b - a) * bend for a, b in zip(start, stop, strict=True))
    axes.fill_between(x + along, upper, lower, color=colour, linewidth=0.6)
