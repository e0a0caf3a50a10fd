"""The ledger: every raw row, its state so far, and the stage and reason that ended it; checked at each stage."""

from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from configs.added_rows import MADE_BY
from configs.stages import WITH_ROWS

SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("number", pa.int64()),
        ("state", pa.string()),
        ("stage", pa.string()),
        ("reason", pa.string()),
    ]
)
ADDED = pa.field(MADE_BY, pa.string())
"""A column more, where a source has added rows: what wrote each of them, null for the source's own."""
PARTS = ("train", "validation", "test")
IN = "in"
DROPPED = "dropped"


def open_ledger(ids: pd.Series, made_by: pd.Series | None = None) -> pd.DataFrame:
    """The ledger of raw rows: all `in`; `number` counts them from 1 in the order of the source.

    Columns: id, number, state (in, train, validation, test or dropped), stage (that gave the state), reason (of
    dropped rows, else empty); with added rows `made_by` too.
    """
    frame = {"id": ids.to_numpy(), "number": range(1, len(ids) + 1), "state": IN, "stage": "download", "reason": ""}
    ledger = pd.DataFrame(frame).astype({"id": "str", "state": "str", "stage": "str", "reason": "str"})
    return ledger if made_by is None else ledger.assign(**{MADE_BY: made_by.to_numpy()})


def advance(
    ledger: pd.DataFrame, stage: str, kept: pd.Series, dropped: pd.DataFrame, *, parts: pd.Series | None = None
) -> pd.DataFrame:
    """The ledger after a stage: `kept` ids go on, `dropped` (id, reason) end here; `parts` names the part per kept id.

    Raises ValueError unless every row that was alive is either kept once or dropped once, and none appears.
    """
    alive = ledger.loc[ledger["state"] != DROPPED, "id"]
    conserve(alive, kept, dropped)
    reasons = ledger["id"].map(pd.Series(dropped["reason"].to_numpy(), index=dropped["id"].to_numpy()))
    gone = reasons.notna()
    state = ledger["state"].mask(gone, DROPPED)
    if parts is not None:
        given = ledger["id"].map(pd.Series(parts.to_numpy(), index=kept.to_numpy()))
        state = state.where(given.isna(), given)
    moved = gone if parts is None else gone | (ledger["state"] != DROPPED)
    return ledger.assign(
        state=state, stage=ledger["stage"].mask(moved, stage), reason=ledger["reason"].where(~gone, reasons)
    )


def conserve(before: pd.Series, kept: pd.Series, dropped: pd.DataFrame) -> None:
    """Check that each row is kept once or dropped once, and that none appears. Raises ValueError naming rows."""
    after = pd.Index(kept).append(pd.Index(dropped["id"]))
    known = pd.Index(before)
    if len(known) == len(after) and after.is_unique and known.is_unique and (after.get_indexer(known) >= 0).all():
        return
    lost, new = known.difference(after)[:3].tolist(), after.difference(known)[:3].tolist()
    twice = after[after.duplicated()][:3].tolist()
    raise ValueError(
        f"rows are not conserved: {len(known)} in, {len(kept)} out, {len(dropped)} dropped; "
        f"lost {lost}, from nowhere {new}, more than once {twice}"
    )


def write_ledger(ledger: pd.DataFrame, path: Path) -> None:
    """Write the ledger as Parquet with deterministic bytes."""
    schema = SCHEMA.append(ADDED) if MADE_BY in ledger else SCHEMA
    table = pa.Table.from_pandas(ledger[schema.names], schema=schema, preserve_index=False)
    pq.write_table(table.replace_schema_metadata(None), path, compression="zstd")


def read_ledger(path: Path) -> pd.DataFrame:
    """Read what `write_ledger` wrote."""
    frame: pd.DataFrame = pq.read_table(path, memory_map=True).to_pandas()
    return frame


def dropped_rows(rows: pd.DataFrame, reason: str) -> pd.DataFrame:
    """The lines (id, reason) for rows that are dropped for one reason."""
    return pd.DataFrame({"id": rows["id"], "reason": reason}, dtype="str").reset_index(drop=True)


def flow_of_rows(ledger: pd.DataFrame) -> pd.DataFrame:
    """How many rows ended where, in the order of the stages: columns stage, outcome (a part, or the reason of a drop),
    rows; most rows first within a stage."""
    outcome = ledger["reason"].where(ledger["state"] == DROPPED, ledger["state"])
    counted = pd.DataFrame({"stage": ledger["stage"], "outcome": outcome}).value_counts().rename("rows").reset_index()
    place = counted["stage"].map({stage: number for number, stage in enumerate(WITH_ROWS)})
    return counted.assign(place=place).sort_values("place", kind="stable").drop(columns="place").reset_index(drop=True)


def require_ended(ledger: pd.DataFrame, raw: int) -> None:
    """Raise ValueError unless each of the `raw` rows stands once in the ledger, in a part or dropped with a reason."""
    odd = ledger[~ledger["state"].isin([*PARTS, DROPPED]) | ((ledger["state"] == DROPPED) & (ledger["reason"] == ""))]
    if len(ledger) != raw or not ledger["id"].is_unique or len(odd):
        shown = ledger["id"][ledger["id"].duplicated()].tolist()[:3] or odd["id"].tolist()[:3]
        raise ValueError(f"rows are not conserved: {raw:,} raw, {len(ledger):,} in the ledger, such as {shown}")


def parts_by_label(ledger: pd.DataFrame, labels: pd.Series) -> pd.DataFrame:
    """Rows per label (index, null for rows without one; of raw rows, by id, which may have several) and state (columns
    train, validation, test, dropped)."""
    labelled = ledger.join(labels.rename("label"), on="id")
    counts = labelled.groupby(["label", "state"], dropna=False).size().unstack(fill_value=0)
    return counts.reindex(columns=[*PARTS, DROPPED], fill_value=0)
