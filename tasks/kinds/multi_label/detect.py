"""What several labels make of data that nobody has described: a column of lists, or one or more that are asked for."""

from typing import Final

import pandas as pd

from configs.label_set_starter import LabelSetStarter
from configs.starter import VOCABULARY

from ...autodetect.label_sets import are_lists, list_column, look_at_label_sets
from ...autodetect.proposal import CERTAIN, Draft, Proposal, Undescribed
from ...text.token_lengths import token_lengths

KIND: Final = "multi_label"
LIKELY = 0.6
"""Above that of one label per row, which a list is not."""


def detect(data: Undescribed) -> Proposal | None:
    """Where it is asked for, or no kind is and the column of labels, as named or by its name, holds lists of words."""
    table = data.located.table
    if table is None or data.kind not in (None, KIND):
        return None
    if data.kind is None and not _has_lists(table, data.label):
        return None
    return Proposal(LIKELY if data.kind is None else CERTAIN, lambda: _draft(data))


def _has_lists(table: pd.DataFrame, label: str | None) -> bool:
    if label is None:
        return list_column(table) is not None
    return list(table.columns).count(label) == 1 and are_lists(table[label])


def _draft(data: Undescribed) -> Draft:
    """Raises DataError where no column holds labels."""
    assert data.located.table is not None
    facts = look_at_label_sets(data.located.table, data.data, data.text, data.label)
    lengths = token_lengths(facts.texts, VOCABULARY)
    return Draft(LabelSetStarter(data.name, data.output, data.path, data.located.source, facts, lengths), facts.columns)
