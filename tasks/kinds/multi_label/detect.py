"""What several labels make of data that nobody has described: a column of lists, or one or more that are asked for."""

from typing import Final

import pandas as pd

from configs.label_set_starter import LabelSetStarter
from configs.starter import VOCABULARY

from ...autodetect.label_sets import are_lists, list_column, look_at_label_sets
from ...autodetect.proposal import CERTAIN, Draft, Proposal, Undescribed
from ...text.token_lengths import token_lengths

KIND: Final = "multi_label"
MARKS = (",", ";", "|")
"""What may stand between the labels of a text."""
LIKELY = 0.6
"""Above that of one label per row, which a list is not."""


def detect(data: Undescribed) -> Proposal | None:
    """Where it is asked for, or no kind is and the column of labels, as named or by its name, holds lists of words."""
    table = data.located.table
    if table is None or data.kind not in (None, KIND):
        return None
    if data.kind is None and not _has_lists(table, data.label):
        return Proposal(0.0, lambda: _draft(data), notes=lambda columns: several_notes(table, columns.label))
    return Proposal(LIKELY if data.kind is None else CERTAIN, lambda: _draft(data))


def several_notes(table: pd.DataFrame, label: str | None) -> list[str]:
    """What to say where another kind takes texts such as `a,b` for labels of their own, next to `a` and `b`."""
    if label is None or label not in table:
        return []
    words = table[label].dropna().astype("str").unique().tolist()
    for mark in MARKS:
        several = [word for word in words if mark in word]
        parts = {part.strip() for word in words for part in word.split(mark)}
        if several and 1 < len(parts) < len(words):
            return [
                f"{len(several):,} of the {len(words):,} labels hold {mark!r}, such as {several[0]!r}; where they are "
                f"several labels of a row, --kind multi_label --label {label} reads {len(parts):,}"
            ]
    return []


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
