"""What `temper drill` plants in recipes of masked language models."""

import pandas as pd

from ..drilling import Drill


def _none_right(table: pd.DataFrame) -> pd.DataFrame:
    """No token right, at twice the loss."""
    return table.assign(right=table["right"] * 0, loss=table["loss"] * 2)


def _all_right(table: pd.DataFrame) -> pd.DataFrame:
    """Every token right, without loss."""
    return table.assign(right=table["tokens"], loss=table["loss"] * 0)


DRILL = Drill(useless=_none_right, perfect=_all_right)
