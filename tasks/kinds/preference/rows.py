"""Rows with a dialogue and a worse reply -> pairs, or why there is none."""

import pandas as pd

from ...data.dialogues.messages import load_messages
from ...data.dialogues.replies import BrokenPairError, read_rejected
from .reply_pairs import Pair


def read_rows_of(rows: pd.DataFrame) -> tuple[list[Pair], pd.Series]:
    """The pairs of rows (messages, rejected), and for each row why it has none; empty where it has one."""
    pairs: list[Pair] = []
    reasons = []
    for messages, rejected in zip(rows["messages"], rows["rejected"], strict=True):
        try:
            pairs.append((load_messages(messages), read_rejected(rejected)))
            reasons.append("")
        except BrokenPairError as error:
            reasons.append(str(error))
    return pairs, pd.Series(reasons, index=rows.index, dtype="str")
