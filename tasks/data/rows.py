"""Row tables: canonical columns in, Parquet with deterministic bytes out; rows have ids and are conserved."""

import hashlib
from collections.abc import Iterable
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

SCHEMA = pa.schema([("id", pa.string()), ("text", pa.string()), ("label", pa.string()), ("split", pa.string())])
DROPPED = pa.schema([("id", pa.string()), ("reason", pa.string())])


def with_ids(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows (text, label, split; missing values are null) with an `id` in front.

    The id is the first 16 hex digits of the sha256 of text and label, a dash, and the number of the occurrence
    of that content, from 0: it stays when other rows are added behind.
    """
    marked = rows[["text", "label"]].notna().to_numpy()
    content = [
        hashlib.sha256(f"{t if a else ''}\x1f{label if b else ''}\x1f{a}{b}".encode()).hexdigest()[:16]
        for t, label, (a, b) in zip(rows["text"], rows["label"], marked, strict=True)
    ]
    hashes = pd.Series(content, index=rows.index, dtype="str")
    count = hashes.groupby(hashes).cumcount().astype("str")
    return rows.assign(id=hashes + "-" + count)[["id", "text", "label", "split"]]


def write_rows(rows: pd.DataFrame, path: Path) -> None:
    """Write id, text, label and split as Parquet, without pandas' metadata."""
    _write(rows, SCHEMA, path)


def write_dropped(dropped: pd.DataFrame, path: Path) -> None:
    """Write id and reason of dropped rows."""
    _write(dropped, DROPPED, path)


def _write(frame: pd.DataFrame, schema: pa.Schema, path: Path) -> None:
    table = pa.Table.from_pandas(frame[schema.names], schema=schema, preserve_index=False)
    pq.write_table(table.replace_schema_metadata(None), path, compression="zstd")


def read_rows(path: Path) -> pd.DataFrame:
    """Read a table written by `write_rows` or `write_dropped`."""
    frame: pd.DataFrame = pq.read_table(path, memory_map=True).to_pandas()
    return frame


def dropped_rows(rows: pd.DataFrame, reason: str) -> pd.DataFrame:
    """The ledger lines for rows that fall away for one reason."""
    return pd.DataFrame({"id": rows["id"], "reason": reason}).reset_index(drop=True)


def conserve(before: Iterable[str], after: Iterable[str], dropped: pd.DataFrame) -> None:
    """Check that each row is kept once or dropped once, and that none appears.

    Raises ValueError with the first rows that break it.
    """
    ids, kept, gone = list(before), list(after), list(dropped["id"])
    if len(ids) == len(kept) + len(gone) and set(ids) == set(kept) | set(gone) and len(set(ids)) == len(ids):
        return
    lost = sorted(set(ids) - set(kept) - set(gone))[:3]
    new = sorted((set(kept) | set(gone)) - set(ids))[:3]
    twice = sorted(set(kept) & set(gone))[:3]
    raise ValueError(
        f"rows are not conserved: {len(ids)} in, {len(kept)} out, {len(gone)} dropped; "
        f"lost {lost}, from nowhere {new}, kept and dropped {twice}"
    )
