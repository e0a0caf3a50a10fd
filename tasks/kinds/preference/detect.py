"""What preference makes of data that nobody has described: columns called chosen and rejected."""

from typing import Final

from configs.preference_starter import PreferenceStarter
from configs.sources import Columns
from configs.starter import VOCABULARY

from ...autodetect.dialogues import look_at_dialogues, pair_columns
from ...autodetect.proposal import CERTAIN, Draft, Proposal, Undescribed
from ...data.errors import DataError
from ...text.token_lengths import token_lengths

KIND: Final = "preference"


def detect(data: Undescribed) -> Proposal | None:
    """Certain where columns hold two replies to a prompt, unless another kind or a label is asked for."""
    table = data.located.table
    if table is None or data.kind not in (None, KIND) or data.label is not None:
        return None
    columns = pair_columns(table)
    if columns is None and data.kind is None:
        return None
    return Proposal(CERTAIN, lambda: _draft(data, columns))


def _draft(data: Undescribed, columns: Columns | None) -> Draft:
    assert data.located.table is not None
    if columns is None:
        raise DataError(
            f"{data.data}: no columns are called chosen and rejected; the columns are "
            f"{list(map(str, data.located.table.columns))}"
        )
    facts = look_at_dialogues(data.located.table, data.data, columns)
    lengths = token_lengths(facts.texts, VOCABULARY)
    return Draft(PreferenceStarter(data.name, data.output, data.path, data.located.source, facts, lengths), columns)
