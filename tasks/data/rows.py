"""Row tables: canonical columns in, Parquet with deterministic bytes out; every row has an id that stays."""

import hashlib
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from configs.added_rows import MADE_BY

from .label_sets import LABELS, read_sets
from .pairs import TEXT_PAIR, spelt

CORE = {
    "id": pa.string(),
    "text": pa.string(),
    "text_pair": pa.string(),
    "messages": pa.string(),
    "image": pa.string(),
    "file": pa.string(),
    "label": pa.string(),
    LABELS: pa.string(),
    "target": pa.string(),
    "tags": pa.string(),
    "rejected": pa.string(),
    "split": pa.string(),
    "group": pa.string(),
    "time": pa.timestamp("us"),
    MADE_BY: pa.string(),
}
"""Columns that Temper knows, in order. A row has a `text` (of a pair of texts a `text_pair` too), `messages` (a
dialogue, as JSON) or an `image` (sha256 of its bytes, which lie in images.parquet); `target`, `tags` (as JSON, see
tasks/data/tags/rows.py), `rejected` (a worse reply, as JSON, see tasks/data/dialogues/replies.py), `file`, `group` and
`time` are there where the source has them, `made_by` where rows are added to its own (tasks/data/added_rows.py);
columns that a recipe keeps follow."""
NO_LABEL = "(no label)"
"""What tables call a row that may have any number of labels and has none."""
UNLABELLED = "all rows"
"""What tables call the one class of rows without classes; such rows have no column `label`."""


def content(rows: pd.DataFrame) -> str:
    """The column that holds what a row is about."""
    return next(name for name in ("image", "messages", "text") if name in rows)


def aim(rows: pd.DataFrame) -> str | None:
    """The column that holds what is to be predicted of a row; None where that is part of its content."""
    return next((name for name in ("target", "tags", "rejected", "labels", "label") if name in rows), None)


def classes(rows: pd.DataFrame) -> pd.Series:
    """The label of each row, or its set of labels; of rows without any one and the same, so that shares by class are
    shares of all."""
    if LABELS in rows:
        return rows[LABELS]
    return rows["label"] if "label" in rows else pd.Series(UNLABELLED, index=rows.index, dtype="str", name="label")


def each_label(rows: pd.DataFrame) -> pd.Series:
    """The same with each label of a set by itself: its row's index stands there once per label, and once with NO_LABEL
    where the set is empty."""
    labels = classes(rows)
    if LABELS not in rows:
        return labels
    return pd.Series(read_sets(labels), index=rows.index, dtype=object).explode().fillna(NO_LABEL).astype("str")


def units(groups: pd.Series, ids: pd.Series) -> list[str]:
    """What each row is counted with: its group, or itself where it has none; no group is called like a row."""
    return [
        f"row {row}" if missing else f"group {group}"
        for group, missing, row in zip(groups, groups.isna(), ids, strict=True)
    ]


def or_none(values: pd.Series) -> list[Any]:
    """The values of a column, None for each that is missing; of texts pandas would keep NaN in its place."""
    return values.astype(object).where(values.notna(), None).tolist()


def with_ids(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows (text or image, label, split, …; missing values are null) with an `id` in front.

    The id is the first 16 hex digits of the sha256 of content and label (or target), a dash, and the number of the
    occurrence of those, from 0: it stays when other rows are added behind.
    """
    what, truth_column = content(rows), aim(rows)
    contents = or_none(rows[what])
    if TEXT_PAIR in rows:
        contents = [spelt(*pair) for pair in zip(rows[what], rows[TEXT_PAIR], strict=True)]
    truths = ["all"] * len(rows) if truth_column is None else or_none(rows[truth_column])
    digests = [_digest(content, truth) for content, truth in zip(contents, truths, strict=True)]
    hashes = pd.Series(digests, index=rows.index, dtype="str")
    count = hashes.groupby(hashes).cumcount().astype("str")
    named = rows.assign(id=hashes + "-" + count)
    known = [name for name in CORE if name in named.columns]
    return named[known + [name for name in named.columns if name not in CORE]]


def _digest(content: str | None, truth: str | None) -> str:
    """Of content and truth; where a text has the separator in it, lengths keep two rows from sharing a digest."""
    text = f"{content or ''}\x1f{truth or ''}\x1f{content is not None}{truth is not None}"
    if text.count("\x1f") > 2:
        text = f"{len(content or '')}\x1f{text}"
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def write_rows(rows: pd.DataFrame, path: Path) -> None:
    """Write rows as Parquet, core columns first and in order, without pandas' metadata."""
    names = [name for name in CORE if name in rows.columns]
    kept = [name for name in rows.columns if name not in CORE]
    extra = pa.Table.from_pandas(rows[kept], preserve_index=False).schema if kept else pa.schema([])
    schema = pa.schema([*((name, CORE[name]) for name in names), *extra.remove_metadata()])
    table = pa.Table.from_pandas(rows[schema.names], schema=schema, preserve_index=False)
    pq.write_table(table.replace_schema_metadata(None), path, compression="zstd")


def read_rows(path: Path) -> pd.DataFrame:
    """Read a table written by `write_rows`."""
    frame: pd.DataFrame = pq.read_table(path, memory_map=True).to_pandas()
    return frame
