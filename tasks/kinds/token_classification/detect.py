"""What token classification makes of data that nobody has described: words with a tag each, or texts with spans."""

from typing import Final

from configs.starter import VOCABULARY
from configs.tag_starter import TagStarter

from ...autodetect.proposal import CERTAIN, Draft, Proposal, Undescribed
from ...autodetect.tags import look_at_tags, tag_columns
from ...data.errors import DataError
from ...text.token_lengths import token_lengths

KIND: Final = "token_classification"


def detect(data: Undescribed) -> Proposal | None:
    """Certain where a column holds tags or spans, unless another kind or column is asked for."""
    table = data.located.table
    if table is None or data.kind not in (None, KIND) or data.label is not None:
        return None
    if data.kind is None and tag_columns(table) is None:
        return None
    return Proposal(CERTAIN, lambda: _draft(data))


def _draft(data: Undescribed) -> Draft:
    """Raises DataError where no column holds tags or spans."""
    assert data.located.table is not None
    columns = tag_columns(data.located.table)
    if columns is None:
        raise DataError(
            f"{data.data}: no column holds a tag for each word of another (O, B-person, …), or spans with start, end "
            f"and label; the columns are {list(map(str, data.located.table.columns))}"
        )
    facts = look_at_tags(data.located.table, columns, data.data)
    lengths = token_lengths(facts.texts, VOCABULARY)
    return Draft(TagStarter(data.name, data.output, data.path, data.located.source, facts, lengths), facts.columns)
