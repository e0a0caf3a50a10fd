"""Leakage between parts: rows and their parts in; rows of train and validation that nearly copy a held-out row out."""

import pandas as pd

from configs.splitting import Split

from .near import near_pairs
from .repeats import content

HELD_OUT = {"train": 0, "validation": 1, "test": 2}
"""Of a pair across two parts, the row of the lower one leaks."""


def near_copies(rows: pd.DataFrame, parts: pd.Series, section: Split) -> pd.DataFrame:
    """Rows that nearly copy a row of a part that is held out from theirs, each with the most similar such row.

    Images count as copies only where their bytes are equal. A row that copies a test row is listed with that one
    alone; what copies a listed validation row, and nothing else, is not listed. Returns columns id, other,
    similarity, part, other_part.
    """
    names = ["id", "other", "similarity", "part", "other_part"]
    if section.near_copies == "keep":
        return pd.DataFrame(columns=names)
    pairs = _pairs(rows, section.similarity)
    rank = parts.map(HELD_OUT).to_numpy()
    swap = rank[pairs["first"]] > rank[pairs["second"]]
    leaks, held = pairs["first"].mask(swap, pairs["second"]), pairs["second"].mask(swap, pairs["first"])
    ids, part = rows["id"].to_numpy(), parts.to_numpy()
    found = pd.DataFrame({"id": ids[leaks], "other": ids[held], "similarity": pairs["similarity"].to_numpy(),
                          "part": part[leaks], "other_part": part[held]})[rank[leaks] < rank[held]]  # fmt: skip
    found = found.sort_values(["other_part", "similarity"], ascending=[True, False], kind="stable")  # test < validation
    from_test = found[found["other_part"] == "test"]
    rest = found[(found["other_part"] != "test") & ~found["other"].isin(from_test["id"])]
    return pd.concat([from_test, rest]).drop_duplicates("id").reset_index(drop=True)[names]


def _pairs(rows: pd.DataFrame, similarity: float) -> pd.DataFrame:
    if content(rows) == "text":
        return near_pairs(rows["text"], similarity)
    place = pd.DataFrame({"image": rows["image"].to_numpy(), "at": range(len(rows))})
    place = place[place["image"].duplicated(keep=False)]
    both = place.merge(place, on="image")
    both = both[both["at_x"] < both["at_y"]]
    return pd.DataFrame({"first": both["at_x"], "second": both["at_y"], "similarity": 1.0}).reset_index(drop=True)


def reasons(copies: pd.DataFrame) -> pd.DataFrame:
    """The ledger's lines for rows that leave because of leakage."""
    named = "near-copy of a " + copies["other_part"].astype("str") + " row"
    return pd.DataFrame({"id": copies["id"], "reason": named}, dtype="str")
