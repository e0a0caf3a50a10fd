"""A table that nobody has described yet -> which columns are text and label, and what holds of its rows."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import pandas as pd
from pandas.api.types import is_object_dtype

from configs.cleaning import Clean
from configs.sources import Columns
from configs.splitting import GivenSplit, HashSplit
from configs.starter import Facts

from ..data.cleaning.pipeline import clean_rows
from ..data.errors import DataError
from ..data.label_variants import describe_variants, label_variants
from ..data.ledger import PARTS
from ..data.pairs import joined, sides
from ..data.rows import with_ids
from ..data.sources.columns import take_columns
from ..data.sources.part_names import part_named
from ..data.sources.written import as_written, exact
from ..data.splitting import split_rows
from .column_names import GROUP_NAMES, PAIR_NAMES

TEXT_NAMES = ("text", "sentence", "review", "content", "body", "message", "comment", "tweet", "document", "utterance",
              "question", "description", "abstract", "headline", "title", "v2")  # fmt: skip
LABEL_NAMES = ("label", "class", "category", "target", "sentiment", "topic", "intent", "emotion", "polarity", "rating",
               "stars", "y", "v1")  # fmt: skip
ALONE = "CSV separates columns by commas, TSV by tabs; texts alone train a model as configs/tweets_masked.yaml does"
PAIRED = "its name and that of the text are those of a pair"
MOST_LABELS = 200
QUANTILES = (50, 99, 100)
UNNAMED = 1_000  # rank of a column whose name says nothing
LONGEST = 60  # characters of a list or object that a refusal shows
SAMPLE = 20_000  # rows on which columns are compared
WORDLESS = r"[-+]?\d+([.,]\d+)?([eE][-+]?\d+)?|\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}.*|https?://\S+"
"""Numbers, dates and addresses: values that are no text."""


@dataclass(frozen=True)
class Column:
    """A column in the sample: share filled, values, different ones, characters of one on average, whether words."""

    name: str
    filled: float
    values: int
    distinct: int
    mean: float
    words: bool


def look(
    table: pd.DataFrame, where: str, text: str | None = None, label: str | None = None, *, pair: str | None = None
) -> Facts:
    """Guess columns that are not given and measure the rows; pair: the column of second texts.

    Raises DataError where there is nothing to guess from, and for columns or rows that cannot be trained on.
    """
    if table.empty:
        raise DataError(f"{where}: the file holds no rows")
    if table.shape[1] < 2:
        raise DataError(f"{where}: only one column, {table.columns[0]!r}; {ALONE}")
    columns, why = _choose(table, where, text, label)
    if pair is not None:
        columns, why["text_pair"] = replace(columns, text_pair=pair), PAIRED
    rows = with_ids(take_columns(table, columns, where))
    counts = rows["label"].dropna().value_counts().sort_index()
    if not 2 <= len(counts) <= max(2, len(rows) // 2):
        raise DataError(
            f"{where}: the column {columns.label!r} has {len(counts):,} different values in {len(rows):,} "
            "rows; a label has at least two, which repeat: name another with --label"
        )
    seen = joined(rows).where(joined(rows).str.strip() != "").dropna()
    single = pd.concat([rows[side] for side in sides(rows)]).dropna()
    cleaned = clean_rows(rows, Clean(max_dropped=1.0))
    kept, dropped = cleaned.rows, cleaned.dropped
    if kept["label"].nunique() < 2:
        raise DataError(f"{where}: after cleaning, {len(kept):,} rows of fewer than two labels are left")
    try:
        split, parts = _split(kept, columns.split is not None)
    except DataError:
        raise DataError(f"{where}: {len(kept):,} rows after cleaning, too few for train, validation and test") from None
    labels = {str(name): int(count) for name, count in counts.items()}
    lengths = np.percentile(single.str.len(), QUANTILES, method="higher").astype(int).tolist()
    return Facts(
        columns=columns,
        why=why,
        rows=len(rows),
        labels=labels,
        missing=max(1 - len(seen) / len(rows), float(rows["label"].isna().mean())),
        duplicates=1 - seen.nunique() / len(seen),
        chars=dict(zip(QUANTILES, lengths, strict=True)),
        dropped={str(reason): int(count) for reason, count in dropped["reason"].value_counts().items()},
        split=split,
        parts={part: int((parts == part).sum()) for part in PARTS},
        texts=joined(kept).tolist(),
        variants=describe_variants(label_variants(labels)),
    )


def pair_of(table: pd.DataFrame, text: str | None = None) -> tuple[str, str] | None:
    """The two columns that are a pair of texts by their names, of which the first is `text` where that is given; None
    where there are none, or they hold no texts."""
    known = {
        re.sub(r"[^a-z0-9]+", "", column.name.lower()): column for column in inspect_columns(table) if column.words
    }
    pairs = ((known[a].name, known[b].name) for a, b in PAIR_NAMES if a in known and b in known)
    return next((pair for pair in pairs if text in (None, pair[0])), None)


def _choose(table: pd.DataFrame, where: str, text: str | None, label: str | None) -> tuple[Columns, dict[str, str]]:
    why = {role: "as you said" for role, name in (("text", text), ("label", label)) if name}
    known = [column for column in inspect_columns(table) if column.name not in (text, label)]
    split = next((column.name for column in known if names_parts(table[column.name])), None)
    known = [column for column in known if column.name != split]
    listed = list_columns(table)
    if text is None:
        candidates = sorted(
            (c for c in known if c.words and c.distinct > 0.3 * c.values),
            key=lambda c: (rank(c.name, TEXT_NAMES), -c.mean),
        )
        if not candidates:
            raise DataError(f"{where}: no column looks like texts; {listed}; name it with --text")
        text, mean = candidates[0].name, candidates[0].mean
        longest = f"the longest texts, {mean:.0f} characters on average"
        why["text"] = "by its name" if rank(text, TEXT_NAMES) < UNNAMED else longest
    if label is None:
        label, why["label"] = _choose_label([c for c in known if c.name != text], where, listed)
        _refuse_nested_label(table, where, label)
    if text == label:
        raise DataError(f"{where}: {text!r} cannot be both text and label")
    return Columns(text=text, label=label, split=split), why


def choose_image_columns(table: pd.DataFrame, image: str, where: str, label: str | None) -> Columns:
    """The columns of a table that lists images: label (unless given), split and group by their values and names.

    Raises DataError where no column, or more than one, could be the label.
    """
    known = [column for column in inspect_columns(table) if column.name not in (image, label)]
    split = next((column.name for column in known if names_parts(table[column.name])), None)
    rest = [column for column in known if column.name != split]
    grouped = sorted(
        (c for c in rest if rank(c.name, GROUP_NAMES) < UNNAMED and 1 < c.distinct < c.values),
        key=lambda c: rank(c.name, GROUP_NAMES),
    )
    group = grouped[0].name if grouped else None
    if label is None:
        listed = list_columns(table)
        label, _ = _choose_label([column for column in rest if column.name != group], where, listed)
    return Columns(image=image, label=label, split=split, group=group)


def _choose_label(columns: list[Column], where: str, listed: str) -> tuple[str, str]:
    few = [c for c in columns if 2 <= c.distinct <= min(MOST_LABELS, c.values / 2)]
    named = sorted(
        (c for c in few if rank(c.name, LABEL_NAMES) < UNNAMED),
        key=lambda c: (-round(c.filled, 1), rank(c.name, LABEL_NAMES), c.distinct),
    )
    if named:
        return named[0].name, "by its name"
    few = [c for c in few if c.filled > 0.9]
    if len(few) == 1:
        return few[0].name, "the only other column whose values are few and repeat"
    if few:
        shown = ", ".join(f"{c.name} ({c.distinct} values)" for c in few)
        raise DataError(f"{where}: several columns could be the label: {shown}; choose one with --label")
    raise DataError(f"{where}: no column has few values that repeat, as a label has; {listed}; name it with --label")


def list_columns(table: pd.DataFrame) -> str:
    """The names of a table's columns, with those of which a row holds a list or an object, and what to do."""
    nested = [f"row {row + 1:,} of {name!r} holds {shown}" for name, (row, shown) in nested_columns(table).items()]
    fix = f"; {', '.join(nested)}: write a single value in each row of such a column" if nested else ""
    if twice := sorted({str(name) for name in table.columns[table.columns.duplicated()]}):
        fix += f"; two are called {twice[0]!r}: rename one, since neither is read"
    return f"the columns are {list(map(str, table.columns))}{fix}"


def nested_columns(table: pd.DataFrame) -> dict[str, tuple[int, str]]:
    """Columns with a list or an object, which is no text or label; of each the first such row, and its value."""
    nested = {}
    for place, name in enumerate(map(str, table.columns)):
        values: Sequence[Any] = table.iloc[:, place].tolist() if is_object_dtype(table.iloc[:, place]) else []
        if row := next(
            ((at, value) for at, value in enumerate(values) if isinstance(value, (list, dict, np.ndarray))), None
        ):
            value = row[1].tolist() if isinstance(row[1], np.ndarray) else row[1]
            spelling = json.dumps(value, ensure_ascii=False, default=str)
            nested[name] = row[0], spelling if len(spelling) <= LONGEST else f"{spelling[:LONGEST]}..."
    return nested


def _refuse_nested_label(table: pd.DataFrame, where: str, label: str) -> None:
    """A column that is called like a label, and holds lists or objects, is not passed over for one that is not."""
    if rank(label, LABEL_NAMES) == UNNAMED and any(rank(name, LABEL_NAMES) < UNNAMED for name in nested_columns(table)):
        raise DataError(f"{where}: {list_columns(table)}, or choose another column with --label, such as {label!r}")


def rank(name: str, names: Sequence[str]) -> int:
    """Place of a column's name among the expected ones; behind them names that only contain one; then the rest."""
    plain = name.strip().lower()
    if (exact := plain if plain in names else plain.removesuffix("s")) in names:
        return names.index(exact)
    inside = [len(names) + names.index(word) for word in re.split(r"[^a-z0-9]+", plain) if word in names]
    return min(inside, default=UNNAMED)


def inspect_columns(table: pd.DataFrame) -> list[Column]:
    """Columns of single values with at least one."""
    sample = table.sample(min(len(table), SAMPLE), random_state=0)
    inspected = []
    for name in [name for name in table.columns if isinstance(name, str) and list(table.columns).count(name) == 1]:
        values = sample[name].dropna()
        if values.map(lambda value: isinstance(value, (str, int, float, bool, np.generic))).all() and len(values):
            words = as_written(values, "", name).str.strip()
            plain = words.str.fullmatch(WORDLESS).mean() < 0.5
            size = float(words.str.len().mean())
            inspected.append(Column(name, len(values) / len(sample), len(values), int(words.nunique()), size, plain))
    return inspected


def names_parts(column: pd.Series) -> bool:
    """Whether every value names a part, training and test among them."""
    parts = {part_named(str(value)) for value in {*exact(column)}}
    return {"train", "test"} <= parts <= set(PARTS)


def _split(rows: pd.DataFrame, given: bool) -> tuple[HashSplit | GivenSplit, pd.Series]:
    """The source's own split, else one by hash: exact where then more labels stand in every part."""
    if given:
        validation: Literal["given", "none"] = "given" if (rows["split"] == "validation").any() else "none"
        own = GivenSplit(kind="given", validation=validation)
        return own, split_rows(rows, own)
    splits = []
    for hashed in (HashSplit(), HashSplit(exact=True)):
        try:
            parts = split_rows(rows, hashed)
        except DataError:
            continue
        splits.append((int((pd.crosstab(rows["label"], parts) > 0).to_numpy().sum()), hashed, parts))
    if not splits:
        raise DataError("too few rows")
    _, split, best = max(splits, key=lambda tried: tried[0])
    return split, best
