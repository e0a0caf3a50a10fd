"""Texts that hold what looks like a secret: a model that learns them may give them away."""

import pandas as pd

from configs.expectations import Validate
from configs.secrets import MARKS, TOKEN

from .results import SHOWN, Verdict

COLUMNS = ("text", "text_pair", "messages", "target", "rejected")
"""Columns that models learn from."""
KEPT = 4
"""Characters of a secret that are shown."""


def check_secrets(rows: pd.DataFrame, section: Validate) -> list[Verdict]:
    """The rows of which a text holds a token or a key of a known form. No table or page shows more of it than its
    beginning."""
    columns = [name for name in COLUMNS if name in rows]
    if not columns:
        return []
    marks: dict[int, str] = {}
    for name in columns:
        for place, text in enumerate(rows[name]):
            if place not in marks and (mark := _mark(text)):
                marks[place] = mark
    breaking = rows["id"].iloc[sorted(marks)]
    shown = [f"{marks[place]}…" for place in sorted(marks)[:SHOWN]]
    name = "rows_hold_no_secrets"
    return [
        Verdict(
            name,
            "no text holds what looks like a token or an access key",
            f"{len(breaking):,} of {len(rows):,} rows break it",
            breaking.empty,
            tuple(zip(breaking.head(SHOWN), shown, strict=True)),
            severity=section.severity_of("secrets"),
            name=name,
            rows=breaking,
            place="validate.severity.secrets",
        )
    ]


def _mark(text: object) -> str | None:
    """The beginning of what looks like a secret in a text."""
    if not isinstance(text, str) or not any(mark in text for mark in MARKS):
        return None
    match = TOKEN.search(text)
    return match and match[0][:KEPT]
