"""What text classification makes of data that nobody has described: a table of texts with labels."""

from typing import cast

from configs.starter import VOCABULARY, Kind, Starter

from ...autodetect.proposal import Draft, Proposal, Undescribed
from ...autodetect.table import look
from ...data.errors import DataError
from ...text.token_lengths import token_lengths

LIKELY = 0.5
KINDS = ("generative", "classifier")


def detect(data: Undescribed) -> Proposal | None:
    """Likely for any table, by label words where nobody says how."""
    if data.found.table is None or data.kind not in (None, *KINDS):
        return None
    return Proposal(LIKELY, lambda: _draft(data))


def _draft(data: Undescribed) -> Draft:
    """Raises DataError where there is no label, and for one of many numbers that are predicted as such."""
    assert data.found.table is not None
    facts = look(data.found.table, data.data, data.text, data.label)
    label = facts.columns.label
    if data.number_column is not None and label == data.number_column:
        raise DataError(f"{data.data}: {label!r} holds many different numbers, which are no classes")
    kind, lengths = cast(Kind, data.kind or KINDS[0]), token_lengths(facts.texts, VOCABULARY)
    return Draft(Starter(data.name, data.output, data.path, data.found.source, facts, kind, lengths), facts.columns)
