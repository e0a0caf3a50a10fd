"""Generated turns and a baseline's on the same histories -> which calls better by a paired test, also by slices."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from ...data.escape import markdown
from ...learn.champion_test import Rule, contest
from ...learn.resampling import Outcomes, Resampling
from .metrics import Turn, turn_statistics

SCORES = ("argument_f1", "call_exact")
"""What is tested: a baseline that copies turns is never asked whether it ends them."""
EVERY = "all"


@dataclass(frozen=True)
class Slice:
    """Test dialogues with one value of a column; those of all values are called EVERY and have no column."""

    column: str | None
    value: str
    dialogues: frozenset[str]


def slices_of(test: pd.DataFrame, columns: Sequence[str]) -> list[Slice]:
    """All test rows, then those of each value of each column, in the values' order; rows without one are in none."""
    slices = [Slice(None, EVERY, frozenset(test["id"]))]
    for column in columns:
        for value, rows in test.dropna(subset=[column]).groupby(column, sort=True):
            slices.append(Slice(column, str(value), frozenset(rows["id"])))
    return slices


def contests(
    turns: Sequence[Turn], baselines: Mapping[str, Sequence[Turn]], slices: Sequence[Slice], how: Resampling
) -> list[dict[str, object]]:
    """A paired bootstrap over dialogues per baseline, slice and score, JSON-ready.

    baselines: name to its turns, in the order of `turns`. A score that means nothing in a slice (no call is due) is
    left out.
    """
    rule = Rule(how)
    return [
        {"baseline": name, "column": part.column, "value": part.value, "score": score} | tested
        for name, others in baselines.items()
        for part in slices
        for score, tested in _tested(turns, others, part, rule)
    ]


def _tested(
    turns: Sequence[Turn], others: Sequence[Turn], where: Slice, rule: Rule
) -> Iterator[tuple[str, dict[str, object]]]:
    here = [at for at, turn in enumerate(turns) if turn.dialogue in where.dialogues]
    groups = [turns[at].dialogue for at in here]
    for score in SCORES:
        sides = [_outcomes([side[at] for at in here], score) for side in (turns, others)] if here else []
        if not sides or not all(math.isfinite(float(side.metric(side.statistics.sum(0)))) for side in sides):
            continue
        tested = contest(sides[0], sides[1], rule, groups)
        yield (
            score,
            {
                "model": tested.challenger,
                "other": tested.champion,
                "difference": tested.difference.mean,
                "interval": [tested.difference.low, tested.difference.high],
                "dialogues": tested.units,
                "turns": tested.rows,
                "finding": tested.finding,
            },
        )


def _outcomes(turns: Sequence[Turn], score: str) -> Outcomes:
    statistics = turn_statistics(turns, score)
    if statistics is None:
        raise ValueError(f"{score} is no function of sums over turns")
    columns, metric = statistics
    return Outcomes(np.stack([np.asarray(column, float) for column in columns], axis=-1), metric)


def describe_contests(contests: Sequence[Mapping[str, Any]]) -> list[str]:
    """Lines of Markdown; none where nothing was tested."""
    if not contests:
        return []
    lines = [
        "| paired bootstrap over dialogues | dialogues | score | this model | baseline | difference | |",
        "|---|---:|---|---:|---:|---:|---|",
    ]
    for row in contests:
        where = EVERY if row["column"] is None else markdown(f"{row['column']} {row['value']}")
        low, high = row["interval"]
        lines.append(
            f"| {row['baseline']}, {where} | {row['dialogues']:,} | {row['score'].replace('_', ' ')} | "
            f"{row['model']:.4f} | {row['other']:.4f} | {row['difference']:+.4f} [{low:+.4f}, {high:+.4f}] | "
            f"{row['finding']} |"
        )
    return ["", *lines, ""]
