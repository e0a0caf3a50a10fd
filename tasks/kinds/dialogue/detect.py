"""What the dialogue kind makes of data that nobody has described: lists of messages, or prompts with completions."""

from configs.dialogue_starter import DialogueStarter
from configs.sources import Columns
from configs.starter import VOCABULARY

from ...autodetect.dialogues import dialogue_columns, look_at_dialogues
from ...autodetect.proposal import CERTAIN, Draft, Proposal, Undescribed
from ...data.errors import DataError
from ...text.token_lengths import token_lengths

KIND = "dialogue"


def detect(data: Undescribed) -> Proposal | None:
    """Certain where columns hold dialogues."""
    table = data.located.table
    if table is None or data.kind not in (None, KIND):
        return None
    columns = dialogue_columns(table, asked=data.kind == KIND)
    if columns is None and data.kind is None:
        return None
    return Proposal(CERTAIN, lambda: _draft(data, columns))


def _draft(data: Undescribed, columns: Columns | None) -> Draft:
    if columns is None:
        raise DataError(f"{data.data}: no column holds lists of messages, and none are called prompt and completion")
    assert data.located.table is not None
    facts = look_at_dialogues(data.located.table, data.data, columns)
    lengths = token_lengths(facts.texts, VOCABULARY)
    return Draft(DialogueStarter(data.name, data.output, data.path, data.located.source, facts, lengths), columns)
