"""A table that nobody has described yet -> its column of targets (numbers or texts), and what holds of its rows."""

from dataclasses import replace

import numpy as np
import pandas as pd

from configs.cleaning import Clean, Duplicates, Missing
from configs.sources import Columns
from configs.splitting import GivenSplit, HashSplit
from configs.target_starter import TargetFacts
from configs.text_steps import Unicode, Whitespace

from ..data.cleaning.pipeline import clean_rows
from ..data.drops import first_of
from ..data.errors import DataError
from ..data.ledger import PARTS
from ..data.numbers import PLAIN, Notation, find_notation, read_numbers
from ..data.pairs import joined, sides
from ..data.rows import with_ids
from ..data.sources.columns import take_columns
from ..data.sources.written import as_written
from ..data.splitting import split_rows
from .table import (
    PAIRED,
    SAMPLE,
    TEXT_NAMES,
    UNNAMED,
    Column,
    inspect_columns,
    list_columns,
    names_parts,
    pair_of,
    rank,
)

NUMBER_NAMES = ("target", "score", "rating", "value", "price", "points", "grade", "similarity", "y")
"""Names of columns of numbers that may be predicted."""
WRITTEN_NAMES = ("target", "summary", "highlights", "translation", "output", "answer", "response", "reply", "title",
                 "headline", "reason")  # fmt: skip
"""Names of columns of texts that may be written."""
MANY = 20
"""Different numbers from which on they are no classes."""
STEPS = (Unicode(kind="unicode"), Whitespace(kind="whitespace"), Missing(kind="missing"), Duplicates(kind="duplicates"))
"""The steps of the recipe that is written."""
NUMBERS = 0.95
"""Share of the values that must be numbers."""


def number_column(table: pd.DataFrame) -> str | None:
    """The column of many different numbers whose name says that it may be predicted; None where there is none."""
    known = [
        column
        for column in inspect_columns(table)
        if column.distinct > MANY and rank(column.name, NUMBER_NAMES) < UNNAMED and are_numbers(table[column.name])
    ]
    return min(known, key=lambda column: rank(column.name, NUMBER_NAMES)).name if known else None


def look_at_targets(
    table: pd.DataFrame, where: str, *, numbers: bool, text: str | None, target: str | None
) -> TargetFacts:
    """Guess the columns that are not given and measure the rows. numbers: whether targets are; else they are texts.

    Raises DataError where the rows cannot be trained on.
    """
    pair = pair_of(table, text) if numbers and not table.empty else None
    columns, why = _choose(table, where, numbers, text=pair[0] if pair else text, target=target)
    if pair:
        columns, why["text_pair"] = replace(columns, text_pair=pair[1]), PAIRED
    rows = with_ids(take_columns(table, columns, where))
    cleaned = clean_rows(rows, Clean(steps=STEPS, max_dropped=1.0))
    kept = cleaned.rows
    if kept.empty:
        raise DataError(f"{where}: no row has both {columns.text!r} and {columns.target!r}")
    split, parts = likely_split(kept, where, given=columns.split is not None)
    notation = notation_of(rows["target"]) if numbers else None
    seen, read = joined(rows).dropna(), list(sides(rows))
    return TargetFacts(
        columns=columns,
        why=why,
        rows=len(rows),
        targets=_described(rows["target"], notation),
        notation=notation or PLAIN,
        longest=int(max(rows[side].dropna().str.len().max() for side in read)),
        missing=float(rows[[*read, "target"]].isna().any(axis=1).mean()),
        duplicates=1 - seen.nunique() / len(seen),
        dropped={str(reason): int(count) for reason, count in cleaned.dropped["reason"].value_counts().items()},
        split=split,
        parts={part: int((parts == part).sum()) for part in PARTS},
        texts=joined(kept).tolist(),
        aims=kept["target"].tolist(),
    )


def _choose(
    table: pd.DataFrame, where: str, numbers: bool, *, text: str | None, target: str | None
) -> tuple[Columns, dict[str, str]]:
    if table.empty:
        raise DataError(f"{where}: the file holds no rows")
    why = {role: "as you said" for role, name in (("text", text), ("target", target)) if name}
    known = inspect_columns(table)
    split = next(
        (column.name for column in known if column.name not in (text, target) and names_parts(table[column.name])), None
    )
    listed = list_columns(table)
    if target is None:
        target = number_column(table) if numbers else _written(known, {text, split})
        if target is None:
            what = "many different numbers" if numbers else "texts to be written"
            raise DataError(
                f"{where}: no column is called like a target and holds {what}; {listed}; name it with --label"
            )
        why["target"] = "by its name"
    if target in table and numbers and not are_numbers(table[target]):
        raise DataError(
            f"{where}: {target!r} does not hold numbers of one notation, such as 2.5 or 1,234.5, in {NUMBERS:.0%} of "
            f"the rows: {first_of(odd_numbers(table[target]))}; correct them, or name another column with --label"
        )
    if text is None:
        words = [column for column in known if column.words and column.name not in (target, split)]
        if not words:
            raise DataError(f"{where}: no column looks like texts; {listed}; name it with --text")
        text = min(words, key=lambda column: (rank(column.name, TEXT_NAMES), -column.mean)).name
        why["text"] = "by its name" if rank(text, TEXT_NAMES) < UNNAMED else "the longest texts"
    if text == target:
        raise DataError(f"{where}: {text!r} cannot be both text and target")
    return Columns(text=text, target=target, split=split), why


def written_column(table: pd.DataFrame) -> str | None:
    """The column of texts whose name says that they may be written, next to another of texts; None: there is none."""
    known = [column for column in inspect_columns(table) if column.words]
    return _written(known, {None}) if len(known) > 1 else None


def _written(known: list[Column], taken: set[str | None]) -> str | None:
    fit = [
        column
        for column in known
        if column.words and column.name not in taken and rank(column.name, WRITTEN_NAMES) < UNNAMED
    ]
    return min(fit, key=lambda column: rank(column.name, WRITTEN_NAMES)).name if fit else None


def are_numbers(values: pd.Series) -> bool:
    """Whether nearly all values that are there are numbers, in one notation."""
    return notation_of(values) is not None


def notation_of(values: pd.Series) -> Notation | None:
    """The notation in which nearly all values that are there are numbers; None where there is none."""
    try:
        return find_notation(as_written(values.dropna().head(SAMPLE), "", "").tolist(), NUMBERS)
    except DataError:  # lists and objects
        return None


def odd_numbers(values: pd.Series) -> list[str]:
    """What is no plain number, each once."""
    words = as_written(values.dropna(), "", "", nested=True).drop_duplicates()
    return [repr(word) for word in words if find_notation([word], 1) is None] or [repr(word) for word in words]


def _described(targets: pd.Series, notation: Notation | None) -> str:
    if notation is None:
        return f"{targets.nunique():,} different texts"
    words = targets.dropna()
    values = read_numbers(words.tolist(), *notation)
    known = values[np.isfinite(values)]
    described = f"{len(np.unique(known)):,} different numbers from {known.min():g} to {known.max():g}"
    example = next(iter(words[(values != pd.to_numeric(words, errors="coerce")) & np.isfinite(values)]), None)
    if notation == PLAIN or example is None:
        return described
    return f"{described}; {example!r} is read as {read_numbers([example], *notation)[0]:.10g}"


def likely_split(rows: pd.DataFrame, where: str, *, given: bool) -> tuple[HashSplit | GivenSplit, pd.Series]:
    """The source's own split, else one by hash, exact where a part would be empty."""
    if given:
        own = GivenSplit(kind="given", validation="given" if (rows["split"] == "validation").any() else "none")
        return own, split_rows(rows, own)
    for hashed in (HashSplit(), HashSplit(exact=True)):
        try:
            parts = split_rows(rows, hashed)
        except DataError:
            continue
        if set(parts) >= set(PARTS):
            return hashed, parts
    raise DataError(f"{where}: {len(rows):,} rows after cleaning, too few for train, validation and test")
