"""Steps that change texts: a column of texts (null where missing) in, the changed column out."""

import pandas as pd

from configs import cleaning as steps


def normalise(column: pd.Series, step: steps.Unicode) -> pd.Series:
    """Unicode normalisation form."""
    return column.str.normalize(step.form)


def cut_whitespace(column: pd.Series, step: steps.Whitespace) -> pd.Series:
    """White space at both ends, and runs of it inside where asked."""
    if step.how == "squeeze":
        column = column.str.replace(r"\s+", " ", regex=True)
    return column.str.strip()


def lower(column: pd.Series, step: steps.Lowercase) -> pd.Series:
    """Lower case."""
    return column.str.lower()
