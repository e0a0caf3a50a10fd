"""Added rows by themselves: those that break what is expected of a row leave, and decide nothing about others."""

from collections.abc import Collection

import pandas as pd

from configs.expectations import Validate

from .expectations import check_rows
from .results import rows_under


def added_leaving(added: pd.DataFrame, section: Validate, labels: Collection[str]) -> pd.DataFrame:
    """The ledger's lines (id, reason) for added rows that leave: their label is none of the source's, or an
    expectation that is no mere warning names them. What is expected of the whole table is asked of own rows alone.
    """
    if added.empty:
        return pd.DataFrame({"id": added["id"], "reason": ""}, dtype="str")
    verdicts, _ = check_rows(added, section)
    reasons = {verdict.name: verdict.reason for verdict in verdicts}
    named = pd.concat([rows_under(verdicts, "quarantine"), rows_under(verdicts, "fail")])
    unknown = added.loc[~added["label"].isin(list(labels)), "id"]
    lines = pd.DataFrame({"id": named["id"], "reason": named["expectation"].replace(reasons)}, dtype="str")
    other = pd.DataFrame({"id": unknown, "reason": "label unknown to the source"}, dtype="str")
    return pd.concat([other, lines], ignore_index=True).drop_duplicates("id")
