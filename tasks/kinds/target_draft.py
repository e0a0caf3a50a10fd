"""A table of texts with targets that nobody has described -> the draft of a recipe that predicts or writes them."""

from configs.starter import VOCABULARY
from configs.target_starter import TargetKind, TargetStarter

from ..autodetect.proposal import Draft, Undescribed
from ..autodetect.targets import look_at_targets
from ..text.token_lengths import token_lengths


def draft_targets(data: Undescribed, kind: TargetKind, *, numbers: bool, label: str | None) -> Draft:
    """For numbers or written texts; `label` names their column. Raises DataError."""
    assert data.located.table is not None
    facts = look_at_targets(data.located.table, data.path, numbers=numbers, text=data.text, target=label)
    facts.why["kind"] = (
        "as you said"
        if data.kind is not None
        else f"{facts.columns.target!r} holds many different numbers, and no other column is a label; --label "
        f"{facts.columns.target} takes them for classes"
    )
    tokens, target_tokens = (token_lengths(texts, VOCABULARY) for texts in (facts.texts, facts.aims))
    source = data.located.source
    starter = TargetStarter(data.name, data.output, data.path, source, facts, tokens, kind, target_tokens)
    return Draft(starter, facts.columns)
