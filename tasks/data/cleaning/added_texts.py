"""Cleaning where rows are added to a source's own: these are cleaned as if there were no others."""

from dataclasses import replace

import pandas as pd

from configs.cleaning import Clean, LabelErrors

from .pipeline import TEXTS, clean_rows
from .report import Cleaned


def clean_apart(own: Cleaned, added: pd.DataFrame, section: Clean) -> Cleaned:
    """What cleaning left of the own rows with what it leaves of added texts, by the same steps but for `label_errors`.
    Raises DataError as `clean_rows` does."""
    if added.empty:
        return own
    theirs = clean_rows(added, without(section, LabelErrors))
    return Cleaned(
        pd.concat([own.rows, theirs.rows], ignore_index=True),
        pd.concat([own.dropped, theirs.dropped], ignore_index=True),
        (*own.done, *(replace(done, step=f"{done.step} of added rows") for done in theirs.done)),
    )


def without(section: Clean, *kinds: type) -> Clean:
    """The section without the steps of these kinds."""
    steps = TEXTS if section.steps is None else section.steps
    return replace(section, steps=tuple(step for step in steps if not isinstance(step, kinds)))
