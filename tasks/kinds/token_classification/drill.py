"""What `temper drill` plants in recipes that find entities."""

from typing import TYPE_CHECKING

from ..drilling import of_texts as encoding

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["encoding"]
ENDS = False
TEMPLATE = False


def useless(table: "pd.DataFrame") -> "pd.DataFrame":
    """No entity."""
    return table.assign(predicted="[]")


def perfect(table: "pd.DataFrame") -> "pd.DataFrame":
    """The entities of each row."""
    return table.assign(predicted=table["true"])
