"""What text classification makes of data that nobody has described: a table of texts with labels."""

from typing import cast

from configs.starter import VOCABULARY, Kind, Starter
from configs.starter_weights import choose_start

from ...autodetect.proposal import Draft, Proposal, Undescribed
from ...autodetect.table import look, pair_of
from ...data.errors import DataError
from ...text.token_lengths import token_lengths
from ...text.tokenizer import FILE

LIKELY = 0.5
LABEL_WORD, CLASSIFIER = KINDS = ("label_word", "classifier")


def detect(data: Undescribed) -> Proposal | None:
    """Likely for any table; where nobody says how, by a head on installed weights that fit or of two columns that are a
    pair, else by label words."""
    if data.located.table is None or data.kind not in (None, *KINDS):
        return None
    return Proposal(LIKELY, lambda: _draft(data))


def _draft(data: Undescribed) -> Draft:
    """Raises DataError where there is no label, and for one of many numbers that are predicted as such."""
    assert data.located.table is not None
    pair = None if data.kind == LABEL_WORD else pair_of(data.located.table, data.text)
    text, second = pair or (data.text, None)
    facts = look(data.located.table, data.data, text, data.label, pair=second)
    label = facts.columns.label
    if data.number_column is not None and label == data.number_column:
        raise DataError(f"{data.data}: {label!r} holds many different numbers, which are no classes")
    start = choose_start(facts.texts)
    folder = None if data.kind == LABEL_WORD else start.folder
    kind = cast(Kind, data.kind or (CLASSIFIER if folder or second else LABEL_WORD))
    lengths = token_lengths(facts.texts, VOCABULARY if folder is None else folder / FILE)
    stated = start if folder or data.kind is None else None  # a person who names a kind knows what it starts from
    starter = Starter(data.name, data.output, data.path, data.located.source, facts, kind, lengths, stated)
    return Draft(starter, facts.columns)
