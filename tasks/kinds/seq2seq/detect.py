"""What sequence to sequence makes of data that nobody has described: nothing, unless it is asked for."""

from typing import Final

from ...autodetect.proposal import CERTAIN, Proposal, Undescribed
from ..target_draft import draft_targets

KIND: Final = "seq2seq"


def detect(data: Undescribed) -> Proposal | None:
    """A column of texts to be written; that a table is for this, its columns do not say."""
    if data.located.table is None or data.kind != KIND:
        return None
    return Proposal(CERTAIN, lambda: draft_targets(data, KIND, numbers=False, label=data.label))
