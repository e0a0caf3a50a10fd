"""What `temper drill` plants in recipes of this kind."""

from typing import TYPE_CHECKING

from ..drilling import next_class as useless
from ..drilling import of_texts as encoding

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["encoding", "useless"]
ENDS = False
TEMPLATE = False


def perfect(table: "pd.DataFrame") -> "pd.DataFrame":
    """The class of each row."""
    return table.assign(predicted=table["label"])
