"""Leakage between parts: rows and their parts in; rows of train and validation that nearly copy a held-out row out."""

from collections.abc import Callable

import numpy as np
import pandas as pd

from configs.splitting import Split

from .cleaning.near_duplicates import Copies, Mask
from .dialogues.messages import load_messages, transcript
from .pairs import joined, sides
from .rows import content


def near_copies(rows: pd.DataFrame, parts: pd.Series, section: Split) -> pd.DataFrame:
    """Rows that nearly copy a row of a part that is held out from theirs, each with the most similar such row (among
    many copies one of the most similar).

    Images count as copies only where their bytes are equal. A row that copies a test row is listed with that one
    alone; what copies a listed validation row, and nothing else, is not listed. Returns columns id, other,
    similarity, part, other_part.
    """
    names = ["id", "other", "similarity", "part", "other_part"]
    if section.near_copies == "keep":
        return pd.DataFrame(columns=names)
    part, ids = parts.to_numpy(), rows["id"].to_numpy()
    nearest = _nearest(rows, section.similarity)
    from_test = nearest(part == "test", part != "test")
    stays = np.ones(len(rows), bool)
    stays[from_test["row"]] = False
    from_validation = nearest((part == "validation") & stays, (part == "train") & stays)
    copies_by_part = [
        copies.sort_values("similarity", ascending=False, kind="stable") for copies in (from_test, from_validation)
    ]
    pairs = pd.concat(copies_by_part, ignore_index=True)
    leaks, held = pairs["row"].to_numpy(), pairs["other"].to_numpy()
    return pd.DataFrame(
        {
            "id": ids[leaks],
            "other": ids[held],
            "similarity": pairs["similarity"],
            "part": part[leaks],
            "other_part": part[held],
        }
    )


def shared_sides(rows: pd.DataFrame, parts: pd.Series, section: Split) -> pd.DataFrame:
    """Of pairs of texts: rows of which one text nearly copies a text of a row that is held out from their part, though
    the pairs are no copies. Either text is compared with both of the others. Columns as of `near_copies`, and side,
    other_side: the columns of these texts."""
    names = sides(rows)
    texts = [pd.DataFrame({"id": rows["id"] + " " + side, "text": rows[side]}) for side in names]
    copies = near_copies(
        pd.concat(texts, ignore_index=True), pd.concat([parts] * len(names), ignore_index=True), section
    )
    for name, side in (("id", "side"), ("other", "other_side")):
        copies[[name, side]] = [str(cell).split(" ") for cell in copies[name]] or np.empty((0, 2), object)
    return copies


def _nearest(rows: pd.DataFrame, similarity: float) -> Callable[[Mask, Mask], pd.DataFrame]:
    """From which rows are held out and which must not copy them: rows, the held-out row of each, and their index."""
    what = content(rows)
    if what == "text":
        return Copies(joined(rows), similarity).nearest
    if what == "messages":
        spoken = [transcript(load_messages(messages), results=False) for messages in rows["messages"]]
        return Copies(pd.Series(spoken, index=rows.index, dtype="str"), similarity).nearest

    def same_image(held: Mask, seeking: Mask) -> pd.DataFrame:
        at = pd.Series(np.arange(len(rows)), index=rows["image"].to_numpy())
        first = at[held].groupby(level=0).first()
        other = first.reindex(at.index[seeking]).to_numpy()
        pairs = {"row": np.flatnonzero(seeking), "other": other, "similarity": 1.0}
        return pd.DataFrame(pairs).dropna().astype({"other": "int64"})

    return same_image


def reasons(copies: pd.DataFrame) -> pd.DataFrame:
    """The ledger's lines for rows that leave because of leakage."""
    named = "near-copy of a " + copies["other_part"].astype("str") + " row"
    return pd.DataFrame({"id": copies["id"], "reason": named}, dtype="str")
