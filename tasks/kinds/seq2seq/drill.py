"""What `temper drill` plants in recipes that write texts."""

from typing import TYPE_CHECKING

from ..drilling import of_texts as encoding

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["encoding"]
ENDS = True
TEMPLATE = False


def useless(table: "pd.DataFrame") -> "pd.DataFrame":
    """Empty texts."""
    return table.assign(written="")


def perfect(table: "pd.DataFrame") -> "pd.DataFrame":
    """The targets."""
    return table.assign(written=table["true"])
