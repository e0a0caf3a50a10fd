"""What the trainings of several recipes predicted for the same test rows -> a report: numbers, a page, a chart."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from textwrap import fill

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..data.errors import DataError
from ..data.escape import markdown
from ..data.fonts import drawable, lettering
from . import paired
from .comparison_document import Comparison, PairScore, RecipeScore
from .metrics import Ids

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")
"""Of Okabe and Ito's palette, which colour-blind people can distinguish."""
DPI = 110
History = list[dict[str, float]]


@dataclass(frozen=True)
class Costs:
    """Of a model: bytes of its files, and milliseconds as runtime/speed.py measures them."""

    bytes: int
    milliseconds: Mapping[str, Mapping[str, float]]


@dataclass(frozen=True)
class Side:
    """One recipe: its name, and per training the seed, which test rows it predicted correctly, and its history.

    Without seeds it is a model that stands, a registered one: `right` has its one row.
    """

    name: str
    seeds: tuple[int, ...]
    right: paired.Right
    histories: tuple[History, ...]
    costs: Costs | None = None


def read_right(predictions: Path, ids: pd.Index) -> paired.Right:
    """Per row of `ids`, whether the predictions of `evaluate` are right. Raises DataError for other rows."""
    table = pd.read_parquet(predictions, columns=["id", "label", "predicted"]).set_index("id")
    if len(table) != len(ids) or not table.index.is_unique or not ids.isin(table.index).all():
        raise DataError(f"{predictions}: predictions for other test rows than the split has; run again with --verify")
    right: paired.Right = (table["label"] == table["predicted"]).loc[ids].to_numpy(bool)
    return right


def weigh(sides: Sequence[Side], groups: Ids, confidence: float, *, first_is_new: bool) -> Comparison:
    """Each side's accuracy, and its pair with the first side (see paired.compare).

    groups: [rows]. With `first_is_new` the first is judged against each of the others, else each of them against it.
    Raises ValueError for a recipe of one training.
    """
    if few := [side.name for side in sides if len(side.seeds) == 1]:
        raise ValueError(f"one training of {few[0]} says nothing of another; two are needed")
    first, *others = sides
    named = [(first, other) if first_is_new else (other, first) for other in others]
    pairs = paired.compare([(new.right, old.right) for new, old in named], groups, confidence)
    return {
        "rows": len(groups),
        "groups": len(np.unique(groups)),
        "confidence": confidence,
        "recipes": [_score(side, groups, confidence) for side in sides],
        "pairs": [
            {
                "recipe": new.name,
                "against": old.name,
                "difference": asdict(pair.difference),
                "p": pair.p,
                "p_holm": pair.p_holm,
                "gained": pair.gained,
                "lost": pair.lost,
                "verdict": pair.verdict,
            }
            for (new, old), pair in zip(named, pairs, strict=True)
        ],
    }


def _score(side: Side, groups: Ids, confidence: float) -> RecipeScore:
    score: RecipeScore = {
        "name": side.name,
        "accuracy": asdict(paired.accuracy(side.right, groups, confidence)),
        "spread": float(side.right.mean(1).std(ddof=1)) if side.seeds else 0.0,
        "trainings": [
            {"seed": seed, "accuracy": float(right.mean())}
            for seed, right in zip(side.seeds, side.right, strict=bool(side.seeds))
        ],
    }
    if side.costs is not None:
        score |= {"bytes": side.costs.bytes, "milliseconds": side.costs.milliseconds}
    return score


def sentence(pair: PairScore) -> str:
    """One pair in one line."""
    return (
        f"{pair['recipe']} against {pair['against']}: {pair['verdict']} ({interval(pair)}, {p_value(pair['p_holm'])})"
    )


def interval(pair: PairScore) -> str:
    """A pair's difference with its interval."""
    difference = pair["difference"]
    return f"{difference['mean']:+.4f} [{difference['low']:+.4f}, {difference['high']:+.4f}]"


def p_value(p: float) -> str:
    """As it is usually printed."""
    return "p < 0.0001" if p < 1e-4 else f"p = {p:.4f}"


def describe(report: Comparison, asked: str = "compare") -> str:
    """The report as markdown; asked: the command that wants it."""
    percent, trainings = f"{report['confidence']:.0%}", len(report["recipes"][0]["trainings"])
    lines = [f"# {asked}: {'; '.join(markdown(sentence(pair)) for pair in report['pairs'])}", ""]
    lines += [f"| recipe | accuracy | {percent} interval | SD over seeds | by seed |", "|---|---:|---|---:|---|"]
    for recipe in report["recipes"]:
        each = ", ".join(f"{training['seed']}: {training['accuracy']:.4f}" for training in recipe["trainings"])
        accuracy, spread = recipe["accuracy"], f"{recipe['spread']:.4f}" if each else ""
        lines.append(
            f"| {_cell(recipe['name'])} | {accuracy['mean']:.4f} | {accuracy['low']:.4f} – {accuracy['high']:.4f}"
            f" | {spread} | {each} |"
        )
    lines += costs_table(report["recipes"])
    lines += ["", "| recipe | against | difference | interval | p | p (Holm) | rows better / worse | verdict |"]
    lines += ["|---|---|---:|---|---:|---:|---:|---|"]
    for pair in report["pairs"]:
        difference = pair["difference"]
        lines.append(
            f"| {_cell(pair['recipe'])} | {_cell(pair['against'])} | {difference['mean']:+.4f} | "
            f"{difference['low']:+.4f} – {difference['high']:+.4f} | {pair['p']:.4g} | {pair['p_holm']:.4g} | "
            f"{pair['gained']:,} / {pair['lost']:,} | **{pair['verdict']}** |"
        )
    several = f" The {len(report['pairs'])} intervals of differences are Bonferroni's." if report["pairs"][1:] else ""
    units = "" if report["groups"] == report["rows"] else f" in {report['groups']:,} groups, which are the units,"
    return "\n".join(
        [
            *lines,
            "",
            f"{trainings} trainings of each recipe, on the same split, scored on the same {report['rows']:,} test "
            f"rows{units} with accuracy. Intervals are for other seeds and other rows; p is of an exact sign-flip test "
            f"of these trainings.{several} `helped` and `hurt` need an interval without 0 and p (Holm) of at most "
            f"{1 - report['confidence']:.2g}; `undecided` does not say that there is no difference.",
        ]
    )


def costs_table(recipes: Sequence[RecipeScore]) -> list[str]:
    """Sizes and times as markdown, the first recipe's being 1; nothing where they were not measured."""
    if not all("bytes" in recipe for recipe in recipes):
        return []
    first, batches = recipes[0], list(recipes[0]["milliseconds"])
    lines = ["", f"| recipe | size | {' | '.join(f'p50, batch of {rows}' for rows in batches)} |"]
    lines += [f"|---|{'---:|' * (len(batches) + 1)}"]
    for recipe in recipes:
        cells = [f"{recipe['bytes'] / 1e6:,.1f} MB (× {recipe['bytes'] / max(first['bytes'], 1):.2f})"]
        for rows in batches:
            taken, least = (each["milliseconds"][rows]["p50"] for each in (recipe, first))
            cells.append(f"{taken:.1f} ms (× {taken / least:.2f})")
        lines.append(f"| {_cell(recipe['name'])} | {' | '.join(cells)} |")
    return lines


def _cell(text: str) -> str:
    return markdown(text)


def draw(sides: Sequence[Side], report: Comparison, path: Path) -> None:
    """Accuracy per seed with mean and interval, and the learning curves (PNG)."""
    with lettering([side.name for side in sides]):
        _draw(sides, report, path)


def _draw(sides: Sequence[Side], report: Comparison, path: Path) -> None:
    names = [_wrapped(name) for name in drawable([side.name for side in sides])]
    figure = Figure(figsize=(10, 2.6 + 0.4 * len(sides)), layout="constrained")
    left, right = figure.subplots(1, 2)
    column, measured = _measured(sides)
    for place, (side, recipe) in enumerate(zip(sides, report["recipes"], strict=True)):
        colour, accuracy = COLOURS[place % len(COLOURS)], recipe["accuracy"]
        each = side.right.mean(1)
        left.scatter(each, np.full(len(each), place - 0.18), s=16, color=colour, alpha=0.6, linewidths=0)
        reach = [[accuracy["mean"] - accuracy["low"]], [accuracy["high"] - accuracy["mean"]]]
        left.errorbar(accuracy["mean"], place, xerr=reach, fmt="o", color=colour, capsize=4)
        if side.histories:
            _curve(right, side, column, (names[place], colour))
    left.set_yticks(range(len(sides)), names, parse_math=False)
    left.set(ylim=(len(sides) - 0.5, -0.5), xlabel="test accuracy")
    left.set_title(f"mean and {report['confidence']:.0%} interval; each seed a dot above", fontsize=10)
    left.grid(axis="x", alpha=0.3)
    right.set(xlabel="optimiser step")
    right.set_title(f"{measured}: mean and range over seeds", fontsize=10)
    right.grid(alpha=0.3)
    for text in right.legend(fontsize=8).get_texts():
        text.set_parse_math(False)
    figure.savefig(path, dpi=DPI, metadata={"Software": None})


def _measured(sides: Sequence[Side]) -> tuple[str, str]:
    """The curve that every side has: validation accuracy, or else the training loss."""
    validated = all(any("eval_accuracy" in row for row in history) for side in sides for history in side.histories)
    return ("eval_accuracy", "validation accuracy") if validated else ("loss", "training loss")


def _curve(axes: Axes, side: Side, column: str, look: tuple[str, str]) -> None:
    """The mean over the seeds that reached a step, and the range of these; `look` is the name and the colour."""
    name, colour = look
    rows = [row for history in side.histories for row in history]
    points = pd.DataFrame(
        rows, columns=["step", column], dtype=float
    ).dropna()  # a short training may have logged nothing
    by_step = points.groupby("step")[column].agg(["mean", "min", "max"])
    axes.plot(by_step.index, by_step["mean"], marker=".", color=colour, label=name)
    axes.fill_between(by_step.index, by_step["min"], by_step["max"], color=colour, alpha=0.15, linewidth=0)


def _wrapped(name: str) -> str:
    return fill(name, 26, max_lines=3, placeholder=" …")
