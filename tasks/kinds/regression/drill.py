"""What `temper drill` plants in recipes that predict numbers."""

from typing import TYPE_CHECKING

from ..drilling import of_texts as encoding

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["encoding"]
ENDS = False
TEMPLATE = False


def useless(table: "pd.DataFrame") -> "pd.DataFrame":
    """Far from each number."""
    return table.assign(value=table["value"] + 10 * (table["true"].std() + 1))


def perfect(table: "pd.DataFrame") -> "pd.DataFrame":
    """Each number itself."""
    return table.assign(value=table["true"])
