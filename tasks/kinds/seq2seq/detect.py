"""What sequence to sequence makes of data that nobody has described: nothing, unless it is asked for."""

from typing import Final

import pandas as pd

from ...autodetect.proposal import CERTAIN, Proposal, Undescribed
from ...autodetect.targets import written_column
from ..target_draft import draft_targets

KIND: Final = "seq2seq"


def detect(data: Undescribed) -> Proposal | None:
    """A column of texts to be written; that a table is for this, its columns do not say."""
    table = data.located.table
    if table is None or data.kind not in (None, KIND):
        return None
    return Proposal(
        0.0 if data.kind is None else CERTAIN,
        lambda: draft_targets(data, KIND, numbers=False, label=data.label),
        fix=lambda: "" if data.label else written_fix(table),
    )


def written_fix(table: pd.DataFrame) -> str:
    """What else may be done with a table without classes: the option that learns to write a column of texts."""
    target = written_column(table)
    return f"; {target!r} is called like texts to be written, which `--kind seq2seq` learns to do" if target else ""
