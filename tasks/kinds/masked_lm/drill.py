"""What `temper drill` plants in recipes of masked language models."""

from typing import TYPE_CHECKING

from ..drilling import of_texts as encoding

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["encoding"]
ENDS = False
TEMPLATE = False


def useless(table: "pd.DataFrame") -> "pd.DataFrame":
    """No token right, at twice the loss."""
    return table.assign(right=table["right"] * 0, loss=table["loss"] * 2)


def perfect(table: "pd.DataFrame") -> "pd.DataFrame":
    """Every token right, without loss."""
    return table.assign(right=table["tokens"], loss=table["loss"] * 0)
