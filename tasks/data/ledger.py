"""The ledger: every raw row, its state so far, and the stage and reason that ended it; checked at each stage."""

from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("number", pa.int64()),
        ("state", pa.string()),
        ("stage", pa.string()),
        ("reason", pa.string()),
    ]
)
IN = "in"
DROPPED = "dropped"


def open_ledger(ids: pd.Series) -> pd.DataFrame:
    """The ledger of raw rows: all `in`; `number` counts them from 1 in the order of the source.

    Columns: id, number, state (in, train, validation, test or dropped), stage (that gave the state), reason (of
    dropped rows, else empty).
    """
    count = len(ids)
    frame = {"id": ids.to_numpy(), "number": range(1, count + 1), "state": IN, "stage": "download", "reason": ""}
    return pd.DataFrame(frame).astype({"id": "str", "state": "str", "stage": "str", "reason": "str"})


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
    if len(known) == len(after) and after.is_unique and known.is_unique and known.isin(after).all():
        return
    lost, new = known.difference(after)[:3].tolist(), after.difference(known)[:3].tolist()
    twice = after[after.duplicated()][:3].tolist()
    raise ValueError(
        f"rows are not conserved: {len(known)} in, {len(kept)} out, {len(dropped)} dropped; "
        f"lost {lost}, from nowhere {new}, more than once {twice}"
    )


def write_ledger(ledger: pd.DataFrame, path: Path) -> None:
    """Write the ledger as Parquet with deterministic bytes."""
    table = pa.Table.from_pandas(ledger[SCHEMA.names], schema=SCHEMA, preserve_index=False)
    pq.write_table(table.replace_schema_metadata(None), path, compression="zstd")


def read_ledger(path: Path) -> pd.DataFrame:
    """Read what `write_ledger` wrote."""
    frame: pd.DataFrame = pq.read_table(path, memory_map=True).to_pandas()
    return frame


def dropped_rows(rows: pd.DataFrame, reason: str) -> pd.DataFrame:
    """The lines (id, reason) for rows that fall away for one reason."""
    return pd.DataFrame({"id": rows["id"], "reason": reason}, dtype="str").reset_index(drop=True)


def flow_of_rows(ledger: pd.DataFrame) -> pd.DataFrame:
    """How many rows ended where: columns stage, outcome (a part, or the reason of a drop), rows; largest first."""
    outcome = ledger["reason"].where(ledger["state"] == DROPPED, ledger["state"])
    counted = pd.DataFrame({"stage": ledger["stage"], "outcome": outcome}).value_counts().rename("rows")
    return counted.reset_index()
