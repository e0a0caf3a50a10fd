"""What `temper drill` plants in recipes that predict numbers."""

import pandas as pd

from ..drilling import Drill, copied
from .outcomes import ANSWER, TRUTH


def _far(table: pd.DataFrame) -> pd.DataFrame:
    """Far from each number."""
    return table.assign(value=table["value"] + 10 * (table["true"].std() + 1))


DRILL = Drill(useless=_far, perfect=copied(TRUTH, ANSWER))
