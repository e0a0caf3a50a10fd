"""A table that nobody has described yet -> whether its rows are dialogues, in which columns, and what holds of them."""

from typing import Any

import numpy as np
import pandas as pd

from configs.cleaning import Clean
from configs.dialogue_starter import DialogueFacts
from configs.sources import Columns
from configs.splitting import HashSplit

from ..data.checks.dialogue_checks import COLUMNS, facts
from ..data.cleaning.pipeline import clean_rows
from ..data.dialogues.calls import parse_json
from ..data.dialogues.columns import PAIRS, prompt_columns
from ..data.dialogues.messages import HOLDERS, load_messages, tools_of, transcript
from ..data.errors import DataError
from ..data.leakage import near_copies
from ..data.ledger import PARTS
from ..data.rows import with_ids
from ..data.sources.columns import take_columns
from ..data.splitting import split_rows

SURE = (*PAIRS[:3], PAIRS[4])
"""Pairs that are dialogues even where nobody states it; an answer may be a label, unless it reads as a reply."""
COPIED = 0.2
"""Share of near copies between the parts above which the starter keeps them: dialogues of a template are alike."""


def dialogue_columns(table: pd.DataFrame, *, asked: bool) -> Columns | None:
    """The columns with dialogues; None where there are none. asked: whether a person says that there are."""
    names = [str(name) for name in table.columns]
    if pair_columns(table) is not None and not asked:
        return None
    ranked = sorted(names, key=lambda name: name.lower() not in HOLDERS)
    for name in ranked:
        if _holds_turns(next(iter(table[name].dropna()), None)):
            return Columns(messages=name)
    for prompt, completion in PAIRS:
        if not {prompt, completion} <= set(names):
            continue
        if asked or (prompt, completion) in SURE or _are_replies(table[completion]):
            return Columns(prompt=prompt_columns(prompt, names), completion=completion)
    return None


def pair_columns(table: pd.DataFrame) -> Columns | None:
    """The columns with two replies to a prompt, of which one is better; None where there are none."""
    names = [str(name) for name in table.columns]
    if not {"chosen", "rejected"} <= set(names):
        return None
    asked = next((prompt for prompt, _ in PAIRS if prompt in names), None)
    whole = _holds_turns(next(iter(table["chosen"].dropna()), None))
    if asked is None and not whole:
        return None
    prompt = None if asked is None else prompt_columns(asked, names)
    return Columns(prompt=prompt, chosen="chosen", rejected="rejected")


def _are_replies(values: "pd.Series[Any]") -> bool:
    """Whether a column holds texts of several words that mostly differ, as replies do and labels do not."""
    values_given = values.dropna()
    texts = values_given[values_given.map(lambda value: isinstance(value, str) and len(value.split()) > 1)]
    return len(texts) > len(values_given) / 2 and texts.nunique() > len(values_given) / 2


def _holds_turns(value: Any) -> bool:
    if isinstance(value, str) and value.lstrip().startswith("["):
        try:
            value = parse_json(value, "")
        except DataError:
            return False
    value = value.tolist() if hasattr(value, "tolist") else value
    first = value[0] if isinstance(value, list) and value else None
    return isinstance(first, dict) and bool({"role", "from"} & first.keys())


def look_at_dialogues(table: pd.DataFrame, where: str, columns: Columns) -> DialogueFacts:
    """Measure dialogues. Raises DataError for rows that cannot be read, or too few of them."""
    rows = with_ids(take_columns(table, columns, where))
    dialogues = [load_messages(text) for text in rows["messages"].dropna()]
    if not dialogues:
        raise DataError(f"{where}: no row holds a dialogue")
    table_facts = facts(dialogues, None)
    faults = {name: int((table_facts[name] != "").sum()) for name in COLUMNS if (table_facts[name] != "").any()}
    cleaned = clean_rows(rows, Clean(max_dropped=1.0))
    try:
        split, parts = _split(cleaned.rows)
    except DataError:
        raise DataError(f"{where}: {len(cleaned.rows):,} dialogues after cleaning are too few to be split") from None
    copies = len(near_copies(cleaned.rows, parts, split)) > COPIED * len(cleaned.rows)
    return DialogueFacts(
        columns=columns,
        rows=len(rows),
        turns=int(np.median([len(dialogue) for dialogue in dialogues])),
        longest=max(map(len, dialogues)),
        tools=sum(bool(tools_of(dialogue)) for dialogue in dialogues),
        faults=faults,
        missing=float(rows["messages"].isna().mean()),
        duplicates=1 - rows["messages"].nunique() / len(dialogues),
        exact=split.exact,
        copies=copies,
        parts={part: int((parts == part).sum()) for part in PARTS},
        texts=[transcript(dialogue) for dialogue in dialogues],
        overhead=4 * max(map(len, dialogues)),
    )


def _split(rows: pd.DataFrame) -> tuple[HashSplit, "pd.Series[str]"]:
    """A split by hash, exact where a part would be empty without. Raises DataError for too few rows."""
    try:
        parts = split_rows(rows, HashSplit())
    except DataError:  # a part would be empty
        return HashSplit(exact=True), split_rows(rows, HashSplit(exact=True))
    return HashSplit(), parts
