"""Unlabelled texts and registered models in; those that the models label confidently, and an account of all, out."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypedDict

import numpy as np
import pandas as pd

from configs.cleaning import Contradictions, LabelErrors
from configs.pseudo_labels import PseudoLabels
from configs.splitting import HashSplit

from ..data.added_rows import apart
from ..data.cleaning.added_texts import without
from ..data.cleaning.pipeline import clean_rows
from ..data.errors import DataError
from ..data.joined_rows import leaking
from ..data.leakage import reasons as leakage_reasons
from ..data.ledger import PARTS
from ..data.pairs import TEXT, contents, distinct, sides
from ..data.rows import read_rows
from ..learn.confident_labels import BEYOND, UNSURE, Precision, choose, precision
from ..store.kept_arrays import keep, read_kept
from .predicting import open_predictor
from .teaching import SHARD, label_order

HELP = "lower the confidence, or give other rows"
ASKED_AS = "the teacher"
MISSING, KNOWN, ADDED = "missing text", "known to the source", "added already"


class LabelCount(TypedDict):
    """Of a label the rows that were given it and taken, and how many of them are right, where that is known."""

    taken: int
    precision: Precision | None


class Labelled(TypedDict):
    """What became of unlabelled rows: how many there were and were taken, of each label, and why others were not."""

    rows: int
    taken: int
    labels: dict[str, LabelCount]
    left_out: dict[str, int]
    precision: Precision | None


@dataclass(frozen=True)
class Asking:
    """Who is asked, and for whom: section; the teachers' folders; the folder of the recipe's split; where answers are
    kept while others are computed; what hears of progress."""

    section: PseudoLabels
    teachers: Sequence[Path]
    splits: Path
    scratch: Path
    done: Callable[[int, int, str], None]


def label_rows(rows: pd.DataFrame, asking: Asking) -> tuple[pd.DataFrame, pd.DataFrame, Labelled]:
    """The rows that are taken (text or pair, label); an account of all (number, label, confidence, reason; the last is
    "" where it was taken); and the counts.

    rows: text or pair, and as `label` the truth where it is known, which decides nothing. Raises DataError where a
    teacher has other labels or reads other contents, and where no row is taken.
    """
    section, labels = asking.section, known_labels(asking.splits)
    if odd := [label for label in section.by_label if label not in labels]:
        raise DataError(f"--confidence {odd[0]}=…: the recipe has no such label; its labels: {', '.join(labels)}")
    rows, left_out = screened(rows.reset_index(drop=True), asking)
    chosen = choose(
        probabilities(rows[left_out == ""], labels, asking),
        [section.least(label) for label in labels],
        agree=section.agree,
        balance=section.balance,
    )
    account = pd.DataFrame({"number": range(1, len(rows) + 1), "label": None, "confidence": np.nan, "reason": left_out})
    at = np.flatnonzero(left_out == "")
    named = np.array(labels, object)[chosen.labels]
    account.loc[account.index[at], ["label", "confidence", "reason"]] = pd.DataFrame(
        {"label": named, "confidence": chosen.confidence, "reason": chosen.reasons}, index=account.index[at]
    )
    taken = (account["reason"] == "").to_numpy()
    if not taken.any():
        sure = set(account["label"][account["reason"] == BEYOND])
        if section.balance and (absent := [label for label in labels if sure and label not in sure]):
            raise DataError(f"no row is confidently labelled {absent[0]}, so --balance leaves none; {HELP}")
        unsure = (account["reason"] == UNSURE).any()
        raise DataError(f"no row is taken: {_counted(account['reason'])}; {HELP if unsure else 'give other rows'}")
    given = rows[taken].drop(columns="label", errors="ignore").assign(label=account["label"][taken].to_numpy())
    truth = rows["label"] if "label" in rows else pd.Series(np.nan, index=rows.index, dtype="str")
    return given, account, _summary(account, truth, labels)


def screened(rows: pd.DataFrame, asking: Asking) -> tuple[pd.DataFrame, Any]:
    """The rows (numbered from 0) with their texts as the recipe's cleaning leaves them, and why each is not asked
    about, "" where it is: before any model sees it."""
    columns = list(sides(rows))
    given = rows[columns].assign(id=rows.index.astype("str"), split=pd.Series(None, rows.index, "str"))
    cleaned = clean_rows(given, without(asking.section.clean, LabelErrors, Contradictions))
    left, gone = cleaned.rows.set_index(cleaned.rows["id"].astype(int)), cleaned.dropped
    reasons = pd.Series("", index=rows.index, dtype=object)
    reasons.update(pd.Series(gone["reason"].to_numpy(), index=gone["id"].astype(int), dtype=object))
    texts = rows.assign(**{name: rows[name].where(~rows.index.isin(left.index), left[name]) for name in columns})
    absent = [texts[name].isna() | (texts[name].str.strip() == "") for name in columns]
    reasons[np.any(absent, axis=0) & (reasons == "")] = MISSING

    parts = [read_rows(asking.splits / f"{part}.parquet").assign(part=part) for part in PARTS]
    known = pd.concat(parts, ignore_index=True)
    asked = texts[reasons == ""].assign(id=lambda table: table.index.astype("str"))
    copies = leakage_reasons(leaking(known, known["part"], asked, HashSplit(similarity=asking.section.similarity)))
    reasons.update(pd.Series(copies["reason"].to_numpy(), index=copies["id"].astype(int), dtype=object))
    own, added = apart(known)
    for table, why in ((added, ADDED), (own, KNOWN)):
        reasons[distinct(texts, TEXT).isin(set(distinct(table, TEXT))) & (reasons == "")] = why
    return texts, reasons.to_numpy()


def known_labels(splits: Path) -> tuple[str, ...]:
    """The labels of the recipe's training rows, in order."""
    return tuple(sorted(read_rows(splits / "train.parquet")["label"].unique()))


def probabilities(rows: pd.DataFrame, labels: tuple[str, ...], asking: Asking) -> Any:
    """What each teacher predicts: [teachers, rows, labels]; what a killed run kept is not computed again."""
    by_teacher, total = [], len(asking.teachers) * len(rows)
    if rows.empty:
        return np.zeros((len(asking.teachers), 0, len(labels)))
    for number, folder in enumerate(asking.teachers):
        predictor = open_predictor(folder)
        order = label_order(tuple(predictor.encoding.labels), labels, ASKED_AS)
        shards = [np.zeros((0, len(order)))]
        for first in range(0, len(rows), SHARD):
            some = contents(rows.iloc[first : first + SHARD])
            kept = asking.scratch / f"{number}-{first}.npy"
            values = read_kept(kept, (len(some), len(order)))
            if values is None:
                values = _predicted(predictor, some)[:, order]
                keep(kept, values)
            shards.append(values)
            asking.done(number * len(rows) + first + len(some), total, "labelling rows")
        by_teacher.append(np.concatenate(shards))
    return np.stack(by_teacher)


def _predicted(predictor: Any, some: list[Any]) -> Any:
    try:
        return np.asarray(predictor.predict(some).probabilities, float)
    except ValueError as error:  # it reads pairs, or does not
        raise DataError(f"{ASKED_AS} cannot read the rows: {error}") from None


def _summary(account: pd.DataFrame, truth: pd.Series, labels: Sequence[str]) -> Labelled:
    taken = (account["reason"] == "").to_numpy()
    checked = taken & truth.notna().to_numpy()
    right = (account["label"].to_numpy() == truth.to_numpy()) & checked
    of_label = {label: (account["label"] == label).to_numpy() for label in labels}
    return {
        "rows": len(account),
        "taken": int(taken.sum()),
        "labels": {
            label: {"taken": int((taken & mine).sum()), "precision": _share(right, checked & mine)}
            for label, mine in of_label.items()
        },
        "left_out": {str(name): int(count) for name, count in account["reason"][~taken].value_counts().items()},
        "precision": _share(right, checked),
    }


def _share(right: Any, among: Any) -> Precision | None:
    return precision(right[among]) if among.any() else None


def _counted(reasons: pd.Series) -> str:
    return ", ".join(f"{count:,} {name}" for name, count in reasons[reasons != ""].value_counts().items())
