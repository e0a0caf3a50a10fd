"""Predictions of test rows, as `evaluate` keeps them -> what a score is a function of, row by row."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from configs.encodings import CLASSES

from ..data.errors import DataError
from ..learn.metrics import Floats
from ..learn.resampling import Metric, Outcomes, ratio
from .masked_lm.metrics import perplexity
from .regression.metrics import r2, root_mean

SHOWN = 10
"""Rows that are named of those that a challenger fixed, and of those that it broke."""
TOLD = {"regression": "value", "dialogue": "written", "seq2seq": "written", "masked": "right"}
"""Per kind the column of the model's answer; of classes it is `predicted`."""


def keys(kind: str) -> list[str]:
    """Columns that name a scored row: of a dialogue each turn is one."""
    return ["id", "turn"] if kind == "dialogue" else ["id"]


def align(new: pd.DataFrame, old: pd.DataFrame, kind: str) -> pd.DataFrame:
    """Another model's predictions `old`, in the rows of `new` and in their order.

    Raises DataError where a row is missing, stands there twice, or has another truth.
    """
    names, truth = keys(kind), _truth(kind)
    for side in (new, old):
        absent = [name for name in (*names, truth, TOLD.get(kind, "predicted")) if name not in side]
        if absent:
            raise DataError(f"the predictions have no column {absent[0]!r}, only {list(side.columns)}")
        if side.duplicated(names).any():
            raise DataError(f"row {side.loc[side.duplicated(names), 'id'].iloc[0]} is predicted twice")
    found = new[names].merge(old, on=names, how="left", indicator=True)
    missing = found["_merge"] != "both"
    if missing.any():
        raise DataError(f"{int(missing.sum())} of {len(new)} test rows have no prediction, the first is "
                        f"{found.loc[missing, 'id'].iloc[0]}")  # fmt: skip
    other = found[truth].to_numpy() != new[truth].to_numpy()
    if other.any():
        raise DataError(f"row {found['id'][int(np.flatnonzero(other)[0])]} has another {truth}")
    return found.drop(columns="_merge")


def outcomes(table: pd.DataFrame, kind: str, score: str, labels: Sequence[str] = ()) -> Outcomes:
    """What `score` is a function of. labels: the classes. Raises DataError for a score that no row has a part in."""
    if kind in CLASSES:
        found = _of_classes(table, score, labels)
    else:
        made = {"regression": _of_numbers, "masked": _of_tokens, "seq2seq": _of_texts, "dialogue": _of_turns}[kind]
        found = made(table, score)
    if found is None:
        raise DataError(f"there is no paired test of {score} for models of encode.kind {kind}")
    columns, metric = found
    return Outcomes(np.stack([np.asarray(column, float) for column in columns], axis=-1), metric)


def quality(table: pd.DataFrame, kind: str) -> Floats:
    """How well each row was answered [rows], more being better: right or not; of numbers the error, negated."""
    if kind == "regression":
        return np.asarray(-np.abs(table["value"].to_numpy(float) - table["true"].to_numpy(float)))
    if kind == "masked":
        return np.asarray(table["right"], float)
    if kind == "seq2seq":
        return np.asarray(table["written"].str.strip() == table["true"].str.strip(), float)
    if kind == "dialogue":
        return np.array([json.loads(a) == json.loads(b) for a, b in zip(table["true"], table["written"], strict=True)],
                        float)  # fmt: skip
    return np.asarray(table["label"] == table["predicted"], float)


def changed(new: pd.DataFrame, old: pd.DataFrame, kind: str, known: Sequence[str] | None = None) -> dict[str, Any]:
    """How many rows `new` answers better and worse than `old` (aligned), and some of each: fixed, broken, examples.

    known: the classes of the old model; where every row that is fixed is of others, `unknown` lists these.
    """
    gain = quality(new, kind) - quality(old, kind)
    order = np.argsort(-np.abs(gain), kind="stable")
    best, worst = order[gain[order] > 0], order[gain[order] < 0]
    truths = {str(label) for label in new[_truth(kind)].iloc[best]} if known and kind in CLASSES else set()
    strange = {"unknown": sorted(truths)} if truths and not truths & set(known or ()) else {}
    return strange | {
        "fixed": len(best),
        "broken": len(worst),
        "examples": {name: [_example(new, old, kind, int(at)) for at in places[:SHOWN]]
                     for name, places in (("fixed", best), ("broken", worst))},
    }  # fmt: skip


def _example(new: pd.DataFrame, old: pd.DataFrame, kind: str, at: int) -> dict[str, Any]:
    told = TOLD.get(kind, "predicted")
    named: Mapping[str, Any] = {name: new[name].iloc[at] for name in (*keys(kind), _truth(kind))}
    both = {**named, "challenger": new[told].iloc[at], "champion": old[told].iloc[at]}
    return {name: value.item() if hasattr(value, "item") else value for name, value in both.items()}


def _truth(kind: str) -> str:
    return "label" if kind in CLASSES else "tokens" if kind == "masked" else "true"


Columns = tuple[list[Any], Metric]


def _of_classes(table: pd.DataFrame, score: str, labels: Sequence[str]) -> Columns | None:
    if score == "accuracy":
        return [quality(table, "classifier"), np.ones(len(table))], ratio
    if score != "macro_f1":
        return None
    true, found = (table[column].to_numpy()[:, None] == np.asarray(labels, object) for column in
                   ("label", "predicted"))  # fmt: skip
    return [*(true & found).T, *true.T, *found.T], macro_f1


def macro_f1(sums: Floats) -> Floats:
    """Unweighted mean of the classes' F1, of sums [..., 3 * classes]: rightly found, true, found."""
    right, true, found = np.split(sums, 3, axis=-1)
    return np.asarray((2 * right / np.maximum(true + found, 1)).mean(-1))


def _of_numbers(table: pd.DataFrame, score: str) -> Columns | None:
    truth, ones = table["true"].to_numpy(float), np.ones(len(table))
    errors = table["value"].to_numpy(float) - truth
    centred = truth - truth.mean()
    made: dict[str, Columns] = {
        "rmse": ([errors**2, ones], root_mean),
        "mae": ([np.abs(errors), ones], ratio),
        "r2": ([errors**2, centred**2, centred, ones], r2),
    }
    return made.get(score)


def _of_tokens(table: pd.DataFrame, score: str) -> Columns | None:
    made: dict[str, Columns] = {
        "accuracy": ([table["right"], table["tokens"]], ratio),
        "loss": ([table["loss"], table["tokens"]], ratio),
        "perplexity": ([table["loss"], table["tokens"]], perplexity),
    }
    return made.get(score)


def _of_texts(table: pd.DataFrame, score: str) -> Columns | None:
    from ..text.text_scores import text_statistics

    if score == "exact":
        return [quality(table, "seq2seq"), np.ones(len(table))], ratio
    return text_statistics(score, table["true"].tolist(), table["written"].tolist())


def _of_turns(table: pd.DataFrame, score: str) -> Columns | None:
    from .dialogue.metrics import Turn, turn_statistics

    given = zip(table["id"], table["turn"], table["true"], table["written"], table["ended"], strict=True)
    turns = [Turn(row, int(place), json.loads(true), json.loads(written), bool(ended))
             for row, place, true, written, ended in given]  # fmt: skip
    return turn_statistics(turns, score)
