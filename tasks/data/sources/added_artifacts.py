"""Artifacts of rows that Temper wrote: a digest in a recipe comes in, the rows of that content go out."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from configs.added_rows import PseudoLabelled
from configs.settings import settings

from ...artifact import Artifact
from ...store import disk
from ...store.shared import shared
from ..errors import DataError

if TYPE_CHECKING:
    import pandas as pd

ROWS, FITTED = "rows.parquet", "fitted.parquet"
"""Files of such an artifact: the rows, and which rows each teacher was trained or chosen on (teacher, part, id)."""
MADE_AGAIN = {"pseudo_labels": "temper label"}
"""What makes artifacts of each kind."""


def stored(extra: PseudoLabelled) -> Artifact | None:
    """The artifact of this content, every byte accounted for; None where this store has none that is whole."""
    root = settings().store
    for manifest in disk.newest_manifests(root, extra.kind):
        if manifest["digest"] == extra.artifact:
            try:
                return disk.find(root, extra.kind, manifest["key"])
            except ValueError:
                continue
    return None


def opened(extra: PseudoLabelled, say: Callable[[str], None]) -> Artifact:
    """The same, brought from the remote store where this one has none. Raises DataError."""
    if (artifact := stored(extra)) is not None:
        return artifact
    with shared(say) as store:
        brought = store.bring_content(settings().store, extra.kind, extra.artifact)
    if brought is None or brought.digest != extra.artifact:
        raise DataError(absent(extra))
    return brought


def absent(extra: PseudoLabelled) -> str:
    """That an artifact is not to be had, and what helps."""
    return (
        f"download.extra: {name_of(extra)} is in no store that this machine reads; `{MADE_AGAIN[extra.kind]}` makes "
        "such rows, TEMPER_REMOTE brings those of another machine"
    )


def name_of(rows: "Artifact | PseudoLabelled") -> str:
    """What the rows of an artifact are called in tables and messages."""
    kind, digest = (rows.stage, rows.digest) if isinstance(rows, Artifact) else (rows.kind, rows.artifact)
    return f"{kind} {digest[:12]}"


def table_of(artifact: Artifact) -> "tuple[str, pd.DataFrame]":
    """Its name and its rows."""
    from ..rows import read_rows

    return name_of(artifact), read_rows(artifact.file(ROWS))


def fitted_by(artifact: Artifact) -> dict[str, dict[str, frozenset[str]]]:
    """By teacher and part (train, validation) the ids of the rows that it was trained or chosen on."""
    import pyarrow.parquet as pq

    table = pq.read_table(artifact.file(FITTED)).to_pandas()
    return {
        str(teacher): {part: frozenset(rows.loc[rows["part"] == part, "id"]) for part in ("train", "validation")}
        for teacher, rows in table.groupby("teacher")
    }
