"""What `temper drill` plants in recipes that classify images."""

from collections.abc import Callable
from typing import Any

import pandas as pd

from ..drilling import Change, Drill, Place, copied, next_class
from .outcomes import ANSWER, TRUTH


def _encoding(change: Change, truth: str | None) -> Place:
    """The class ids of a part's images, by which they are trained."""
    from ...vision import parts

    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        def write_table(ids: Any, class_ids: Any, places: Any, path: Any) -> None:
            changed = change.truth(pd.Series(class_ids), path.stem).to_numpy() if change.truth else class_ids
            original(ids, changed, places, path)

        return write_table

    return Place(parts, "write_table", make)


DRILL = Drill(useless=next_class, perfect=copied(TRUTH, ANSWER), encoding=_encoding)
