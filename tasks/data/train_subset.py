"""A part of the training rows, for learning curves: fewer rows are always part of more, and held-out rows stay."""

import pandas as pd

from configs.splitting import HashSplit, Split

from .errors import DataError
from .rows import units
from .splitting import placed_by, positions

DRAW = -1
"""Seed of the draw: not that of a split, which has cut the same hashes at its shares already."""


def beyond_train_rows(rows: pd.DataFrame, parts: pd.Series, section: Split) -> pd.DataFrame:
    """The ledger's lines for training rows beyond `split.train_rows`: id, reason. Raises DataError for none left.

    Rows are taken in the order of their hashes, of their groups' where the split keeps groups together, while they fit.
    """
    train = rows[parts == "train"]
    if section.train_rows is None or len(train) <= section.train_rows:
        return pd.DataFrame({"id": train["id"].head(0), "reason": ""}, dtype="str")
    grouped = "group" in rows and not (isinstance(section, HashSplit) and section.by == "row")
    keys = pd.Series(units(train["group"], train["id"])) if grouped else placed_by(train)
    place = pd.Series(positions(keys, DRAW), index=train.index)
    kept = place.rank(method="max" if grouped else "first") <= section.train_rows
    if not kept.any():
        first = int((place == place.min()).sum())
        raise DataError(
            f"split.train_rows: {section.train_rows} is less than the {first:,} rows of the first group; raise it, or "
            "leave out columns.group"
        )
    return pd.DataFrame({"id": train.loc[~kept, "id"], "reason": "beyond split.train_rows"}, dtype="str")
